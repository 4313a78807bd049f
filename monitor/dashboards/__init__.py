"""The dashboards of Grafana, as code: `python -m monitor.dashboards FOLDER` writes them as JSON (`make dashboards`).

A module a dashboard, each with `build()`; `parts` has what their panels share, `sql` how statements name Grafana's
variables. Only who changes a dashboard needs `grafana-foundation-sdk`; the JSON is committed.
"""
