"""The word that was probably meant: for "did you mean" in errors."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word fewest slips away from `word` (ties: the first by name); "" when none is near.

    Near means at most one slip in three letters. Case, and ``-`` for ``_``, do not count.
    """
    plain = _plain(word)
    ranked = sorted((slips(plain, _plain(candidate)), candidate) for candidate in set(known))
    return ranked[0][1] if ranked and ranked[0][0] <= max(1, len(plain) // 3) else ""


def slips(a: str, b: str) -> int:
    """Letters added, dropped, changed, or swapped with their neighbour, to make `a` into `b`.

    Optimal string alignment. Source: Damerau, "A technique for computer detection and correction of spelling errors",
    Communications of the ACM 7(3), 1964.
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        two_before, before, row = before, row, [i]
        for j, y in enumerate(b, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _plain(word: str) -> str:
    return word[:64].casefold().replace("-", "_")
