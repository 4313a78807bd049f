"""One sequential detector a file, found by itself: see `detectors.sequential_registry`."""
