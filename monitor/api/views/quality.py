"""What of a column's values is no use, over time."""

from collections.abc import Sequence

from monitor.api.queries.profiles import Bucket


def outside(one: Bucket) -> int:
    """Values beyond the reference's range, or of categories that it has not seen."""
    if not one.counts:
        return 0
    return one.counts[-1] + (one.counts[0] if one.minimum is not None else 0)


def quality_lines(buckets: Sequence[Bucket]) -> list[tuple[str, list[tuple[int, float | None]]]]:
    """Shares in per cent: null, invalid, and outside the reference's range or categories."""

    def share(part: int, whole: int) -> float | None:
        return 100 * part / whole if whole else None

    rows = [(one, one.n + one.nulls + one.invalid) for one in buckets]
    beyond = [(one.start_ms, share(outside(one), one.n)) for one in buckets if one.counts]
    lines = [
        ("null", [(one.start_ms, share(one.nulls, total)) for one, total in rows]),
        ("invalid", [(one.start_ms, share(one.invalid, total)) for one, total in rows]),
        ("out of range" if any(one.minimum is not None for one in buckets) else "unseen", beyond),
    ]
    return [line for line in lines if line[0] == "null" or any(value for _, value in line[1])]
