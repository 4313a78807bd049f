"""`driftline calibrate` over a file, and the shifts that it injects."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from support.events import encoded, model_section
from support.flow import make_batch, make_reference

from detectors.reference import WHOLE
from monitor.cli.app import run
from monitor.replay.shifts import Shift, known_shifts, shifted


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrate")
    section = model_section(folder, windows=[{"size": "1d"}])
    (folder / "driftline.yaml").write_bytes(msgspec.yaml.encode({"models": [section], "metrics": {"listen": "off"}}))
    (folder / "quiet.jsonl").write_bytes(b"\n".join(encoded(3_000, 5, 24.0 * 40)))
    return folder


def test_a_quiet_period_keeps_its_budget_and_says_what_would_be_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["calibrate", str(folder / "driftline.yaml"), "--data", str(folder / "quiet.jsonl"), "--months", "15"]
    assert run([*arguments, "--json"]) == 0
    found = msgspec.json.decode(capsys.readouterr().out)
    assert found["as_is"] == found["corrected"]
    assert (found["block"], found["n_blocks"]) == ("week", 6)
    large = next(one for name, one in found["shifts"].items() if name.endswith("+ 1 sd"))
    assert large["n_found"] == large["n"]
    assert max(large["windows"]) <= 5


def test_data_that_drifts_again_and_again_are_told_to_be_compared_with_their_season(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "drifts.jsonl").write_bytes(b"\n".join(encoded(3_000, 5, 24.0 * 40, shift=3.0)))
    arguments = ["calibrate", str(folder / "driftline.yaml"), "--data", str(folder / "drifts.jsonl"), "--months", "15"]
    assert run(arguments) == 0
    assert "season: hour_of_week" in capsys.readouterr().out.splitlines()[-1]


def test_too_little_data_is_an_error_that_says_how_much_is_wanted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "short.jsonl").write_bytes(b"\n".join(encoded(1_000, 5, 24.0 * 3)))
    assert run(["calibrate", str(folder / "driftline.yaml"), "--data", str(folder / "short.jsonl")]) == 2
    assert "four windows" in capsys.readouterr().err


def test_a_shift_changes_its_column_in_its_rows_and_nothing_else() -> None:
    from support.flow import Event

    reference = make_reference()
    rng = np.random.default_rng(3)
    events = [
        Event(time_ms=n, value=float(rng.normal()), color=int(rng.integers(0, 4)), site=int(rng.integers(0, 3)))
        for n in range(4_000)
    ]
    batch = make_batch(events, reference)
    before = (batch.numeric.copy(), batch.codes.copy())
    shifts = {one.said: one for one in known_shifts(reference, {})}
    deviation = float(reference.sketches[WHOLE].std[0])

    def after(said: str) -> tuple[np.ndarray, np.ndarray]:
        own = shifted(batch, reference.layout, shifts[said], reference.dimensions, rng)
        return own.numeric[0], own.codes[0]

    values, codes = after("mean of value + 0.5 sd")
    assert np.allclose(values - before[0][0], 0.5 * deviation)
    assert np.array_equal(codes, before[1][0])
    values, codes = after("5 % of value null")
    assert 0.03 < np.isnan(values).mean() < 0.07
    assert np.array_equal(codes, before[1][0])
    (alone,) = [said for said in shifts if said.endswith("1 sd in site=north alone") or "1 sd in site=south" in said]
    values, _ = after(alone)
    segment = shifts[alone].segment
    assert segment is not None
    own = batch.segments[0] == reference.dimensions["site"].index(segment[1])
    assert np.allclose((values - before[0][0])[own], deviation)
    assert np.array_equal(values[~own], before[0][0][~own])
    (doubled,) = [one for one in shifts.values() if one.kind == "category"]
    assert isinstance(doubled, Shift)
    values, codes = after(doubled.said)
    place = reference.layout.columns[1].categories.index(doubled.category)
    spoken = before[1][0] >= 0
    assert 1.7 < (codes == place)[spoken].mean() / (before[1][0] == place)[spoken].mean() < 2.3
    assert np.array_equal(codes[~spoken], before[1][0][~spoken])
    assert np.array_equal(batch.numeric, before[0], equal_nan=True), "the batch itself stays"
    assert np.array_equal(batch.codes, before[1])
