"""A step's share of one model's features: what was served meets what was computed again, in any order.

The state of an id is the earliest event of each side, by time, then by content: the same for any order of arrival,
and so is the pair. A row is its stretch, the codes of its sides' shapes plus one (0: none), then the sides' records. It
expires as rows of labels do (`monitor.join.state`), by the horizon of features; an id of a served event alone is
counted where an unlabelled prediction is, one of a recomputed event alone where waiting labels are.
"""

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from detectors.arrays import Bools, Ints
from monitor.join.block import BadJoinMessage, Features
from monitor.join.feature_records import KEY
from monitor.join.matrices import bytes_of, chosen, in_order, matrix_of, records_in
from monitor.join.model_share import ModelShare
from monitor.join.outcomes import DUPLICATE, MATCHED, OVERDUE, TOO_LATE
from monitor.join.records import times_ms
from monitor.join.rows import stretch_in, time_of
from monitor.join.state_block import split, split_ids
from monitor.join.step import JoinModel

if TYPE_CHECKING:
    from monitor.join.joiner import Step

_HEAD: Final = struct.Struct("<IHH")
_HEADS: Final = np.dtype([("stretch", "<u4"), ("shapes", "<u2", (2,))])
_VERSION_AT: Final = slice(6, 8)
SERVED, RECOMPUTED = 0, 1


def features_name(model: str) -> str:
    """Under what name the state keeps a model's features beside its labels."""
    return f"{model}\0features"


class Side(NamedTuple):
    """An event's features. Of several of one id and side the least counts: the earliest, then by content.

    `record` holds the version's code, which differs between partitions: its text decides before it does.
    """

    time_ms: int
    version: str
    reference: str
    columns: tuple[tuple[str, ...], tuple[str, ...]]
    content: bytes
    shape: int
    record: bytes


Sides = tuple[Side | None, Side | None]
"""What is known of an id: as served, as recomputed."""


class FeatureShare(ModelShare):
    """A step, as far as one model's features go."""

    def __init__(self, step: "Step", model: JoinModel) -> None:
        super().__init__(step, model)
        self._catalog = step.catalog

    def take(self, block: Features) -> None:
        """Take in a block of one side."""
        catalog = self._catalog
        words = np.frombuffer(block.ids, dtype=np.uint64)
        ids, records = in_order((words.reshape(-1, 2) ^ KEY).tobytes(), block.records())
        codes = np.array([catalog.version(text) for text in block.versions], dtype=np.uint16)
        if not records.size:
            return
        if int(records["version"].max()) >= codes.size:
            raise BadJoinMessage("features of a version that the block does not name")
        records["version"] = codes[records["version"]]
        side, shape = int(block.recomputed), catalog.feature_shape(block.shape)
        keys = split_ids(ids)
        current, lengths, alone = self._step.look(keys)
        stretches = times_ms(records) // self.stretch_ms
        done = alone & (lengths == 0)
        late = done & ~self.live(stretches)
        self.count(TOO_LATE, int(late.sum()))
        fresh = done & ~late
        if fresh.any():
            matrix = np.concatenate([_heads(stretches[fresh], side, shape), bytes_of(records[fresh])], axis=1)
            self.write(chosen(keys, fresh), matrix, stretches[fresh], new=True)
            self.tally("unlabelled" if side == SERVED else "waiting", stretches[fresh], 1)
        known = alone & (lengths > 0)
        for length in np.unique(lengths[known]).tolist():
            places = np.flatnonzero(known & (lengths == length))
            rows = matrix_of(current, known & (lengths == length), length)
            done[self._meet_rows(side, shape, keys, places, rows, records, stretches)] = True
        for row in np.flatnonzero(~done).tolist():
            self.one_side(keys[row], current[row], side, self._side(shape, records[row : row + 1].tobytes()))
        self.flush()

    def _meet_rows(
        self, side: int, shape: int, keys: list[bytes], places: Ints, rows: Any, records: Any, stretches: Ints
    ) -> Ints:
        """Meet rows of one length that have the other side alone; which of the places these are."""
        heads = records_in(rows[:, : _HEAD.size], _HEADS)
        own, other = heads["shapes"][:, side], heads["shapes"][:, 1 - side]
        meets: Bools = (own == 0) & (other > 0) & self.live(heads["stretch"].astype(np.int64))
        for code in np.unique(other[meets]).tolist():
            mine = meets & (other == code)
            at = places[mine]
            others = records_in(rows[mine, _HEAD.size :], self._catalog.feature_shape_of(code - 1).dtype)
            mates = records[at]
            served, recomputed = (mates, others) if side == SERVED else (others, mates)
            before = heads["stretch"][mine].astype(np.int64)
            after = np.maximum(before, stretches[at]) if side == SERVED else before
            within: Bools = np.abs(times_ms(served) - times_ms(recomputed)) <= self.horizon_ms
            shapes = (shape, code - 1) if side == SERVED else (code - 1, shape)
            self._step.pairing.add(shapes, served[within], recomputed[within], 1)
            self.count(MATCHED, int(within.sum()))
            self.count(OVERDUE, int((~within).sum()))
            self.tally("waiting" if side == SERVED else "unlabelled", before, -1)
            self.tally("unlabelled", after[~within], 1)
            self.tally("n_left", before[before < after], 1)
            head = _heads(after, SERVED, shapes[SERVED], shapes[RECOMPUTED])
            matrix = np.concatenate([head, bytes_of(served), bytes_of(recomputed)], axis=1)
            new_rows = split(np.ascontiguousarray(matrix).tobytes(), matrix.shape[1])
            self._step.changed(self._code, [keys[i] for i in at.tolist()], new_rows, after, before < after)
        return places[meets]

    # One by one: the specification of what is done with many at once --------------------------------------------------

    def one_side(self, key: bytes, row: bytes, side: int, said: Side) -> None:
        """One event; `row` is what is known of its id, but for what this block brought."""
        row = self._step.newest(key, row)
        if row and not self._is_live(stretch_in(row)):  # over, but not yet dropped
            self._add("n_left", stretch_in(row), 1)
            row = b""
        if not row and not self._is_live(said.time_ms // self.stretch_ms):
            self.count(TOO_LATE, 1)
            return
        before = self._sides(row)
        kept = before[side]
        self.count(DUPLICATE, int(kept is not None))
        if kept is not None and kept[:5] <= said[:5]:
            return
        after: Sides = (said, before[RECOMPUTED]) if side == SERVED else (before[SERVED], said)
        self.count(MATCHED, int(self._pairs(after)) - int(self._pairs(before)))
        self.count(OVERDUE, int(None not in after and not self._pairs(after)))
        self._emit(before, -1)
        self._emit(after, 1)
        first = after[SERVED] or after[RECOMPUTED]
        assert first is not None
        number, came = first.time_ms // self.stretch_ms, True
        if row:
            left = stretch_in(row)
            number = max(number, left)
            came = left != number
            self._tally_sides(before, left, -1)
            if came:
                self._add("n_left", left, 1)
        self._tally_sides(after, number, 1)
        new = _HEAD.pack(number, *(0 if one is None else one.shape + 1 for one in after))
        new += b"".join(one.record for one in after if one is not None)
        self._step.change(key, new)
        self._singles.append((key, new, number, came))

    def _pairs(self, sides: Sides) -> bool:
        served, recomputed = sides
        if served is None or recomputed is None:
            return False
        return abs(served.time_ms - recomputed.time_ms) <= self.horizon_ms

    def _emit(self, sides: Sides, sign: int) -> None:
        served, recomputed = sides
        if served is None or recomputed is None or not self._pairs(sides):
            return
        records = [
            np.frombuffer(one.record, dtype=self._catalog.feature_shape_of(one.shape).dtype)
            for one in (served, recomputed)
        ]
        self._step.pairing.add((served.shape, recomputed.shape), records[SERVED], records[RECOMPUTED], sign)

    def _tally_sides(self, sides: Sides, number: int, n: int) -> None:
        if sides[SERVED] is None:
            self._add("waiting", number, n)
        elif not self._pairs(sides):
            self._add("unlabelled", number, n)

    def _side(self, shape: int, record: bytes) -> Side:
        own = self._catalog.feature_shape_of(shape)
        version = self._catalog.version_text(int.from_bytes(record[_VERSION_AT], "little"))
        columns = (own.numeric, own.categorical)
        return Side(time_of(record), version, own.reference, columns, record[_VERSION_AT.stop :], shape, record)

    def _sides(self, row: bytes) -> Sides:
        if not row:
            return (None, None)
        _, *codes = _HEAD.unpack_from(row)
        at, found = _HEAD.size, []
        for code in codes:
            end = at + (self._catalog.feature_shape_of(code - 1).dtype.itemsize if code else 0)
            found.append(self._side(code - 1, row[at:end]) if code else None)
            at = end
        return (found[SERVED], found[RECOMPUTED])


def _heads(stretches: Ints, side: int, shape: int, other: int | None = None) -> Any:
    """(n, _HEAD.size) uint8, of rows of one side, or of both."""
    heads = np.zeros(stretches.size, dtype=_HEADS)
    heads["stretch"] = stretches
    heads["shapes"][:, side] = shape + 1
    if other is not None:
        heads["shapes"][:, 1 - side] = other + 1
    return bytes_of(heads)
