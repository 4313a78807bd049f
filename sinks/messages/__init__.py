"""Alerts and retraining requests as destinations send them: one at a time, each in the destination's own form.

- `alert`, `retraining`: a row of the record of this name, decoded.
- `event`: what the two share. `cloud_event`: either as a CloudEvent. `identity`: keys that other systems take.
- `text`: the one message template. `settings`: the keys that all such destinations have.
- `destination`: rows in, one message each; what was refused, what waits.
- `sample`: the marked message that `driftline deliver --test` sends.
"""
