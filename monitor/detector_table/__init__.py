"""`make detectors`: what sequential detectors say of stable and of changed streams; writes `docs/detectors.md`."""
