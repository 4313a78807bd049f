"""Verdicts become alerts, and alerts requests to retrain: pure functions of (state, rows, controls, now).

- `policy`: what may be configured. `controls`, `silences`: what people and pipelines say while it runs.
- `moved`, `gather`: verdict rows of closed windows, as decisions need them; `tiling`: of which windows.
- `track`: evidence over time of one version's cells. `usual`: how many events there usually are. `finding`: what they
  come to, by `cause`. `machine`: raised, updated, resolved.
- `retraining`: which alerts ask for a new model, and which are held back. `succession`: what a new one ends. `unread`:
  what of events is in no sketch.
- `decide`: all of it for one model; `stage`: over the evaluator's results; `store`: what is kept in the key-value
state. - `alert`, `request`, `words`, `wire`: what leaves, in figures, in sentences and as CloudEvents.
"""
