"""The coarse cells that travel with predictions are those of the reference's performance space."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.flow import Event, make_batch, make_reference

from detectors.columns import ABSENT, INVALID, NULL
from detectors.grid import locate
from detectors.performance.build import coarse_cells_of
from detectors.performance.model_space import space_of
from monitor.join.coarse import CoarseColumns
from monitor.join.records import cells_of

REFERENCE = make_reference()
NUMBERS = st.floats(-4.0, 4.0) | st.sampled_from([NULL, INVALID, ABSENT, *REFERENCE.layout.columns[0].edges[::9]])


@given(st.lists(st.tuples(NUMBERS, st.integers(-3, 4)), min_size=1, max_size=40))
def test_a_predictions_cells_are_those_of_the_space_in_its_order(rows: list[tuple[float, int]]) -> None:
    batch = make_batch([Event(0, value, 0, 0) for value, _ in rows], REFERENCE)
    codes = np.array([[code for _, code in rows]], dtype=np.int32)
    columns = CoarseColumns(REFERENCE)
    space = space_of(REFERENCE, "binary")
    assert space is not None
    assert columns.parts == space.parts
    found = cells_of(columns.packed(dataclasses.replace(batch, codes=codes)).T, len(columns.names))
    values = batch.numeric[0]
    own = np.where(np.isfinite(values), locate(REFERENCE.layout.column_edges(0), values), -1)
    assert found[:, 0].tolist() == coarse_cells_of(space.parts[0], own).tolist()
    assert found[:, 1].tolist() == coarse_cells_of(space.parts[1], codes[0].astype(np.int64)).tolist()
