"""Older references beside the configured one are found by their digest; what cannot be read is passed over."""

from pathlib import Path

import pytest
from support.flow import make_reference

from detectors.reference import Reference
from monitor.errors import InputError
from monitor.reference.folder import ReferencesOfModel, load_reference
from monitor.reference.store import write_reference

OLD, NEW = make_reference(seed=1), make_reference(seed=2)


def other_model() -> Reference:
    return Reference(
        model="other",
        version=OLD.version,
        layout=OLD.layout,
        dimensions=OLD.dimensions,
        sketches=OLD.sketches,
        cell_means=OLD.cell_means,
    )


def test_the_configured_reference_is_the_current_one(tmp_path: Path) -> None:
    digest = write_reference(tmp_path / "m.ref", NEW)
    references = ReferencesOfModel("m", tmp_path / "m.ref")
    assert digest == NEW.digest == references.current.digest
    assert references[NEW.digest] is references.current
    assert (list(references), len(references)) == ([NEW.digest], 1)


def test_an_older_reference_beside_it_is_found_by_its_digest(tmp_path: Path) -> None:
    write_reference(tmp_path / "m.ref", NEW)
    write_reference(tmp_path / "m-last-year.ref", OLD)
    references = ReferencesOfModel("m", tmp_path / "m.ref")
    assert OLD.digest != NEW.digest
    assert references[OLD.digest].digest == OLD.digest
    assert references.current.digest == NEW.digest
    assert len(references) == 2


def test_a_reference_that_comes_later_is_found_when_it_is_asked_for_again(tmp_path: Path) -> None:
    write_reference(tmp_path / "m.ref", NEW)
    references = ReferencesOfModel("m", tmp_path / "m.ref")
    assert references.get(OLD.digest) is None
    write_reference(tmp_path / "old.ref", OLD)
    assert references[OLD.digest].digest == OLD.digest


def test_a_file_that_was_mended_is_read_again_and_one_that_was_not_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_reference(tmp_path / "m.ref", NEW)
    broken = tmp_path / "old.ref"
    broken.write_bytes(OLD.encode()[:-20])
    references = ReferencesOfModel("m", tmp_path / "m.ref")
    for _ in range(3):
        assert references.get(OLD.digest) is None
    assert capsys.readouterr().out.count("a reference file is passed over") == 1
    write_reference(broken, OLD)
    assert references[OLD.digest].digest == OLD.digest


@pytest.mark.parametrize("data", [b"", b"not a reference", OLD.encode()[:100]])
def test_an_unreadable_neighbour_is_passed_over(tmp_path: Path, data: bytes) -> None:
    write_reference(tmp_path / "m.ref", NEW)
    (tmp_path / "a.ref").write_bytes(data)
    write_reference(tmp_path / "b.ref", OLD)
    assert ReferencesOfModel("m", tmp_path / "m.ref")[OLD.digest].digest == OLD.digest


def test_a_file_whose_rights_were_mended_is_found(tmp_path: Path) -> None:
    write_reference(tmp_path / "m.ref", NEW)
    write_reference(tmp_path / "old.ref", OLD)
    references = ReferencesOfModel("m", tmp_path / "m.ref")
    with pytest.MonkeyPatch.context() as patched:  # root may read everything, so rights alone would refuse nothing
        patched.setattr(Path, "read_bytes", _refuse)
        assert references.get(OLD.digest) is None
    (tmp_path / "old.ref").chmod(0o600)
    assert references[OLD.digest].digest == OLD.digest


def _refuse(path: Path) -> bytes:
    raise PermissionError(13, "Permission denied", str(path))


def test_a_folder_named_like_a_reference_and_a_link_to_nowhere_are_passed_over(tmp_path: Path) -> None:
    write_reference(tmp_path / "m.ref", NEW)
    (tmp_path / "archive.ref").mkdir()
    (tmp_path / "gone.ref").symlink_to(tmp_path / "nowhere")
    write_reference(tmp_path / "old.ref", OLD)
    assert ReferencesOfModel("m", tmp_path / "m.ref")[OLD.digest].digest == OLD.digest


def test_the_reference_of_another_model_is_no_match_even_if_its_digest_is_asked_for(tmp_path: Path) -> None:
    write_reference(tmp_path / "m.ref", NEW)
    digest = write_reference(tmp_path / "other.ref", other_model())
    assert ReferencesOfModel("m", tmp_path / "m.ref").get(digest) is None


def test_a_configured_reference_of_another_model_is_refused(tmp_path: Path) -> None:
    write_reference(tmp_path / "m.ref", other_model())
    with pytest.raises(InputError, match=r"is the reference of model 'other', not of 'm'") as caught:
        ReferencesOfModel("m", tmp_path / "m.ref")
    assert caught.value.hint


def test_a_missing_reference_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file") as caught:
        load_reference(tmp_path / "m.ref")
    assert "driftline reference build" in caught.value.hint


@pytest.mark.parametrize("keep", [0, 1, 10, -1])
def test_a_truncated_reference_names_the_file_and_the_way_out(tmp_path: Path, keep: int) -> None:
    (tmp_path / "m.ref").write_bytes(OLD.encode()[:keep])
    with pytest.raises(InputError, match=r"m\.ref") as caught:
        load_reference(tmp_path / "m.ref")
    assert "driftline reference build" in caught.value.hint
