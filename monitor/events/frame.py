"""The columns of one model as every decoder fills them: their rows, and the tables of codes."""

import numpy as np

from detectors.arrays import Codes, Floats
from detectors.columns import CODE_INVALID, CODE_NULL, NULL, Column
from monitor.events.json.texts import object_places
from monitor.events.lookup import ASK, CodeTable, column_table, dimension_codes, dimension_table, known_codes
from monitor.events.mapping import MODEL
from monitor.events.models import CLASS_SCORE, CLASSES, LABEL, SCORE, ModelSpec, Role


class Frame:
    """One model in one role, prepared for decoding.

    Attributes
    ----------
    spec, role
        what it was made for.
    numeric
        name to row of `Batch.numeric`, features only.
    categorical
        name to row of `Batch.codes`, features only.
    score
        row of `@score`, or None when the reference has none or the role is "features"; label: of `@label`.
    classes
        class to row of its `@score.<class>`; empty where the reference has no such columns, no `@score`, or the role
        is "features".
    model_path
        where events name their model; empty where it is known already.
    must_name
        whether an event that does not is no event of the model.
    times
        how timestamps are read.
    object_places
        where an object may arrive as text of JSON.
    bare_classes
        whether an integer in the place of the label's object is a class.
    reads_ids, with_ids
        whether events may have an id, which is text or an integer then, and whether its hash is wanted.
    feature_rows, prediction_rows
        rows of `Batch.numeric` and of `Batch.codes` that hold features, and that hold the prediction.
    columns
        the categorical columns, by row; known: their categories' codes.
    dimensions
        names; rest: each one's code of "(rest)".
    tables
        by row of the code matrix; see `n_codes`.
    n_codes
        rows of the code matrix a loop fills: categories, then segments as `segments` gives them, then
        segments as features give them, then the flat label.
    """

    def __init__(self, spec: ModelSpec, role: Role) -> None:
        layout = spec.layout
        numeric = {layout.columns[index].name: row for row, index in enumerate(layout.numeric)}
        categorical = {layout.columns[index].name: row for row, index in enumerate(layout.categorical)}
        score, label = numeric.pop(SCORE, None), categorical.pop(LABEL, None)
        by_class = {
            name.removeprefix(CLASS_SCORE): numeric.pop(name) for name in tuple(numeric) if name.startswith(CLASS_SCORE)
        }
        self.spec = spec
        self.role = role
        self.numeric = numeric
        self.categorical = categorical
        self.feature_rows = (list(numeric.values()), list(categorical.values()))
        self.prediction_rows = (
            [*([] if score is None else [score]), *by_class.values()],
            [] if label is None else [label],
        )
        self.score = score if role == "predictions" else None
        self.label = label if role == "predictions" else None
        self.classes = by_class if self.score is not None and spec.task != "regression" else {}
        self.bare_classes = self.label is not None and spec.task in CLASSES
        self.reads_ids = role == "predictions" or spec.feature_ids
        self.with_ids = spec.feature_ids if role == "features" else spec.with_ids
        self.columns: tuple[Column, ...] = tuple(layout.columns[index] for index in layout.categorical)
        self.known = tuple(map(known_codes, self.columns))
        self.dimensions = tuple(spec.dimensions)
        self.rest = tuple(len(values) for values in spec.dimensions.values())
        self.indices = tuple(map(dimension_codes, spec.dimensions.values()))
        self.n_numeric = len(layout.numeric)
        self.n_categorical = len(layout.categorical)
        self.reserved = spec.mapping.reserved
        self.model_path = spec.mapping.model_path
        self.must_name = self.model_path not in ((), (MODEL,))
        self.times = spec.mapping.times
        self.object_places = object_places(spec.mapping)
        dimension_tables = [dimension_table(values) for values in spec.dimensions.values()]
        tables: list[CodeTable] = [*map(column_table, self.columns), *dimension_tables, *dimension_tables]
        tables.append(CodeTable(codes={"": CODE_NULL}, null=CODE_NULL, invalid=CODE_INVALID, other=ASK))
        if self.label is not None:
            tables[-1] = tables[self.label]
        self.tables = tuple(tables)
        self.n_codes = len(tables)

    def named_segment(self, dimension: int) -> int:
        """The row of the code matrix for a dimension's value in `segments`."""
        return self.n_categorical + dimension

    def feature_segment(self, dimension: int) -> int:
        """The row of the code matrix for a dimension's value in the feature of its name."""
        return self.n_categorical + len(self.dimensions) + dimension

    @property
    def flat_label(self) -> int:
        """The row of the code matrix for a flat event's `label`."""
        return self.n_codes - 1

    @property
    def flat_score(self) -> int:
        """The row of the numeric matrix for a flat event's `score`."""
        return self.n_numeric

    @property
    def bare_score(self) -> int:
        """The row of the numeric matrix for a number in the place of the score's object."""
        return self.n_numeric + 1

    def blank(self, n: int) -> tuple[Floats, Codes]:
        """Numeric (n_numeric + 2, n) and codes (n_codes, n), all null."""
        return np.full((self.n_numeric + 2, n), NULL), np.full((self.n_codes, n), CODE_NULL, dtype=np.int32)
