"""Where references are written: each in a file of its own, named after its content; the configured path points to one.

| path | what |
|---|---|
| `flights.ref` | as configured: a relative symbolic link to the current one, replaced atomically |
| `flights.<digest>.ref` | a reference; never overwritten by another |

Windows that were counted on an older reference are compared with that one until their retention is over, so a build
takes nothing away. A plain file at the configured path, copied there or from an earlier release, reads as it is; before
the link takes its place it gets a name of its own too.
"""

import contextlib
import os
import secrets
from pathlib import Path

from detectors.errors import DetectorError
from detectors.reference import Reference
from monitor.errors import InputError
from monitor.reference.folder import SUFFIX


def write_reference(path: Path, reference: Reference) -> str:
    """Store a reference and make it the current one of a configured path; returns its digest. Makes the folder.

    Safe beside other builds of the same path: each reference is stored, and the last link counts.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    if not path.name or path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder", hint="name a file under `reference`")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _adopt(path)
        stored = stored_path(path, reference.digest)
        data = reference.encode()
        if not stored.exists() or stored.read_bytes() != data:  # the same content may have got another version label
            _replace(stored, data)
        _point(path, stored)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}", hint="make its folder, or mend `reference` in the configuration"
        ) from error
    return reference.digest


def stored_path(path: Path, digest: str) -> Path:
    """Where the reference of a digest lies beside the configured path."""
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}.{digest}{SUFFIX}")


def _adopt(path: Path) -> None:
    """Give the reference at the configured path the name of its content, if it does not have it. What is none is lost.

    Through the link too: somebody may have copied another reference over the file that it points to.
    """
    if not path.is_file():
        return
    with contextlib.suppress(FileExistsError, FileNotFoundError, DetectorError):  # another build may be doing the same
        os.link(path.resolve(), stored_path(path, Reference.decode(path.read_bytes()).digest))


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o444)  # who copies a file to the configured path must not write through the link
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _point(path: Path, target: Path) -> None:
    temporary = _temporary(path)
    try:
        temporary.symlink_to(target.name)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """A name that no other build takes; hidden, so that nobody looks for references there."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
