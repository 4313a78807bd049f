"""Around the compiled scan: which program an event is scanned by, and what Python adds to the columns it filled."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from detectors.arrays import Bools, Codes, Floats, Ints
from detectors.columns import ABSENT, CODE_NULL, NULL
from monitor.events.frame import Frame
from monitor.events.identity import hash_of, hash_texts
from monitor.events.json import named, scan
from monitor.events.json.forgiving import parse
from monitor.events.json.gathered import Gathered
from monitor.events.json.program import HAS_FEATURES, HAS_NAME, HAS_PREDICTION, Program, programs_of
from monitor.events.lookup import ASK, CodeTable, PackedTables
from monitor.events.mapping import MODEL
from monitor.events.parts import Part, fill_segments, segment_code, set_absent, set_code
from monitor.events.values import Category, category, clean, most_probable, number, of_classes

MAX_VERSIONS: Final = 16
"""Distinct versions told apart by the compiled loop; events of further ones take longer."""
MAX_ASKS: Final = 1 << 20
"""Values that Python looks at in one scan, 32 bytes each; events that bring more are left."""


class Scanner:
    """The compiled path of one role, for all models. Not for several threads at once: it learns the events' key order.

    Parameters
    ----------
    frames
        by model name.
    """

    def __init__(self, frames: Mapping[str, Frame]) -> None:
        self._programs = {name: programs_of(frame) for name, frame in frames.items()}
        self._names = tuple(frames)
        self._elsewhere = any(frame.model_path != (MODEL,) for frame in frames.values())
        codes = {name: code for code, name in enumerate(self._names)}
        self._models = PackedTables(
            CodeTable(codes=table, null=-1, invalid=-1, other=-1) for table in ({MODEL: 0}, codes)
        )

    def take(self, raws: Sequence[bytes | None], longest: int) -> tuple[list[tuple[str, Part]], Ints]:
        """Scan some events; none that is None or has more than `longest` bytes.

        Returns
        -------
        Parts by model, their positions indices into `raws`; and the indices of the events that were left.
        """
        gathered = Gathered(raws, longest)
        left = np.ones(len(raws), dtype=np.bool_)
        unicode = np.arange(len(raws))
        if not gathered.is_ascii.all():
            others = np.flatnonzero(~gathered.is_ascii).tolist()
            unicode = np.delete(unicode, [row for row in others if not _is_utf8(raws[row] or b"")])
        parts = []
        for name, rows in self._by_model(gathered, unicode):
            shapes, todo = self._programs[name], rows
            for program in tuple(shapes):
                if not todo.size:
                    break
                part, status = _scan(program, gathered, todo)
                taken = status == scan.TAKEN
                if taken.any():
                    parts.append((name, part if taken.all() else part.take(np.flatnonzero(taken))))
                    left[todo[taken]] = False
                    if 2 * np.count_nonzero(taken) > rows.size:  # the shape of most events goes first next time
                        shapes.insert(0, shapes.pop(shapes.index(program)))
                todo = todo[status == scan.OTHER_SHAPE]
        return parts, np.flatnonzero(left)

    def _by_model(self, gathered: Gathered, rows: Ints) -> list[tuple[str, Ints]]:
        if len(self._names) == 1:
            return [(self._names[0], rows)]
        if self._elsewhere:
            return []
        found = np.empty(rows.size, dtype=np.int64)
        known = self._models
        starts = gathered.starts[rows]
        named.models(gathered.data, starts, known.info, known.slots, known.entries, known.words, found)
        return [(name, rows[found == code]) for code, name in enumerate(self._names) if (found == code).any()]


def _scan(program: Program, gathered: Gathered, positions: Ints) -> tuple[Part, Any]:
    """The columns of all these events, and the status of each: those of events that were not taken mean nothing."""
    frame, n = program.frame, positions.size
    numeric, codes = frame.blank(n)
    times = np.zeros(n, dtype=np.int64)
    versions, identities = np.zeros((2, n, 2), dtype=np.uint64)
    probabilities = np.zeros((n, 4), dtype=np.uint64)
    asks = np.empty((min(n * (frame.n_codes + frame.n_numeric), MAX_ASKS), 4), dtype=np.uint64)
    said, status = np.zeros((2, n), dtype=np.int8)
    keys, tables = program.keys, program.tables
    n_asks = scan.scan(
        gathered.data, gathered.starts[positions], gathered.ends[positions],
        program.entries, program.needed, program.predictions, program.owners, program.guesses, program.clock,
        keys.info, keys.slots, keys.entries, keys.words, tables.info, tables.slots, tables.entries, tables.words,
        numeric, codes, times, versions, identities, probabilities, asks, said, status,
    )  # fmt: skip
    if frame.must_name:
        status[(status == scan.TAKEN) & (said & HAS_NAME == 0)] = scan.LEFT
    texts, version_codes = _versions(gathered, versions)
    part = Part(
        positions=positions,
        timestamps_ms=times,
        numeric=numeric[: frame.n_numeric],
        codes=codes[: frame.n_categorical],
        segments=np.empty((len(frame.dimensions), n), dtype=np.int32),
        versions=texts,
        version_codes=version_codes,
    )
    flat_label: dict[int, Category] = {}
    by_class: tuple[dict[int, Any], dict[int, Any]] = ({}, {})
    # Of a key that is given twice the last value counts: whoever is answered first is not asked again.
    for row, event, begin, end in reversed(asks[:n_asks].tolist()):
        if status[event] != scan.TAKEN:
            continue
        if row >= frame.n_codes:
            if numeric[row - frame.n_codes, event] == ABSENT:
                found = parse(gathered.text(begin, end))
                if isinstance(found, dict) and frame.spec.task != "regression":  # in the place of the score
                    by_class[row - frame.n_codes != frame.score][event] = found
                    numeric[row - frame.n_codes, event] = NULL
                else:
                    numeric[row - frame.n_codes, event] = number(found)
        elif codes[row, event] == ASK:
            value = category(parse(gathered.text(begin, end)))
            if row < frame.n_categorical:
                set_code(frame, part, row, event, value)
            elif row < frame.flat_label:
                dimension = (row - frame.n_categorical) % len(frame.dimensions)
                codes[row, event] = segment_code(frame, dimension, value)
            else:
                flat_label.setdefault(event, value)
    objects: dict[int, Any] = {}
    if frame.score is not None:
        score = part.numeric[frame.score]
        objects = _objects(score, *by_class)
        for other in (frame.flat_score, frame.bare_score):
            np.copyto(score, numeric[other], where=np.isnan(score))
        score[list(objects)] = NULL
    if frame.label is not None:
        _flat_label(frame, part, codes[frame.flat_label], flat_label)
    _probabilities(frame, part, gathered, probabilities, objects, status == scan.TAKEN)
    fill_segments(frame, part, codes)
    set_absent(frame, part.numeric, part.codes, said & HAS_FEATURES > 0, said & HAS_PREDICTION > 0)
    part.unseen = {column: sorted(pairs) for column, pairs in part.unseen.items()}
    if frame.with_ids:
        part.ids = _ids(frame, gathered, identities, status == scan.TAKEN)
    return part, status


def _ids(frame: Frame, gathered: Gathered, places: Any, taken: Bools) -> Any:
    """The hashes of the ids. Texts with an escape, which keep their quotes, are read by Python."""
    places[~taken] = 0
    found = hash_texts(gathered.data, places, frame.spec.name)
    for row in np.flatnonzero((places[:, 1] > 0) & (gathered.data[places[:, 0]] == ord('"'))).tolist():
        begin, end = places[row].tolist()
        if end > begin:  # else it is the quote after an empty text
            found[row] = hash_of(frame.spec.name, clean(str(parse(gathered.text(begin, end)))))
    return found


def _versions(gathered: Gathered, places: Any) -> tuple[tuple[str, ...], Codes]:
    """The distinct versions, and each event's among them."""
    codes = np.empty(len(places), dtype=np.int32)
    firsts = np.zeros(MAX_VERSIONS, dtype=np.int64)
    n = named.distinct(gathered.data, places, codes, firsts)
    texts = [gathered.text(begin, end).decode(errors="replace") for begin, end in places[firsts[:n]].tolist()]
    if (codes == ASK).any():
        every = [gathered.text(begin, end).decode(errors="replace") for begin, end in places.tolist()]
        texts = list(dict.fromkeys(every))
        index = {one: code for code, one in enumerate(texts)}
        codes = np.fromiter(map(index.__getitem__, every), dtype=np.int32, count=len(every))
    return tuple(texts), codes


def _flat_label(frame: Frame, part: Part, flat: Codes, asked: Mapping[int, Category]) -> None:
    """A flat event's own `label`, where its prediction gave none."""
    label = frame.label
    assert label is not None
    own = part.codes[label]
    for row in np.flatnonzero((own == CODE_NULL) & (flat != CODE_NULL)).tolist():
        if row in asked:
            set_code(frame, part, label, row, asked[row])
        elif flat[row] != ASK:
            own[row] = flat[row]


def _objects(score: Floats, own: Mapping[int, Any], flat: Mapping[int, Any]) -> dict[int, Any]:
    """The objects in the place of the score, by event: its own, else a flat event's where its own is null."""
    return {**{event: found for event, found in flat.items() if np.isnan(score[event])}, **own}


def _probabilities(
    frame: Frame, part: Part, gathered: Gathered, places: Any, objects: Mapping[int, Any], taken: Bools
) -> None:
    """Each class's own; and the largest stands in for an absent score, its class for an absent label.

    `places` (n, 4): where they lie, and those at the top of a flat event; `objects`: in the place of the score.
    """
    there = (places[:, 1] > 0) | (places[:, 3] > 0)
    there[list(objects)] = True
    if not there.any():
        return
    no_score = np.zeros_like(taken) if frame.score is None else np.isnan(part.numeric[frame.score])
    no_label = np.zeros_like(taken) if frame.label is None else part.codes[frame.label] == CODE_NULL
    wanted = taken & there
    if not frame.classes:
        wanted &= no_score | no_label
    rows, values = np.array(list(frame.classes.values()), dtype=np.int64), list[list[float]]()
    events = np.flatnonzero(wanted)
    for event in events.tolist():
        found = objects.get(event)
        if found is None:
            own, end, flat, flat_end = places[event].tolist()
            found = parse(gathered.text(own, end) if end else gathered.text(flat, flat_end))
        if rows.size:
            values.append(of_classes(found, frame.classes))
        if no_score[event] or no_label[event]:
            score, label = most_probable(found)
            if frame.score is not None and no_score[event]:
                part.numeric[frame.score, event] = score
            if frame.label is not None and no_label[event]:
                set_code(frame, part, frame.label, event, label)
    if values:
        part.numeric[np.ix_(rows, events)] = np.array(values).T


def _is_utf8(raw: bytes) -> bool:
    """Whether all of it is text."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
