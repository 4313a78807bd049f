"""Driftline's service: events in, windows scored, rows and alerts out.

The pure core (functions of state, input and now) is `events`, `sketching`, `windows`, `watermark`, `evaluation`;
`replay` runs it over files. The shell around it is `kafka`, `ingest`, `evaluate`, `deliver` and `supervisor`.
`wiring` is the one place that puts them together.
"""
