"""Nothing that a build writes takes another reference away, and the configured path always reads."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.flow import make_reference

from detectors.reference import Reference
from monitor.reference.folder import ReferencesOfModel, load_reference
from monitor.reference.store import stored_path, write_reference

OLD, NEW = make_reference(seed=1), make_reference(seed=2)


def relabelled(reference: Reference, version: str) -> Reference:
    return Reference(
        model=reference.model, version=version, layout=reference.layout, dimensions=reference.dimensions,
        sketches=reference.sketches, cell_means=reference.cell_means,
    )  # fmt: skip


def test_a_build_over_the_configured_path_keeps_what_windows_still_need(tmp_path: Path) -> None:
    path = tmp_path / "m.ref"
    write_reference(path, OLD)
    running = ReferencesOfModel("m", path)
    write_reference(path, NEW)
    assert running[NEW.digest].digest == NEW.digest, "a worker that runs finds the new one"
    started = ReferencesOfModel("m", path)
    assert started.current.digest == NEW.digest
    assert started[OLD.digest].digest == OLD.digest
    assert str(path.readlink()) == stored_path(path, NEW.digest).name, "relative: the folder may be moved"


def test_going_back_to_an_older_reference_is_a_build_like_any_other(tmp_path: Path) -> None:
    for reference in (OLD, NEW, OLD):
        write_reference(tmp_path / "m.ref", reference)
    assert load_reference(tmp_path / "m.ref").digest == OLD.digest
    assert len(list(tmp_path.glob("m.*.ref"))) == 2


def test_a_plain_file_from_before_is_kept_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "m.ref"
    path.write_bytes(OLD.encode())
    assert ReferencesOfModel("m", path).current.digest == OLD.digest
    write_reference(path, NEW)
    assert ReferencesOfModel("m", path)[OLD.digest].digest == OLD.digest


def test_a_reference_that_was_copied_through_the_link_is_kept_too(tmp_path: Path) -> None:
    path, newest = tmp_path / "m.ref", make_reference(seed=3)
    write_reference(path, OLD)
    stored = stored_path(path, OLD.digest)
    assert stat.S_IMODE(stored.stat().st_mode) == 0o444
    stored.chmod(0o644)
    path.write_bytes(NEW.encode())
    write_reference(path, newest)
    assert ReferencesOfModel("m", path)[NEW.digest].digest == NEW.digest


def test_another_version_label_of_the_same_content_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.ref"
    write_reference(path, OLD)
    digest = write_reference(path, relabelled(OLD, "2"))
    assert (digest, load_reference(path).version) == (OLD.digest, "2")


def test_builds_at_once_leave_every_reference_and_one_current(tmp_path: Path) -> None:
    path = tmp_path / "m.ref"
    path.write_bytes(OLD.encode())
    several = [make_reference(seed=seed, n=100) for seed in range(3, 9)]
    with ThreadPoolExecutor(6) as pool:
        digests = set(pool.map(lambda reference: write_reference(path, reference), several * 3))
    kept = ReferencesOfModel("m", path)
    assert kept.current.digest in digests
    assert {kept[digest].digest for digest in digests} == digests == {one.digest for one in several}
    assert kept[OLD.digest].digest == OLD.digest
    assert len(list(tmp_path.iterdir())) == 1 + 6 + 1, "nothing else is left behind"
