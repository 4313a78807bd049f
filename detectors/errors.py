"""What can go wrong in `detectors`, and what the caller should do.

```text
DetectorError
├── LayoutMismatch      two sketches, or a sketch and a reference, do not belong together: drop the message, count it
├── MalformedSketch     bytes that are no sketch: drop the message, count it
├── MalformedReference  bytes that are no reference file: stop, rebuild or fetch the file again
├── MalformedState      bytes that are no state of a sequential detector: begin it anew, count it
└── ConfigurationError  stop, correct the configuration
    ├── UnknownMethod   no such method is registered; names the nearest
    ├── UnknownDetector no such sequential detector is registered; names the nearest
    ├── UnknownColumn   the reference has no such column; names the nearest
    └── InvalidSetting  a value out of range, or a column scored twice by one method
```
"""

import difflib
from collections.abc import Iterable


class DetectorError(Exception):
    """The root: catch this to catch everything the package raises on purpose."""


class LayoutMismatch(DetectorError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """Counts from different references have no common meaning and are never added."""


class MalformedSketch(DetectorError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """The bytes are truncated, corrupt, of an unknown format version, or contradict themselves."""


class MalformedReference(DetectorError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """The bytes are truncated, corrupt, no reference file at all, or of an unknown format version."""


class MalformedState(DetectorError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """The bytes are truncated, corrupt, of an unknown format version, or of a detector that is not there."""


class ConfigurationError(DetectorError, ValueError):
    """What was asked for cannot be done with this reference and these methods."""


class UnknownMethod(ConfigurationError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """No method of this name is registered."""


class UnknownDetector(ConfigurationError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """No sequential detector of this name is registered."""


class UnknownColumn(ConfigurationError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """The reference has no column of this name."""


class InvalidSetting(ConfigurationError):  # noqa: N818  # the name says what happened; the root says that it is an error
    """A setting is out of range or contradicts another."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the closest known name, or all of them when none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}"
