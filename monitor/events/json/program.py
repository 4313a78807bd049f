"""What the compiled scan looks for in the events of one model and shape: keys, level by level, and what to do there.

Two shapes: with the features in an object, or flat. Where names have dots, each of these once more, for features that
lie in objects inside (`inner`) and not under a key that has the dots itself. Each takes bare predictions (a number or a
text in the place of the object) as well. What no program can say (a mapping whose paths cross) is left to the forgiving
path.
"""

from typing import Any, Final

import msgspec
import numpy as np

from monitor.events.frame import Frame
from monitor.events.inner import MAX_DEPTH
from monitor.events.json.guesses import no_guesses
from monitor.events.json.instant import clock_of
from monitor.events.lookup import CodeTable, PackedTables, is_unicode
from monitor.events.mapping import SEGMENTS, path

IGNORE: Final = 0
NUMERIC: Final = 1
CODE: Final = 2
TIME: Final = 3
VERSION: Final = 4
IDENTITY: Final = 5
NAME: Final = 6
PROBABILITIES: Final = 7
FEATURES: Final = 8
LEAVE: Final = 9
"""Actions; `FEATURES` is where an object says that the event is not flat, `LEAVE` one that may be a feature's path."""

NODE, CHILD, ACTION, ROW, SECOND, BARE_NUMBER, BARE_TEXT, ONCE, SAYS, BARE_CLASS = range(10)
"""Columns of `Program.entries`."""

OTHER: Final = -2
"""In the place of the object that a key may hold: one makes the event of another shape."""

HAS_FEATURES: Final = 1
HAS_PREDICTION: Final = 2
HAS_NAME: Final = 4
"""Bits of what an event speaks of."""

_MAX_OBJECTS: Final = 62  # a bit each
_UNKNOWN: Final = -1

Path = tuple[str, ...]


class Program:
    """A program in the flat arrays that the scan reads.

    Attributes
    ----------
    frame
        the model's columns.
    entries
        (n_entries, 10) int64, a key of an object each: the object it is in, the object it may hold (-1; `OTHER`), its
        action and rows (-1: none), the rows of a bare number and a bare text in the object's place, the object's own
        bit, and what an event with this key speaks of; with the key of an object, if it has another value than an
        object or null; whether a bare integer there is a class.
    keys
        a table an object; the code of a key is its entry.
    tables
        those of `frame.tables` by row, then one that holds the model's name.
    owners
        (n_objects,) int64: the entry that each object is the value of; -1 for the event itself.
    guesses
        of what follows each entry's value, then of what begins each object; the scan writes it. See `guesses`.
    clock
        how times are read; see `instant`.
    needed
        the bits of objects without which an event is of the other shape.
    predictions
        the bits of objects with which an event speaks of its prediction.
    """

    def __init__(
        self, frame: Frame, objects: "list[_Object]", needed: int, predictions: int, tables: list[CodeTable]
    ) -> None:
        self.frame = frame
        self.needed = needed
        self.predictions = predictions
        rows: list[tuple[int, ...]] = []
        keys: list[CodeTable] = []
        for position, one in enumerate(objects):
            names = {name: entry for name, entry in one.items() if _is_plain(name)}
            codes = {name: len(rows) + place for place, name in enumerate(names)}
            keys.append(CodeTable(codes=codes, null=_UNKNOWN, invalid=_UNKNOWN, other=_UNKNOWN))
            rows += [(position, *entry.fields()) for entry in names.values()]
        self.entries: Any = np.array(rows, dtype=np.int64).reshape(-1, 10)
        self.keys = PackedTables(keys)
        self.tables = PackedTables(tables)
        self.owners: Any = np.full(len(objects), -1, dtype=np.int64)
        for entry, row in enumerate(rows):
            if row[CHILD] > 0:
                self.owners[row[CHILD]] = entry
        self.guesses = no_guesses(len(rows) + len(objects))
        self.clock = clock_of(frame.times)


class _Entry(msgspec.Struct):
    action: int = IGNORE
    row: int = -1
    second: int = -1
    child: int = -1
    bare_number: int = -1
    bare_text: int = -1
    says: int = 0
    bare_class: bool = False

    def fields(self) -> tuple[int, ...]:
        return (
            self.child, self.action, self.row, self.second, self.bare_number, self.bare_text, self.once, self.says,
            self.bare_class,
        )  # fmt: skip

    @property
    def once(self) -> int:
        return 1 << (self.child - 1) if self.child > 0 else 0


_Object = dict[str, _Entry]


class _Conflict(Exception):  # noqa: N818 - never leaves this module
    """Two things of the mapping lie in one place."""


class _Builder:
    def __init__(self) -> None:
        self.objects: list[_Object] = [{}]

    def put(self, keys: Path, action: int, row: int = -1, second: int = -1, says: int = 0) -> None:
        above = self.objects[self.branch(keys[:-1])]
        if keys[-1] in above:
            raise _Conflict
        above[keys[-1]] = _Entry(action=action, row=row, second=second, says=says)

    def branch(self, keys: Path) -> int:
        """The number of the object at a path."""
        at = 0
        for key in keys:
            entry = self.objects[at].setdefault(key, _Entry())
            if entry.action != IGNORE:
                raise _Conflict
            if entry.child < 0:
                entry.child = len(self.objects)
                self.objects.append({})
            at = entry.child
        return at

    def leave(self, keys: Path) -> None:
        """Leave events that have this key."""
        if self.objects[self.branch(keys[:-1])].setdefault(keys[-1], _Entry(action=LEAVE)).action != LEAVE:
            raise _Conflict

    def open(self, keys: Path) -> None:
        """Let an object at a path be of another shape. After all others: none of them may lie in it."""
        entry = self.objects[self.branch(keys[:-1])].setdefault(keys[-1], _Entry())
        if entry.child >= 0:
            raise _Conflict
        entry.child = OTHER

    def above(self, keys: Path) -> _Entry | None:
        """The entry of the object that a path ends in; None at the top."""
        if len(keys) < 2:
            return None
        self.branch(keys[:-1])
        return self.objects[self.branch(keys[:-2])][keys[-2]]


def programs_of(frame: Frame) -> list[Program]:
    """The programs of all shapes; of the others every event takes the forgiving path."""
    shapes = (_program_of(frame, flat=flat, inner=inner) for inner in (False, True) for flat in (False, True))
    return [program for program in shapes if program is not None]


def _program_of(frame: Frame, *, flat: bool, inner: bool) -> Program | None:
    mapping, builder, dotted = frame.spec.mapping, _Builder(), _dotted(frame, flat=flat)
    if inner and not dotted:
        return None
    features = path(mapping.features)
    needed = predictions = 0
    try:
        if frame.model_path:
            builder.put(frame.model_path, NAME, says=HAS_NAME)
        builder.put(path(mapping.version), VERSION)
        if frame.reads_ids:
            builder.put(path(mapping.prediction_id), IDENTITY)
        builder.put(path(mapping.timestamp), TIME)
        if flat:
            builder.put(features, FEATURES)
        else:
            needed = 1 << (builder.branch(features) - 1)
        above = () if flat else features
        _put_features(builder, frame, above, dotted if inner else frozenset(), flat=flat)
        if frame.score is not None or frame.label is not None:
            predictions = _put_prediction(builder, frame)
        for dimension, name in enumerate(frame.dimensions):
            own = mapping.segment_path(name)
            builder.put((SEGMENTS, name) if own is None else own, CODE, frame.named_segment(dimension))
        for keys in map(path, sorted(dotted)):
            closed = frame.reserved if flat else frozenset()
            if inner:
                _leave_others(builder, above, keys, 1 if keys[0] in closed else MAX_DEPTH)
                continue
            for n in range(1, len(keys)):
                if (key := ".".join(keys[:n])) not in closed:
                    builder.open((*above, key))
    except _Conflict:
        return None
    if len(builder.objects) > _MAX_OBJECTS or not is_unicode(frame.spec.name):
        return None
    names = CodeTable(codes={frame.spec.name: 0}, null=_UNKNOWN, invalid=_UNKNOWN, other=_UNKNOWN)
    return Program(frame, builder.objects, needed, predictions, [*frame.tables, names])


def _dotted(frame: Frame, *, flat: bool) -> frozenset[str]:
    """The names of features that may be paths."""
    names = (*frame.numeric, *frame.categorical, *_feature_dimensions(frame))
    return frozenset(name for name in names if "." in name and not (flat and name in frame.reserved))


def _feature_dimensions(frame: Frame) -> dict[str, int]:
    """The dimensions that may lie in a feature, and their rows."""
    return {
        name: frame.feature_segment(dimension)
        for dimension, name in enumerate(frame.dimensions)
        if frame.spec.mapping.segment_path(name) is None
    }


def _put_features(builder: _Builder, frame: Frame, prefix: Path, inner: frozenset[str], *, flat: bool) -> None:
    """The columns, and dimensions that are no column; those of `inner` at the path that their name is."""

    def put(name: str, action: int, row: int, second: int = -1, says: int = 0) -> None:
        keys = path(name) if name in inner else (name,)
        if not (flat and {name, keys[0]} & frame.reserved) and len(keys) <= MAX_DEPTH:
            builder.put((*prefix, *keys), action, row, second, says)

    rows = _feature_dimensions(frame)
    for name, row in frame.numeric.items():
        put(name, NUMERIC, row, says=HAS_FEATURES)
    for name, row in frame.categorical.items():
        put(name, CODE, row, rows.get(name, -1), says=HAS_FEATURES)
    for name, row in rows.items():
        if name not in frame.numeric and name not in frame.categorical:
            put(name, CODE, row)


def _leave_others(builder: _Builder, prefix: Path, keys: Path, depth: int) -> None:
    """Leave events that have a key with dots on any way to the name that `keys` spell, down to so many keys."""
    for begin in range(min(len(keys) - 1, depth)):
        for end in range(begin + 2, len(keys) + 1):
            builder.leave((*prefix, *keys[:begin], ".".join(keys[begin:end])))


def _put_prediction(builder: _Builder, frame: Frame) -> int:
    """Score, label and probabilities; returns the bits of the objects that are the prediction's own."""
    mapping, own = frame.spec.mapping, 0
    score, label = path(mapping.score), path(mapping.label)
    if frame.score is not None:
        builder.put(score, NUMERIC, frame.score, says=HAS_PREDICTION)
        above = builder.above(score)
        if above is not None:
            above.bare_number, above.says = frame.bare_score, HAS_PREDICTION
            own |= above.once if mapping.is_prediction(score[:-1]) else 0
    if frame.label is not None:
        builder.put(label, CODE, frame.label, says=HAS_PREDICTION)
        above = builder.above(label)
        if above is not None:
            above.bare_text, above.says, above.bare_class = frame.label, HAS_PREDICTION, frame.bare_classes
            own |= above.once if mapping.is_prediction(label[:-1]) else 0
    if frame.spec.task != "regression":
        builder.put(path(mapping.probabilities), PROBABILITIES, 0, says=HAS_PREDICTION)
        if mapping.flat_probabilities is not None:
            builder.put((mapping.flat_probabilities,), PROBABILITIES, 2, says=HAS_PREDICTION)
    if frame.score is not None and mapping.flat_score is not None:
        builder.put((mapping.flat_score,), NUMERIC, frame.flat_score, says=HAS_PREDICTION)
    if frame.label is not None and mapping.flat_label is not None:
        builder.put((mapping.flat_label,), CODE, frame.flat_label, says=HAS_PREDICTION)
    return own


def _is_plain(name: str) -> bool:
    """Whether a key may stand in JSON as it is. One that needs an escape takes its event to the forgiving path."""
    return is_unicode(name) and '"' not in name and "\\" not in name and all(character >= " " for character in name)
