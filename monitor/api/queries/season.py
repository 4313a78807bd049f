"""What only the season explains: a column that differs from the whole reference, and not from the same season of it.

Where a window is compared with its season or with the weeks before, a column that drifted beside the pinned reference
alone has not changed. Pages, the JSON API and Grafana's dashboards tell it by what is here.
"""

from typing import Final

LIKE_SEASONS: Final = "(startsWith(compare, 'season') OR startsWith(compare, 'trailing'))"
ONLY_SEASON: Final = (
    "(countIf(drifted AND compare = 'pinned') > 0 AND countIf(drifted AND compare != 'pinned') = 0 "
    f"AND countIf({LIKE_SEASONS}) > 0)"
)
"""Of all verdicts on one column, segment and window, an aggregate."""


def drifted_columns(windows: str) -> str:
    """A statement: the columns that drifted, of all rows, with `only_season` and the largest `strength`.

    Its columns are model, version, window_start, window_end, column, strength and only_season.

    Parameters
    ----------
    windows: a condition on model, version, window_start and window_end. What it leaves out is not read.
    """
    return f"""
SELECT d.model AS model, d.version AS version, d.window_start AS window_start, d.window_end AS window_end,
    d.column AS column, d.strength AS strength, d.pinned_alone AND has(s.columns, d.column) AS only_season
FROM
(
    SELECT model, version, window_start, window_end, column, max(strength) AS strength,
        countIf(compare != 'pinned') = 0 AS pinned_alone
    FROM
    (
        SELECT model, version, window_start, window_end, toString(column) AS column, compare,
            argMax(w.drifted, w.revision) AS drifted,
            argMax(if(isNaN(w.strength), 0, w.strength), w.revision) AS strength
        FROM drifted_windows AS w WHERE {windows}
        GROUP BY model, version, window_start, window_end, column, compare, reference
    )
    WHERE drifted GROUP BY model, version, window_start, window_end, column
) AS d
LEFT JOIN
(
    SELECT model, version, window_start, window_end, groupArrayArray(columns) AS columns
    FROM season_windows WHERE {windows} GROUP BY model, version, window_start, window_end
) AS s USING (model, version, window_start, window_end)
"""  # noqa: S608 - our own words
