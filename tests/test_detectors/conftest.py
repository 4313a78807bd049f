"""Hypothesis: no deadline, because the first call compiles the kernel."""

from hypothesis import settings

settings.register_profile("detectors", deadline=None)
settings.load_profile("detectors")
