"""One step of the join: from a message and the state to matches and changes of state. Pure.

Most rows are alike (a prediction that nothing is known of, a label of a prediction that has none): they are taken many
at once. All others go one by one through `monitor.join.joined`, which specifies both ways.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from detectors.arrays import Bools, Ints
from monitor.eventtime.watermark import advanced
from monitor.join.block import BadJoinMessage, JoinMessage, Labels, Predictions
from monitor.join.joined import Known, LabelIs, Prediction
from monitor.join.matches import Gathering, Matches
from monitor.join.records import CLASS, LABEL, times_ms
from monitor.join.rows import HEAD, HEADS, Catalog, stretch_in
from monitor.join.state import SEAL, STRETCHES, RowStore, Seal, Stretch, block_key, read_seal, write_seal
from monitor.join.state_block import StateBlock, split, split_ids

MAX_DROPPED: Final = 64
"""Blocks that one step lets expire: the rest follows with the next."""

MATCHED, REPEATED, CORRECTED, SUPERSEDED = "matched", "repeated", "corrected", "superseded"
DUPLICATE, EARLY, OVERDUE, TOO_LATE = "duplicate_prediction", "label_before_prediction", "label_overdue", "too_late"
EXPIRED, ORPHAN, UNKNOWN_MODEL = "expired", "orphan", "unknown_model"
COUNTS: Final = (
    MATCHED, REPEATED, CORRECTED, SUPERSEDED, DUPLICATE, EARLY, OVERDUE, TOO_LATE, EXPIRED, ORPHAN, UNKNOWN_MODEL
)  # fmt: skip
"""What became of predictions and labels, a closed set.

`matched`: ids with a match, less those that lost it. `repeated`: labels that say what a kept one says. `corrected`:
other labels that changed the match; `superseded`: that did not. `duplicate_prediction`: predictions of an id that has
one. `label_before_prediction`, `label_overdue`: labels outside [prediction, prediction + horizon]. `too_late`: what
came after its horizon had passed. `expired`: predictions that no label matched until then; `orphan`: ids of labels
that no prediction came for. `unknown_model`: of a model that has no labels here.
"""


class JoinModel(msgspec.Struct, frozen=True, kw_only=True):
    """How the labels of a model are joined."""

    name: str
    horizon_ms: int
    lateness_ms: int = 0
    label_is: LabelIs = "latest"

    @property
    def stretch_ms(self) -> int:
        """The length of a stretch."""
        return max(1, -(-self.horizon_ms // STRETCHES))


@dataclass(frozen=True, kw_only=True)
class JoinStep:
    """What a message leads to.

    Attributes
    ----------
    offset: the message's, in its partition of `drift.joins`.
    matches: to be counted. They follow from this message and what came before it: partition and offset name them, so
        that a repeat is recognised wherever they are sent.
    blocks: rows to write, with their lists; each one changelog message.
    expired: keys of the blocks that end: tombstones of the changelog.
    deletes: keys of rows and lists to remove, before `blocks` are written.
    seal: its new value.
    counts: by model and one of `COUNTS`.
    """

    offset: int
    matches: Sequence[Matches]
    blocks: Sequence[StateBlock]
    expired: Sequence[bytes]
    deletes: Sequence[bytes]
    seal: bytes
    counts: Counter[tuple[str, str]]

    def apply(self, rows: dict[bytes, bytes]) -> None:
        """Write into a dictionary that is the state."""
        for key in self.deletes:
            rows.pop(key, None)
        self._put(rows)

    def write(self, changes: dict[bytes, bytes]) -> None:
        """Write into a dictionary of changes, in which a key that is removed has empty bytes."""
        changes.update(dict.fromkeys(self.deletes, b""))
        self._put(changes)

    def _put(self, rows: dict[bytes, bytes]) -> None:
        for block in self.blocks:
            rows.update(zip(block.keys, block.values, strict=True))
            if block.n_new:
                rows[block.key] = block.listed
        rows[SEAL] = self.seal


class Joiner:
    """Joins labels with predictions, one message of a partition after the other."""

    def __init__(self, models: Iterable[JoinModel]) -> None:
        self._models = {model.name: model for model in models}

    def advance(self, state: RowStore, message: JoinMessage, offset: int) -> JoinStep | None:
        """Take in the message at an offset; None where the state has it already.

        Raises `NewerState`, or `BadJoinMessage` where the message contradicts itself; nothing has changed then.
        """
        seal = read_seal(state)
        if offset <= seal.absorbed:
            return None
        step = _Step(self._models, state, seal)
        # What is over by what was read before: so nothing that this message brings is written to what ends with it.
        expired, deletes = step.expire()
        for predictions in message.predictions:
            step.predictions(predictions)
        for labels in message.labels:
            step.labels(labels)
        blocks = step.blocks()
        seal.clocks = seal.clocks.advance(message.clocks, message.n_partitions)
        step.keep_time()
        seal.absorbed = offset
        for (model, what), n in step.counts.items():
            totals = seal.totals.setdefault(model, {})
            totals[what] = totals.get(what, 0) + n
        return JoinStep(
            offset=offset,
            matches=step.gathering.matches(seal.shapes, seal.versions, seal.classes),
            blocks=blocks,
            expired=expired,
            deletes=deletes,
            seal=write_seal(seal),
            counts=step.counts,
        )


class _Step:
    def __init__(self, models: dict[str, JoinModel], state: RowStore, seal: Seal) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.gathering = Gathering()
        self._models = models
        self._state = state
        self._seal = seal
        self._catalog = Catalog(seal)
        self._changed: dict[bytes, bytes] = {}
        self._gone: set[bytes] = set()
        self._parts: list[tuple[int, list[bytes], list[bytes], Ints, Bools]] = []

    # Predictions ------------------------------------------------------------------------------------------------------

    def predictions(self, block: Predictions) -> None:
        """Take in a block of predictions."""
        model = self._models.get(block.shape.model)
        if model is None:
            self.counts[block.shape.model, UNKNOWN_MODEL] += block.n
            return
        ids, records = _in_order(block.ids, block.records())
        codes = np.array([self._catalog.version(text) for text in block.versions], dtype=np.uint16)
        if records.size and int(records["version"].max()) >= codes.size:
            raise BadJoinMessage("a prediction of a version that the block does not name")
        records["version"] = codes[records["version"]] if records.size else 0
        of_model = _OfModel(self, model)
        stretch_ms = of_model.stretch_ms
        shape = self._catalog.shape(block.shape)
        times = times_ms(records)
        live = of_model.live(times // stretch_ms)
        keys = split_ids(ids)
        if not live.all():
            of_model.count(TOO_LATE, int((~live).sum()))
            records, times, keys = records[live], times[live], _some(keys, live)
        if not keys:
            return
        current, lengths, alone = self._look(keys)
        stretches = times // stretch_ms
        matrix = np.concatenate([_heads(stretches, shape + 1), _bytes_of(records)], axis=1)
        fresh = alone & (lengths == 0)
        if fresh.any():
            of_model.write(_some(keys, fresh), matrix[fresh], stretches[fresh], new=True)
            of_model.tally("unlabelled", stretches[fresh], 1)
        # With one label that came first: its row is as long as no prediction's, for that has the label's time as well.
        one = HEAD.size + LABEL.itemsize
        waits = alone & (lengths == one)
        if waits.any():
            rows = _matrix(current, waits, one)
            heads = _view(rows[:, : HEAD.size], HEADS)
            mine = (heads["shape"] == 0) & of_model.live(heads["stretch"].astype(np.int64))
            waits[np.flatnonzero(waits)[~mine]] = False
            rows, before = rows[mine], heads["stretch"][mine].astype(np.int64)
        if waits.any():
            after = np.maximum(before, stretches[waits])
            joined = np.concatenate(
                [_heads(after, shape + 1), matrix[waits][:, HEAD.size :], rows[:, HEAD.size :]], axis=1
            )
            of_model.meet_waiting(
                shape, _some(keys, waits), joined, records[waits], _view(rows[:, HEAD.size :], LABEL), before, after
            )
        for row in np.flatnonzero(~(fresh | waits)).tolist():
            record = matrix[row, HEAD.size :].tobytes()
            of_model.one(keys[row], current[row], prediction=self._catalog.prediction(shape, record))
        of_model.flush()

    # Labels -----------------------------------------------------------------------------------------------------------

    def labels(self, block: Labels) -> None:
        """Take in a block of labels."""
        model = self._models.get(block.model)
        if model is None:
            self.counts[block.model, UNKNOWN_MODEL] += block.n
            return
        ids, records = _in_order(block.ids, block.records())
        keys = split_ids(ids)
        if not keys:
            return
        classes = records["kind"] == CLASS
        if classes.any():
            codes = np.array([self._catalog.label_class(text) for text in block.classes], dtype=np.uint64)
            own = records["label"][classes]
            if int(own.max()) >= codes.size:
                raise BadJoinMessage("a label of a class that the block does not name")
            records["label"][classes] = codes[own]
        of_model = _OfModel(self, model)
        stretch_ms = of_model.stretch_ms
        current, lengths, alone = self._look(keys)
        times = times_ms(records)
        stretches = times // stretch_ms
        fresh = alone & (lengths == 0)
        late = fresh & ~of_model.live(stretches)
        of_model.count(TOO_LATE, int(late.sum()))
        done = fresh.copy()
        fresh &= ~late
        if fresh.any():
            rows = np.concatenate([_heads(stretches[fresh], 0), _bytes_of(records[fresh])], axis=1)
            of_model.write(_some(keys, fresh), rows, stretches[fresh], new=True)
            of_model.tally("waiting", stretches[fresh], 1)
        for shape, width in enumerate(self._catalog.widths):
            length = HEAD.size + width
            again = alone & (lengths == length + LABEL.itemsize)
            if again.any():
                done |= self._again(of_model, shape, again, _matrix(current, again, length + LABEL.itemsize), records)
            waits = alone & (lengths == length)
            if not waits.any():
                continue
            rows = _matrix(current, waits, length)
            heads = _view(rows[:, : HEAD.size], HEADS)
            mine = heads["shape"] == shape + 1
            waits[np.flatnonzero(waits)[~mine]] = False
            done |= waits
            # Over, but not yet dropped.
            there = of_model.live(heads["stretch"].astype(np.int64))
            of_model.count(TOO_LATE, int((mine & ~there).sum()))
            waits[np.flatnonzero(waits)[~there[mine]]] = False
            if not waits.any():
                continue
            rows, number = rows[mine & there], heads["stretch"][mine & there].astype(np.int64)
            own = records[waits]
            of_model.meet_pending(
                shape, _some(keys, waits), np.concatenate([rows, _bytes_of(own)], axis=1),
                _view(rows[:, HEAD.size :], self._seal.shapes[shape].dtype), own, number,
            )  # fmt: skip
        for row in np.flatnonzero(~done).tolist():
            of_model.one(keys[row], current[row], label=records[row : row + 1].tobytes())
        of_model.flush()

    def _again(self, of_model: "_OfModel", shape: int, again: Bools, rows: Any, records: Any) -> Bools:
        """(n,) which labels of those `again` are the very one that their prediction has: they change nothing."""
        heads = _view(rows[:, : HEAD.size], HEADS)
        predictions = _view(rows[:, HEAD.size : -LABEL.itemsize], self._seal.shapes[shape].dtype)
        same = (rows[:, -LABEL.itemsize :] == _bytes_of(records[again])).all(axis=1) & (heads["shape"] == shape + 1)
        after_ms = times_ms(records[again]) - times_ms(predictions)
        same &= (after_ms >= 0) & (after_ms <= of_model.horizon_ms) & of_model.live(heads["stretch"].astype(np.int64))
        of_model.count(REPEATED, int(same.sum()))
        found = again.copy()
        found[np.flatnonzero(again)[~same]] = False
        return found

    # State ------------------------------------------------------------------------------------------------------------

    def _look(self, keys: list[bytes]) -> tuple[list[bytes], Ints, Bools]:
        """The rows of these ids, their lengths, and whether each id is there once only."""
        current = list(self._state.get_many(keys))
        if self._gone:
            current = [b"" if key in self._gone else row for key, row in zip(keys, current, strict=True)]
        if self._changed:
            changed = self._changed
            current = [changed.get(key, row) for key, row in zip(keys, current, strict=True)]
        lengths = np.fromiter(map(len, current), dtype=np.int64, count=len(keys))
        alone = np.ones(len(keys), dtype=np.bool_)
        if len(set(keys)) < len(keys):
            often = {key for key, n in Counter(keys).items() if n > 1}
            alone = np.fromiter((key not in often for key in keys), dtype=np.bool_, count=len(keys))
        return current, lengths, alone

    def newest(self, key: bytes, row: bytes) -> bytes:
        """The row of an id that was looked at, as it is now."""
        return self._changed.get(key, row)

    def change(self, key: bytes, row: bytes) -> None:
        """Note one new row; `changed` follows for many of them."""
        self._changed[key] = row

    def changed(self, model: int, keys: list[bytes], rows: list[bytes], stretches: Ints, new: Bools) -> None:
        """Note new rows."""
        self._changed.update(zip(keys, rows, strict=True))
        self._parts.append((model, keys, rows, stretches, new))

    def blocks(self) -> list[StateBlock]:
        """The changes by model and stretch; of an id that changed twice, the last row."""
        blocks = []
        n_rows = sum(len(part[1]) for part in self._parts)
        for model in sorted({part[0] for part in self._parts}):
            parts = [part for part in self._parts if part[0] == model]
            keys = [key for part in parts for key in part[1]]
            rows = [row for part in parts for row in part[2]]
            stretches = np.concatenate([part[3] for part in parts])
            new = np.concatenate([part[4] for part in parts])
            if len(self._changed) < n_rows:
                last = {key: place for place, key in enumerate(keys)}
                came = {key for key, is_new in zip(keys, new.tolist(), strict=True) if is_new}
                places = np.array(sorted(last.values()), dtype=np.int64)
                keys, rows = [keys[i] for i in places.tolist()], [rows[i] for i in places.tolist()]
                stretches = stretches[places]
                new = np.fromiter((key in came for key in keys), dtype=np.bool_, count=len(keys))
            for number in np.unique(stretches).tolist():
                mine = stretches == number
                order = np.concatenate([np.flatnonzero(mine & new), np.flatnonzero(mine & ~new)]).tolist()
                stretch = self.stretch(model, number)
                blocks.append(
                    StateBlock(
                        key=block_key(model, number, stretch.n_blocks),
                        ids=b"".join([keys[i] for i in order]),
                        n_new=int((mine & new).sum()),
                        values=[rows[i] for i in order],
                    )
                )
                stretch.n_blocks += 1
        return blocks

    def stretch(self, model: int, number: int) -> Stretch:
        """What is known of a stretch."""
        return self._seal.stretches.setdefault(model, {}).setdefault(number, Stretch())

    def code(self, model: JoinModel) -> int:
        """The code of a model."""
        return self._catalog.model(model.name)

    def stretch_ms(self, code: int, model: JoinModel) -> int:
        """The length of a model's stretches: fixed when it is first seen, whatever becomes of its horizon."""
        return self._seal.stretch_ms.setdefault(code, model.stretch_ms)

    def watermark_ms(self, model: int) -> int | None:
        """How far the model's time is complete."""
        return self._seal.watermarks_ms.get(model)

    @property
    def catalog(self) -> Catalog:
        """What the codes stand for."""
        return self._catalog

    def emit(self, known: Known, model: JoinModel, sign: int) -> None:
        """Emit the match of one id, if it has one."""
        label = known.match(model.horizon_ms)
        if label is not None and known.prediction is not None:
            self.gathering.add_one(
                known.prediction.shape, known.prediction.record, self._catalog.label_record(label), sign
            )

    # Expiry -----------------------------------------------------------------------------------------------------------

    def keep_time(self) -> None:
        """Let the models' time go on as the clocks say."""
        low_ms = self._seal.clocks.low_ms()
        for code, name in enumerate(self._seal.models):
            model = self._models.get(name)
            if model is not None:
                watermark_ms = advanced(self._seal.watermarks_ms.get(code), low_ms, model.lateness_ms)
                if watermark_ms is not None:
                    self._seal.watermarks_ms[code] = watermark_ms

    def expire(self) -> tuple[list[bytes], list[bytes]]:
        """The blocks that are over, and the keys to delete."""
        expired: list[bytes] = []
        deletes: list[bytes] = []
        for code, name in enumerate(self._seal.models):
            model, watermark_ms = self._models.get(name), self._seal.watermarks_ms.get(code)
            if model is None or watermark_ms is None:
                continue
            stretches = self._seal.stretches.get(code, {})
            for number in sorted(stretches):
                if (
                    not is_over(number, self.stretch_ms(code, model), model, watermark_ms)
                    or len(expired) >= MAX_DROPPED
                ):
                    break
                self._drop(code, model, number, expired, deletes)
        self._gone = set(deletes)
        return expired, deletes

    def _drop(self, code: int, model: JoinModel, number: int, expired: list[bytes], deletes: list[bytes]) -> None:
        stretch = self.stretch(code, number)
        until = min(stretch.n_blocks, stretch.n_dropped + MAX_DROPPED - len(expired))
        lists = [block_key(code, number, block) for block in range(stretch.n_dropped, until)]
        keys = [key for listed in self._state.get_many(lists) for key in split_ids(listed)]
        if stretch.n_left:
            rows = zip(keys, self._state.get_many(keys), strict=True)
            keys = [key for key, row in rows if row and stretch_in(row) <= number]
        deletes += [*keys, *lists]
        expired += lists
        stretch.n_dropped = until
        if until == stretch.n_blocks:
            self.counts[model.name, EXPIRED] += stretch.unlabelled
            self.counts[model.name, ORPHAN] += stretch.waiting
            del self._seal.stretches[code][number]


class _OfModel:
    """A step, as far as one model goes."""

    def __init__(self, step: _Step, model: JoinModel) -> None:
        self._step = step
        self._model = model
        self._code = step.code(model)
        self.stretch_ms = step.stretch_ms(self._code, model)
        self._watermark_ms = step.watermark_ms(self._code)
        self.horizon_ms = model.horizon_ms
        self._singles: list[tuple[bytes, bytes, int, bool]] = []

    def live(self, stretches: Ints) -> Bools:
        """(n,) whether each stretch is not over."""
        if self._watermark_ms is None:
            return np.ones(stretches.shape, dtype=np.bool_)
        over: Bools = is_over(stretches, self.stretch_ms, self._model, self._watermark_ms)
        return ~over

    def count(self, what: str, n: int) -> None:
        """Count what became of some."""
        if n:
            self._step.counts[self._model.name, what] += n

    def tally(self, what: str, stretches: Ints, n: int) -> None:
        """Add to what is known of stretches."""
        for number, times in zip(*(found.tolist() for found in np.unique(stretches, return_counts=True)), strict=True):
            stretch = self._step.stretch(self._code, number)
            setattr(stretch, what, getattr(stretch, what) + n * times)

    def write(self, keys: list[bytes], matrix: Any, stretches: Ints, *, new: bool) -> None:
        """Note rows of one length, (n, length) uint8."""
        rows = split(np.ascontiguousarray(matrix).tobytes(), matrix.shape[1])
        self._step.changed(self._code, keys, rows, stretches, np.full(len(keys), new))

    def meet_pending(
        self, shape: int, keys: list[bytes], matrix: Any, predictions: Any, labels: Any, stretches: Ints
    ) -> None:
        """Labels of predictions that have none; (n,) the stretches of their rows."""
        meets = self._meet(shape, predictions, labels)
        self.tally("unlabelled", stretches[meets], -1)
        self.write(keys, matrix, stretches, new=False)

    def meet_waiting(
        self, shape: int, keys: list[bytes], matrix: Any, predictions: Any, labels: Any, before: Ints, after: Ints
    ) -> None:
        """Predictions of ids with one label; (n,) the stretches of their rows before and after."""
        meets = self._meet(shape, predictions, labels)
        self.tally("waiting", before, -1)
        self.tally("n_left", before[before < after], 1)
        self.tally("unlabelled", after[~meets], 1)
        rows = split(np.ascontiguousarray(matrix).tobytes(), matrix.shape[1])
        self._step.changed(self._code, keys, rows, after, before < after)

    def _meet(self, shape: int, predictions: Any, labels: Any) -> Bools:
        """Emit matches and count; (n,) which are some."""
        after_ms = times_ms(labels) - times_ms(predictions)
        early, overdue = after_ms < 0, after_ms > self._model.horizon_ms
        meets: Bools = ~(early | overdue)
        self.count(EARLY, int(early.sum()))
        self.count(OVERDUE, int(overdue.sum()))
        self.count(MATCHED, int(meets.sum()))
        self._step.gathering.add(shape, predictions[meets], labels[meets], 1)
        return meets

    def flush(self) -> None:
        """Note what was done one by one."""
        if self._singles:
            keys, rows, stretches, new = (list(column) for column in zip(*self._singles, strict=True))
            self._step.changed(self._code, keys, rows, np.array(stretches), np.array(new, dtype=np.bool_))
            self._singles = []

    def _is_live(self, stretch: int) -> bool:
        return self._watermark_ms is None or not is_over(stretch, self.stretch_ms, self._model, self._watermark_ms)

    def _add(self, what: str, number: int, n: int) -> None:
        stretch = self._step.stretch(self._code, number)
        setattr(stretch, what, getattr(stretch, what) + n)

    def one(self, key: bytes, row: bytes, *, prediction: Prediction | None = None, label: bytes | None = None) -> None:
        """One prediction, or the record of one label; `row` is what is known of it, but for what this block brought."""
        model, catalog = self._model, self._step.catalog
        row = self._step.newest(key, row)
        before = after = catalog.known(row)
        if row:
            stretch = stretch_in(row)
            if not self._is_live(stretch):  # over, but not yet dropped
                if label is not None and before.prediction is not None:
                    self.count(TOO_LATE, 1)
                    return
                self._add("n_left", stretch, 1)
                row, before, after = b"", Known(), Known()
        if prediction is not None:
            after = before.with_prediction(prediction)
            self.count(DUPLICATE, int(before.prediction is not None))
        said = None if label is None else catalog.label(label)
        if said is not None:
            after = before.with_label(said, model.label_is)
        if not row and not self._is_live(after.anchor_ms() // self.stretch_ms):
            self.count(TOO_LATE, 1)
            return
        old, new = before.match(model.horizon_ms), after.match(model.horizon_ms)
        self.count(MATCHED, int(new is not None) - int(old is not None))
        if said is not None:
            self._count_label(before, said, changes=new != old)
        elif before.prediction is None:
            for one in after.labels:
                self._count_outside(after, one.time_ms)
        if after == before:
            return
        if (old, before.prediction) != (new, after.prediction):
            self._step.emit(before, model, -1)
            self._step.emit(after, model, 1)
        self._move(key, row, before, after)

    def _count_label(self, before: Known, label: Any, *, changes: bool) -> None:
        if self._count_outside(before, label.time_ms):
            return
        if any(label.said == kept.said for kept in before.labels):
            self.count(REPEATED, 1)
        elif before.labels:
            self.count(CORRECTED if changes and before.match(self._model.horizon_ms) else SUPERSEDED, 1)

    def _count_outside(self, known: Known, label_ms: int) -> bool:
        """Count a label that lies outside its prediction's horizon."""
        if known.prediction is None:
            return False
        after_ms = label_ms - known.prediction.time_ms
        self.count(EARLY, int(after_ms < 0))
        self.count(OVERDUE, int(after_ms > self._model.horizon_ms))
        return not 0 <= after_ms <= self._model.horizon_ms

    def _move(self, key: bytes, row: bytes, before: Known, after: Known) -> None:
        """Note the new row of an id, and to which stretch it belongs."""
        number = after.anchor_ms() // self.stretch_ms
        came = True
        if row:
            left = stretch_in(row)
            number = max(number, left)
            came = left != number
            self._tally_state(before, left, -1)
            if came:
                self._add("n_left", left, 1)
        self._tally_state(after, number, 1)
        new = self._step.catalog.row(after, number)
        self._step.change(key, new)
        self._singles.append((key, new, number, came))

    def _tally_state(self, known: Known, number: int, n: int) -> None:
        if known.prediction is None:
            self._add("waiting", number, n)
        elif known.match(self._model.horizon_ms) is None:
            self._add("unlabelled", number, n)


def is_over(stretch: Any, stretch_ms: int, model: JoinModel, watermark_ms: int) -> Any:
    """Whether no label can come any more to what lies in a stretch, or in each of (n,)."""
    return (stretch + 1) * stretch_ms + model.horizon_ms <= watermark_ms


def _bytes_of(records: Any) -> Any:
    """(n, width) uint8."""
    return np.ascontiguousarray(records).view(np.uint8).reshape(records.size, records.dtype.itemsize)


def _in_order(ids: bytes, records: Any) -> tuple[bytes, Any]:
    """Sorted as a database sorts them, by their first bytes: so it reads and writes a quarter faster."""
    words = np.frombuffer(ids, dtype=">u8").reshape(-1, 2)
    order = np.argsort(words[:, 0].astype(np.uint64))
    width = records.dtype.itemsize
    matrix = records.view(np.uint8).reshape(records.size, width)[order]
    return words[order].tobytes(), matrix.reshape(-1).view(records.dtype)


def _heads(stretches: Ints, shape: int) -> Any:
    """(n, HEAD.size) uint8."""
    heads = np.empty(stretches.size, dtype=HEADS)
    heads["stretch"], heads["shape"] = stretches, shape
    return _bytes_of(heads)


def _view(matrix: Any, dtype: Any) -> Any:
    """(n,) records of (n, width) uint8."""
    return np.ascontiguousarray(matrix).reshape(-1).view(dtype)


def _matrix(rows: list[bytes], where: Bools, length: int) -> Any:
    """(n, length) uint8 of rows of one length."""
    return np.frombuffer(b"".join(_some(rows, where)), dtype=np.uint8).reshape(-1, length)


def _some(items: list[bytes], where: Bools) -> list[bytes]:
    if where.all():
        return items
    return [items[place] for place in np.flatnonzero(where).tolist()]
