"""How the budget of false alarms is shared over what a model's verdicts are on. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from monitor.decisions.track import Cell, Track


class Weights:
    """The shares of cells: as much for each version, reference and kind of verdict, of that half for the whole's
    columns, half for those of segments.

    A kind that is still to come has its share from the start, so that when labels come changes nothing in what the
    events say.

    Parameters
    ----------
    kinds: of verdicts that the model has.
    """

    def __init__(self, tracks: Sequence[Track], kinds: int) -> None:
        versions = {track.shares_with[:2] for track in tracks}
        self._n_parts = len(versions) * max(kinds, len({track.shares_with[2] for track in tracks}))
        self._n: dict[tuple[str, str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
        for track in tracks:
            n_whole, n_segments = self._n[track.shares_with]
            self._n[track.shares_with] = n_whole + track.n_whole, n_segments + track.n_segments

    def of(self, cell: Cell, track: Track) -> float:
        """The share of a cell of a track; they never add up to more than 1."""
        n_whole, n_segments = self._n[track.shares_with]
        whole = 0.5 if n_segments else 1.0
        own = whole / max(n_whole, 1) if not cell.last.segment else 0.5 / max(n_segments, 1)
        return own / self._n_parts
