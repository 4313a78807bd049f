"""Which classes are taken for which others, in the newest window that has labels."""

from typing import Final

import msgspec

from monitor.api.queries.sizes import IN_SPAN, SIZE
from monitor.api.queries.verdicts import Scope
from monitor.api.source import Source


def of_two_classes(where: str) -> str:
    """A statement that gives both kinds of error of two classes, of the newest window of which `where` is true, of
    those that are not provisional if there is any.

    Accuracy, precision and recall hold a matrix of two by two: of all rows, true positives are
    (1 - accuracy) / (1 / precision + 1 / recall - 2), and the other three cells follow from them.
    """
    said = "metric IN ('accuracy', 'precision', 'recall') AND NOT estimated AND isFinite(p.value)"
    return f"""
SELECT cells.1 AS truth, cells.2 AS said, cells.3 AS share, cells.4 AS of_all, toUInt64(round(cells.4 * rows)) AS n
FROM (
    SELECT anyIf(p.value, metric = 'accuracy') AS accuracy, anyIf(p.value, metric = 'precision') AS precision,
        anyIf(p.value, metric = 'recall') AS recall, anyIf(p.n, metric = 'accuracy') AS rows,
        (1 - accuracy) / (1 / precision + 1 / recall - 2) AS hits,
        hits * (1 / recall - 1) AS missed, hits * (1 / precision - 1) AS false_alarms
    FROM performance_latest AS p
    WHERE {where} AND {said}
        AND window_end = (SELECT argMax(window_end, (NOT provisional, window_end)) FROM performance AS p
            WHERE {where} AND {said})
    HAVING precision > 0 AND recall > 0 AND precision + recall < 2
)
ARRAY JOIN [
    ('positive', 'negative', 1 - recall, missed),
    ('negative', 'positive', false_alarms / (1 - hits / recall), false_alarms)
] AS cells
"""  # noqa: S608 - our own words


_OF: Final = (
    "model = {model:String} AND version = {version:String} AND " + SIZE + " = {size_s:Int64} AND " + IN_SPAN
    + " AND segment = {segment:String}"
)  # fmt: skip
_CONFUSION: Final = f"""
SELECT truth, said, share, of_all, n FROM
(
    SELECT column AS truth, cell AS said, share, contribution AS of_all, n_now AS n
    FROM performance_parts_latest WHERE {_OF} AND part = 'confusion' AND column != ''
        AND window_end = (SELECT max(window_end) FROM performance_parts WHERE {_OF} AND part = 'confusion')
    UNION ALL
    {of_two_classes(_OF)}
)
ORDER BY n DESC, truth, said LIMIT 20
"""  # noqa: S608


class Confused(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one class that were taken for another.

    Attributes
    ----------
    truth, said: both classes; of two, the one that the model looks for is `positive`.
    share, of_all: of the rows of the true class, and of all labelled ones, in [0, 1].
    n: how many.
    """

    truth: str
    said: str
    share: float
    of_all: float
    n: int


def confusion(source: Source, scope: Scope) -> list[Confused]:
    """The most frequent first, at most 20; nothing of numbers, and where no class is predicted."""
    return source.rows(_CONFUSION, Confused, scope.parameters())
