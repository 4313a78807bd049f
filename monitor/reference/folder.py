"""The reference files of a model: the configured one, and older ones beside it while windows still need them.

A sketch carries the digest of the reference whose grid it lies on, and is only ever compared with that one. After a new
reference is rolled out, sketches on the old grid are still on their way: its file stays in the same folder until its
windows are past their retention. `monitor.reference.store` keeps it there.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from detectors.errors import DetectorError
from detectors.reference import Reference
from monitor.errors import InputError

SUFFIX = ".ref"


def load_reference(path: Path) -> Reference:
    """The reference in a file. Raises `InputError`, naming the file and the way out."""
    try:
        return Reference.decode(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"cannot read the reference {path}: {error.strerror}",
            hint="make it with: driftline reference build CONFIG --data FILE",
        ) from error
    except DetectorError as error:
        raise InputError(
            f"{path}: {error}", hint="build it again: driftline reference build CONFIG --data FILE"
        ) from error


class ReferencesOfModel(Mapping[str, Reference]):
    """References by digest. One that is not known is looked for among the files of the folder, each time it is asked
    for.

    `current` is the configured one. A file that cannot be read, or is of another model, is passed over.
    """

    def __init__(self, model: str, path: Path) -> None:
        self.current = load_reference(path)
        if self.current.model != model:
            raise InputError(
                f"{path} is the reference of model {self.current.model!r}, not of {model!r}",
                hint="mend `reference` or `name` in the configuration",
            )
        self._model = model
        self._folder = path.parent
        self._known = {self.current.digest: self.current}
        self._read: set[tuple[int, int, int]] = set()

    def __getitem__(self, digest: str) -> Reference:
        if digest not in self._known:
            self._look()
        return self._known[digest]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _look(self) -> None:
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                status = path.stat()
            except OSError:  # removed since, or a link to nowhere
                continue
            # The change of its status, not of its content: a file whose rights were mended is looked at again. Links
            # are other names of files that are read once.
            state = (status.st_dev, status.st_ino, status.st_ctime_ns)
            if state in self._read:
                continue
            self._read.add(state)
            try:
                reference = load_reference(path)
            except InputError as error:
                import structlog  # a third of a second that `driftline check` need not wait

                structlog.get_logger().warning("a reference file is passed over", because=error.message)
                continue
            if reference.model == self._model:
                self._known[reference.digest] = reference
