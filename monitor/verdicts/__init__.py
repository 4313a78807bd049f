"""`make verdicts`: what verdicts say of unchanged and of changed data, simulated; writes `docs/verdicts.md`."""
