"""What a reference can never tell is said when it is built, and by `check`, once a fact."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.config.load import parse
from monitor.config.schema import Model
from monitor.reference.build import BuiltReference, build_reference
from monitor.reference.limits import limits

HOUR_MS = 3_600_000


def model_of(**changes: Any) -> Model:
    section = {"name": "m", "reference": "m.ref", "windows": [{"size": "1h"}], **changes}
    return parse(msgspec.yaml.encode({"models": [section]}).decode()).models[0]


def built(tmp_path: Path, model: Model, columns: dict[str, Any]) -> BuiltReference:
    path = tmp_path / "reference.parquet"
    pq.write_table(pa.table(columns), path)
    return build_reference(model, path)


def numbers(n: int) -> Any:
    return np.random.default_rng(1).normal(size=n)


def times(n: int, hours: float) -> Any:
    return (1_700_000_000_000 // HOUR_MS * HOUR_MS + np.linspace(0, hours * HOUR_MS, n, endpoint=False)).astype(
        np.int64
    )


def test_what_has_too_few_rows_is_named_once(tmp_path: Path) -> None:
    model = model_of(segments=["site"])
    sites = ["big"] * 900 + ["small"] * 30 + ["tiny"] * 5
    reference = built(tmp_path, model, {"x": numbers(935), "site": sites}).reference
    said = limits(model, reference)
    assert said[0] == (
        "2 segments can never be scored, for the reference has fewer than 50 rows of them: site=small, site=tiny"
    )
    assert len(said) == 2, "and how windows are calibrated"


def test_many_segments_are_counted_and_not_all_named(tmp_path: Path) -> None:
    model = model_of(segments=["site"])
    sites = [f"site {number:02}" for number in range(40) for _ in range(20)]
    (said, _) = limits(model, built(tmp_path, model, {"x": numbers(800), "site": sites}).reference)
    assert said.startswith("40 segments can never be scored")
    assert said.endswith("site=site 09 and 30 more")


def test_a_reference_with_fewer_rows_than_asked_for_names_its_columns(tmp_path: Path) -> None:
    model = model_of()
    (said, _) = limits(model, built(tmp_path, model, {"x": numbers(40), "y": numbers(40)}).reference)
    assert said == "2 columns can never be scored, for the reference has fewer than 50 rows of them: x, y"


def test_without_times_rows_are_taken_as_independent(tmp_path: Path) -> None:
    model = model_of(mapping={"timestamp": "at"})
    (said,) = limits(model, built(tmp_path, model, {"x": numbers(500)}).reference)
    assert said.startswith("p-values take rows as independent")
    assert said.endswith("with the column 'at'")


def test_windows_that_the_reference_has_panes_of_are_told_from_longer_ones(tmp_path: Path) -> None:
    model = model_of(windows=[{"size": "1h"}, {"size": "1d", "every": "1h"}])
    reference = built(tmp_path, model, {"x": numbers(4_000), "timestamp": times(4_000, 40.0)}).reference
    own, longer = limits(model, reference)
    assert own == "windows of 1h are calibrated by the reference's 40 panes of 1h"
    assert longer == (
        "windows of 1d are longer than the reference can show: their p-values are extrapolated from its 52 panes of 45m"
    )


def test_windows_of_a_length_that_came_after_the_build_ask_for_another_build(tmp_path: Path) -> None:
    model = model_of()
    reference = built(tmp_path, model, {"x": numbers(4_000), "timestamp": times(4_000, 40.0)}).reference
    (said,) = limits(model_of(windows=[{"size": "2h"}]), reference)
    assert said == (
        "windows of 2h are calibrated by panes of 1h, which were cut for windows of another length; "
        "build the reference again"
    )


def test_a_method_that_came_after_the_build_asks_for_another_build(tmp_path: Path) -> None:
    model = model_of()
    reference = built(tmp_path, model, {"x": numbers(4_000), "timestamp": times(4_000, 40.0)}).reference
    asked = model_of(drift=[{"method": "ks"}, {"method": "tvd"}, {"method": "coverage"}])
    (_, said) = limits(asked, reference)
    assert said == (
        "the reference was built before the configuration named tvd, whose p-values take rows as independent; "
        "build it again"
    )
