"""One step of the join: from a message and the state to matches and changes of state. Pure.

Most rows are alike (a prediction that nothing is known of, a label of a prediction that has none): they are taken many
at once. All others go one by one through `monitor.join.joined`, which specifies both ways.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from detectors.arrays import Bools, Ints
from monitor.eventtime.watermark import advanced
from monitor.join.block import BadJoinMessage, Features, JoinMessage, Labels, Predictions
from monitor.join.feature_share import FeatureShare, features_name
from monitor.join.joined import Known
from monitor.join.matches import Gathering
from monitor.join.matrices import bytes_of, chosen, heads_of, in_order, matrix_of, records_in
from monitor.join.model_share import ModelShare
from monitor.join.outcomes import EXPIRED, OF_FEATURES, ORPHAN, REPEATED, TOO_LATE, UNKNOWN_MODEL
from monitor.join.pairs import Pairing
from monitor.join.records import CLASS, LABEL, times_ms
from monitor.join.rows import HEAD, HEADS, Catalog, stretch_in
from monitor.join.state import RowStore, Seal, Stretch, block_key, read_seal, write_seal
from monitor.join.state_block import StateBlock, split_ids
from monitor.join.step import JoinModel, JoinStep, is_over

MAX_DROPPED: Final = 64
"""Blocks that one step lets expire: the rest follows with the next."""


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
        step = Step(self._models, state, seal)
        # What is over by what was read before: so nothing that this message brings is written to what ends with it.
        expired, deletes = step.expire()
        for predictions in message.predictions:
            step.predictions(predictions)
        for labels in message.labels:
            step.labels(labels)
        for features in message.features:
            step.features(features)
        blocks = step.blocks()
        before_ms = seal.clocks.low_ms()
        seal.clocks = seal.clocks.advance(message.clocks, message.n_partitions)
        step.keep_time()
        seal.absorbed = offset
        counts = self._told(step.counts)
        for (model, what), n in counts.items():
            totals = seal.totals.setdefault(model, {})
            totals[what] = totals.get(what, 0) + n
        return JoinStep(
            offset=offset,
            matches=step.gathering.matches(seal.shapes, seal.versions, seal.classes),
            pairs=step.pairing.pairs(seal.feature_shapes, seal.versions),
            blocks=blocks,
            expired=expired,
            deletes=deletes,
            seal=write_seal(seal),
            counts=counts,
            before_ms=before_ms,
            after_ms=seal.clocks.low_ms(),
        )

    def _told(self, counts: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
        """The counts under the models' own names."""
        told: Counter[tuple[str, str]] = Counter()
        for (name, what), n in counts.items():
            model = self._models.get(name)
            of_features = model is not None and model.features_of
            told[(model.features_of, OF_FEATURES[what]) if model is not None and of_features else (name, what)] += n
        return told


class Step:
    """One message being taken in: the changes of state that it has led to so far."""

    def __init__(self, models: dict[str, JoinModel], state: RowStore, seal: Seal) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.gathering = Gathering()
        self.pairing = Pairing()
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
        ids, records = in_order(block.ids, block.records())
        codes = np.array([self._catalog.version(text) for text in block.versions], dtype=np.uint16)
        if records.size and int(records["version"].max()) >= codes.size:
            raise BadJoinMessage("a prediction of a version that the block does not name")
        records["version"] = codes[records["version"]] if records.size else 0
        of_model = ModelShare(self, model)
        stretch_ms = of_model.stretch_ms
        shape = self._catalog.shape(block.shape)
        times = times_ms(records)
        live = of_model.live(times // stretch_ms)
        keys = split_ids(ids)
        if not live.all():
            of_model.count(TOO_LATE, int((~live).sum()))
            records, times, keys = records[live], times[live], chosen(keys, live)
        if not keys:
            return
        current, lengths, alone = self.look(keys)
        stretches = times // stretch_ms
        matrix = np.concatenate([heads_of(stretches, shape + 1), bytes_of(records)], axis=1)
        fresh = alone & (lengths == 0)
        if fresh.any():
            of_model.write(chosen(keys, fresh), matrix[fresh], stretches[fresh], new=True)
            of_model.tally("unlabelled", stretches[fresh], 1)
        # With one label that came first: its row is as long as no prediction's, for that has the label's time as well.
        one = HEAD.size + LABEL.itemsize
        waits = alone & (lengths == one)
        if waits.any():
            rows = matrix_of(current, waits, one)
            heads = records_in(rows[:, : HEAD.size], HEADS)
            mine = (heads["shape"] == 0) & of_model.live(heads["stretch"].astype(np.int64))
            waits[np.flatnonzero(waits)[~mine]] = False
            rows, before = rows[mine], heads["stretch"][mine].astype(np.int64)
        if waits.any():
            after = np.maximum(before, stretches[waits])
            joined = np.concatenate(
                [heads_of(after, shape + 1), matrix[waits][:, HEAD.size :], rows[:, HEAD.size :]], axis=1
            )
            of_model.meet_waiting(
                shape,
                chosen(keys, waits),
                joined,
                records[waits],
                records_in(rows[:, HEAD.size :], LABEL),
                before,
                after,
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
        ids, records = in_order(block.ids, block.records())
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
        of_model = ModelShare(self, model)
        stretch_ms = of_model.stretch_ms
        current, lengths, alone = self.look(keys)
        times = times_ms(records)
        stretches = times // stretch_ms
        fresh = alone & (lengths == 0)
        late = fresh & ~of_model.live(stretches)
        of_model.count(TOO_LATE, int(late.sum()))
        done = fresh.copy()
        fresh &= ~late
        if fresh.any():
            rows = np.concatenate([heads_of(stretches[fresh], 0), bytes_of(records[fresh])], axis=1)
            of_model.write(chosen(keys, fresh), rows, stretches[fresh], new=True)
            of_model.tally("waiting", stretches[fresh], 1)
        for shape, width in enumerate(self._catalog.widths):
            length = HEAD.size + width
            again = alone & (lengths == length + LABEL.itemsize)
            if again.any():
                done |= self._again(of_model, shape, again, matrix_of(current, again, length + LABEL.itemsize), records)
            waits = alone & (lengths == length)
            if not waits.any():
                continue
            rows = matrix_of(current, waits, length)
            heads = records_in(rows[:, : HEAD.size], HEADS)
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
                shape, chosen(keys, waits), np.concatenate([rows, bytes_of(own)], axis=1),
                records_in(rows[:, HEAD.size :], self._seal.shapes[shape].dtype), own, number,
            )  # fmt: skip
        for row in np.flatnonzero(~done).tolist():
            of_model.one(keys[row], current[row], label=records[row : row + 1].tobytes())
        of_model.flush()

    def _again(self, of_model: ModelShare, shape: int, again: Bools, rows: Any, records: Any) -> Bools:
        """(n,) which labels of those `again` are the very one that their prediction has: they change nothing."""
        heads = records_in(rows[:, : HEAD.size], HEADS)
        predictions = records_in(rows[:, HEAD.size : -LABEL.itemsize], self._seal.shapes[shape].dtype)
        same = (rows[:, -LABEL.itemsize :] == bytes_of(records[again])).all(axis=1) & (heads["shape"] == shape + 1)
        after_ms = times_ms(records[again]) - times_ms(predictions)
        same &= (after_ms >= 0) & (after_ms <= of_model.horizon_ms) & of_model.live(heads["stretch"].astype(np.int64))
        of_model.count(REPEATED, int(same.sum()))
        found = again.copy()
        found[np.flatnonzero(again)[~same]] = False
        return found

    # Features ---------------------------------------------------------------------------------------------------------

    def features(self, block: Features) -> None:
        """Take in a block of features."""
        model = self._models.get(features_name(block.shape.model))
        if model is None:
            self.counts[block.shape.model, UNKNOWN_MODEL] += block.n
            return
        FeatureShare(self, model).take(block)

    # State ------------------------------------------------------------------------------------------------------------

    def look(self, keys: list[bytes]) -> tuple[list[bytes], Ints, Bools]:
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

    def emit(self, known: Known, model: JoinModel, sign: int, *, until_ms: int = 0) -> None:
        """Emit the match of one id, if it has one. It holds from its label's time on, or is taken back as of
        `until_ms`."""
        label = known.match(model.horizon_ms)
        if label is not None and known.prediction is not None:
            self.gathering.add_one(
                known.prediction.shape,
                known.prediction.record,
                self._catalog.label_record(label),
                sign,
                max(label.time_ms, until_ms),
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
