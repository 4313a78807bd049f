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


def drifted_windows(windows: str) -> str:
    """A statement: windows of all rows in which columns drifted; of each such column how far, and if it is the season.

    Its columns are model, version, window_start, window_end and `seen`, an array of (column, largest strength, whether
    only the season) in the order of names.

    Parameters
    ----------
    windows: a condition on model, version, window_start and window_end. What it leaves out is not read.
    """
    # Columns of a window travel as arrays, and those with a season as hashes, so that hardly a text is copied: of 200
    # models with 100 columns each that is a third of the processor's time. FINAL reads last revisions as they lie.
    return f"""
SELECT model, version, window_start, window_end,
    arrayIntersect(arrayMap(name -> cityHash64(name), d.alone), s.hashes) AS only,
    arrayMap((name, most) -> (name, most, has(only, cityHash64(name))), d.strongest.1, d.strongest.2) AS seen
FROM
(
    SELECT model, version, window_start, window_end, maxMap([toString(column)], [known]) AS strongest,
        groupUniqArrayIf(toString(column), compare != 'pinned') AS beside,
        arrayFilter(name -> NOT has(beside, name), strongest.1) AS alone
    FROM
    (
        SELECT model, version, window_start, window_end, column, compare, drifted,
            if(isNaN(strength), 0, strength) AS known
        FROM drifted_windows FINAL WHERE {windows}
    )
    WHERE drifted GROUP BY model, version, window_start, window_end
) AS d
LEFT JOIN
(
    SELECT model, version, window_start, window_end, groupArrayArray(hashes) AS hashes
    FROM season_windows WHERE {windows} GROUP BY model, version, window_start, window_end
) AS s USING (model, version, window_start, window_end)
"""  # noqa: S608 - our own words


def drifted_columns(windows: str) -> str:
    """As `drifted_windows`, a row a column: model, version, window_start, window_end, column, strength, only_season."""
    return f"""
SELECT model, version, window_start, window_end, one.1 AS column, one.2 AS strength, one.3 AS only_season
FROM ({drifted_windows(windows)}) ARRAY JOIN seen AS one
"""  # noqa: S608 - our own words
