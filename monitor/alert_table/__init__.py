"""`make alerts`: what policies raise on unchanged and on changed streams; writes `docs/alerts-simulation.md`."""
