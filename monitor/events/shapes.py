"""The shapes of events and, for each, the msgspec struct that is decoded and the program that reads it.

An event of a known shape is decoded strictly typed, at the parser's speed. Shapes exclude each other: where a shape
accepts an event, its columns are those that the forgiving path gives.
"""

import enum
from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from monitor.events import unpack
from monitor.events.frame import FLAT_LABEL, FLAT_SCORE, MODEL, SEGMENTS, Frame
from monitor.events.mapping import path
from monitor.events.values import MAX_TIMESTAMP_MS, Instant

Path = tuple[str, ...]

_ENCODER: Final = msgspec.msgpack.Encoder()
_INTEGER: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # what MessagePack holds
_NUMBER: Final = float | None
_CATEGORY: Final = bool | _INTEGER | float | str | None
_TIME: Final = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIMESTAMP_MS)] | Instant
_TEXT: Final = _INTEGER | str | None


class Bare(enum.Enum):
    """What stands where an event's prediction object belongs."""

    OBJECT = enum.auto()
    """The object, or nothing."""
    NUMBER = enum.auto()
    TEXT = enum.auto()
    """Text or a boolean."""


class Shape(msgspec.Struct, frozen=True):
    """One shape of a model's events: flat or with an object of features, and what the prediction is."""

    flat: bool = False
    bare: Bare = Bare.OBJECT


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """What a value is decoded as, and what is done with it. `row` and `table` as in the program of `unpack`."""

    type: Any
    action: int = unpack.SKIP
    row: int = -1
    second_row: int = -1
    required: bool = False


class Plan:
    """A struct type and how its instances become columns.

    Attributes
    ----------
    frame
        the model's columns.
    struct
        the type to decode.
    program
        (n_leaves, 6) int64 and tail: what `unpack.unpack` takes.
    getters
        by row of the code matrix, the value's attribute; version and probabilities likewise.
    """

    def __init__(self, frame: Frame, struct: type[msgspec.Struct], walked: "_Walk") -> None:
        self.frame = frame
        self.struct = struct
        self.program: Any = np.array(walked.program, dtype=np.int64).reshape(-1, 6)
        self.tail = walked.skip
        self.getters: dict[int, Callable[[Any], Any]] = {row: attrgetter(name) for row, name in walked.codes.items()}
        self.version: Callable[[Any], Any] = attrgetter(walked.version)
        self.probabilities = attrgetter(walked.flag) if walked.flag else None


class _Conflict(Exception):  # noqa: N818 - never leaves this module
    """Two things of the mapping lie in one place, or in names that a struct cannot have."""


Tree = dict[str, "Tree | Leaf"]


def plan_of(frame: Frame, shape: Shape) -> Plan | None:
    """The plan of a shape, or None where it takes the forgiving path always: a mapping whose paths cross."""
    try:
        tree = _tree(frame, shape)
        walked = _Walk(skip=0)
        needed = () if shape.flat else path(frame.spec.mapping.features)
        struct = _struct(tree, tag=frame.spec.name, needed=needed)
    except (_Conflict, ValueError, TypeError):  # msgspec: a name with quotes, a column called "model"
        return None
    walked.visit(tree, "", head=_map_head(len(tree) + 1) + _key(MODEL) + _key(frame.spec.name))
    return Plan(frame, struct, walked)


def row_plan(frame: Frame) -> Plan:
    """The plan of the rows that the forgiving path makes: an array of timestamp, version, and values by row.

    After timestamp and version come the numeric columns, the categorical ones, and the dimensions' values.
    """
    n, m = frame.n_numeric, frame.n_categorical
    leaves: list[Leaf] = [
        Leaf(type=Any, action=unpack.TIME),
        Leaf(type=Any, action=unpack.VERSION),
        *(Leaf(type=Any, action=unpack.NUMERIC, row=row) for row in range(n)),
        *(Leaf(type=Any, action=_unless_absent(frame, row), row=row) for row in range(m)),
        *(Leaf(type=Any, action=unpack.CODE, row=frame.named_segment(d)) for d in range(len(frame.dimensions))),
    ]
    tree: Tree = {str(position): leaf for position, leaf in enumerate(leaves)}
    fields = [(f"f{position}", Any) for position in range(len(leaves))]
    struct = msgspec.defstruct("Row", fields, array_like=True, gc=False)
    walked = _Walk(skip=0)
    walked.visit(tree, "", head=_map_head(len(leaves)), keyed=False)
    return Plan(frame, struct, walked)


def _unless_absent(frame: Frame, row: int) -> int:
    return unpack.SKIP if row == frame.absent_label else unpack.CODE


def _tree(frame: Frame, shape: Shape) -> Tree:
    """The leaves of an event, in the order in which events usually have them: msgspec guesses the next field."""
    mapping, tree = frame.spec.mapping, Tree()
    _put(tree, path(mapping.version), Leaf(type=_TEXT, action=unpack.VERSION))
    if frame.role == "predictions":
        _put(tree, path(mapping.prediction_id), Leaf(type=_TEXT))
    _put(tree, path(mapping.timestamp), Leaf(type=_TIME, action=unpack.TIME, required=True))
    features = path(mapping.features)
    prefix: Path = () if shape.flat else features
    if shape.flat:
        _put(tree, features, Leaf(type=None))
    else:
        _branch(tree, features)
    for name, leaf in _features(frame).items():
        if not (shape.flat and name in frame.reserved):
            _put(tree, (*prefix, name), leaf)
    if frame.score is not None or frame.label is not None:
        _put_prediction(tree, frame, shape)
    for dimension, name in enumerate(frame.dimensions):
        _put(tree, (SEGMENTS, name), Leaf(type=_CATEGORY, action=unpack.CODE, row=frame.named_segment(dimension)))
    return tree


def _features(frame: Frame) -> dict[str, Leaf]:
    """The features' leaves: the columns, and dimensions that are no column."""
    leaves: dict[str, Leaf] = {}
    for column in frame.spec.layout.columns:
        if column.name in frame.numeric:
            leaves[column.name] = Leaf(type=_NUMBER, action=unpack.NUMERIC, row=frame.numeric[column.name])
        elif column.name in frame.categorical:
            leaves[column.name] = Leaf(type=_CATEGORY, action=unpack.CODE, row=frame.categorical[column.name])
    for dimension, name in enumerate(frame.dimensions):
        row = frame.feature_segment(dimension)
        known = leaves.get(name)
        if known is None:
            leaves[name] = Leaf(type=_CATEGORY, action=unpack.CODE, row=row)
        elif known.action == unpack.CODE:
            leaves[name] = msgspec.structs.replace(known, second_row=row)
    return leaves


def _put_prediction(tree: Tree, frame: Frame, shape: Shape) -> None:
    mapping = frame.spec.mapping
    score, label = path(mapping.score), path(mapping.label)
    score_leaf, label_leaf = Leaf(type=_NUMBER), Leaf(type=bool | str | None)
    if frame.score is not None:
        score_leaf = Leaf(type=_NUMBER, action=unpack.NUMERIC, row=frame.score)
    if frame.label is not None:
        label_leaf = Leaf(type=bool | str | None, action=unpack.CODE, row=frame.label)
    if shape.bare is not Bare.OBJECT:
        if score[:-1] != label[:-1] or len(score) < 2:
            raise _Conflict
        _put(tree, score[:-1], score_leaf if shape.bare is Bare.NUMBER else label_leaf)
    else:
        if frame.score is not None:
            _put(tree, score, score_leaf)
        if frame.label is not None:
            _put(tree, label, msgspec.structs.replace(label_leaf, type=_CATEGORY))
        if frame.spec.task != "regression":
            _put(tree, (*score[:-1], "probabilities"), Leaf(type=dict[str, float] | None, action=unpack.FLAG))
    if shape.flat and frame.score is not None and score != (FLAT_SCORE,):
        _put(tree, (FLAT_SCORE,), Leaf(type=_NUMBER, action=unpack.NUMERIC, row=frame.flat_score))
    if shape.flat and frame.label is not None and label != (FLAT_LABEL,):
        _put(tree, (FLAT_LABEL,), Leaf(type=_CATEGORY, action=unpack.CODE, row=frame.flat_label))


def _branch(tree: Tree, keys: Path) -> Tree:
    for key in keys:
        below = tree.setdefault(key, {})
        if isinstance(below, Leaf):
            raise _Conflict
        tree = below
    return tree


def _put(tree: Tree, keys: Path, leaf: Leaf) -> None:
    above = _branch(tree, keys[:-1])
    if keys[-1] in above:
        raise _Conflict
    above[keys[-1]] = leaf


def _struct(tree: Tree, *, tag: str | None = None, needed: Path = ()) -> type[msgspec.Struct]:
    """A struct for one level. A level is required when anything in it is, or `needed` leads to it; else it defaults."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for position, (key, below) in enumerate(tree.items()):
        name = f"f{position}"
        if isinstance(below, Leaf):
            fields.append((name, below.type) if below.required else (name, below.type, None))
            continue
        on_path = needed[:1] == (key,)
        inner = _struct(below, needed=needed[1:] if on_path else ())
        if on_path or _has_required(below):
            fields.append((name, inner))
        else:
            fields.append((name, inner, inner()))
    options: dict[str, Any] = {} if tag is None else {"tag_field": MODEL, "tag": tag}
    names = {f"f{position}": key for position, key in enumerate(tree)}
    return msgspec.defstruct("Event", fields, rename=names, frozen=True, kw_only=True, gc=False, **options)


def _has_required(tree: Tree) -> bool:
    return any(_has_required(below) if isinstance(below, dict) else below.required for below in tree.values())


class _Walk(msgspec.Struct):
    """The program of a tree, leaf by leaf in the order of the bytes."""

    skip: int
    program: list[tuple[int, int, int, int, int, int]] = msgspec.field(default_factory=list)
    codes: dict[int, str] = msgspec.field(default_factory=dict)
    version: str = ""
    flag: str = ""

    def visit(self, tree: Tree, prefix: str, head: int, keyed: bool = True) -> None:
        self.skip += head
        for position, (key, below) in enumerate(tree.items()):
            name = f"{prefix}f{position}"
            self.skip += _key(key) if keyed else 0
            if isinstance(below, dict):
                self.visit(below, name + ".", _map_head(len(below)))
                continue
            is_code = below.action == unpack.CODE
            second = below.second_row if is_code else -1
            self.program.append((self.skip, below.action, below.row, below.row if is_code else -1, second, second))
            self.skip = 0
            if is_code:
                self.codes[below.row] = name
            elif below.action == unpack.VERSION:
                self.version = name
            elif below.action == unpack.FLAG:
                self.flag = name


def _key(text: str) -> int:
    return len(_ENCODER.encode(text))


def _map_head(n: int) -> int:
    """Bytes of the header of a map, or array, of n."""
    return 1 if n < 16 else 3
