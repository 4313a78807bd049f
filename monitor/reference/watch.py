"""Whether a model's configured reference has become another one, while a role runs.

`driftline reference build` makes the configured path a link to a new file, in one step. A role that looks every now and
then goes on with the new one, as it would after a restart.
"""

from pathlib import Path
from typing import Final

import structlog

from monitor.config.schema import Config
from monitor.errors import DriftlineError
from monitor.reference.opened import References, open_references

log = structlog.get_logger()

EVERY_S: Final = 5.0
"""How often the files are looked at, in seconds: as many calls of `stat` as there are models."""
_Seen = tuple[tuple[int, int, int] | None, ...]


class ReferenceWatch:
    """Looks at the configured references of all models.

    Parameters
    ----------
    references: what the role has now, of this configuration.
    """

    def __init__(self, config: Config, references: References) -> None:
        self._config = config
        self._digests = _digests(references)
        self._seen = self._stats()
        self._due_s = 0.0

    def changed(self, now_s: float) -> References | None:
        """The references, if one of them is another than before; None else, and where it was looked at lately.

        What cannot be read, or does not fit the configuration, is told once, and the role goes on as it is.
        """
        if now_s < self._due_s:
            return None
        self._due_s = now_s + EVERY_S
        seen = self._stats()
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            references = open_references(self._config)
        except DriftlineError as error:
            log.error("a new reference is not taken up; the one before goes on", because=error.message)
            return None
        digests = _digests(references)
        changed = [name for name, digest in digests.items() if digest != self._digests.get(name)]
        if not changed:
            return None
        self._digests = digests
        for name in changed:
            current = references[name].current
            log.info("a new reference takes over", model=name, version=current.version, reference=current.digest[:12])
        return references

    def _stats(self) -> _Seen:
        return tuple(_stat(model.reference) for model in self._config.models)


def _stat(path: Path) -> tuple[int, int, int] | None:
    """Of the file that the path leads to; None where there is none just now."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _digests(references: References) -> dict[str, str]:
    return {name: of_model.current.digest for name, of_model in references.items()}
