"""Which column is what: by its name, and by what its values are. Pure."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec

from monitor.events.inner import MAX_DEPTH
from monitor.events.mapping import PLACES, Mapping
from monitor.events.times import SCALES, TimeRule, Unit
from monitor.guess.sample import Sample
from monitor.guess.values import (
    MOST_CLASSES,
    are_classes,
    are_codes,
    are_ids,
    are_numbers,
    are_versions,
    are_whole,
    first,
    is_number_or_digits,
    spelled,
)

# Names as they are compared: in small letters, without what is no letter or digit.
_TIMES: Final = (
    "timestamp", "eventtimestamp", "eventtime", "ts", "time", "datetime", "createdat", "loggedat", "predictedat",
    "predictiontime", "predictiontimestamp", "requesttime", "eventdate", "timestampms", "date", "created", "day",
)  # fmt: skip
_IDS: Final = (
    "predictionid", "inferenceid", "requestid", "eventid", "traceid", "transactionid", "uuid", "guid", "id", "rowid",
)  # fmt: skip
_VERSIONS: Final = ("version", "modelversion", "modelver", "modelrevision")
_MODELS: Final = ("model", "modelname")
_SCORES: Final = (
    "score", "probability", "proba", "predictionscore", "predictionproba", "predictionprobability", "predictedscore",
    "predictedprobability", "predproba", "predprob", "yscore", "yprob", "yproba", "yhat", "modelscore", "confidence",
    "predictedvalue", "prob",
)  # fmt: skip
_LABELS: Final = (
    "predictedlabel", "predictedclass", "predictionlabel", "predictionclass", "predlabel", "predclass", "ypred",
    "predicted", "pred", "decision", "label",
)  # fmt: skip
_TARGETS: Final = (
    "target", "ytrue", "groundtruth", "truth", "actual", "actuals", "outcome", "truelabel", "actuallabel", "y",
)  # fmt: skip
_CONTEXT: Final = ("specversion", "type", "source", "subject", "datacontenttype", "dataschema")  # of a CloudEvent
_BARE: Final = ("prediction", "predictions", "output", "outputs", "result")
_CONTAINERS: Final = ("features", "inputs", "input", "instance", "payload", "data", "record", "row")
_SEGMENTS: Final = re.compile(
    r"country|region|market|state|origin|site|store|channel|device|platform|os|segment|tier|plan|carrier|language|"
    r"locale|source|gender|category|type|city"
)
_CODE: Final = re.compile(r"(^|[_. ])(code|zip|zipcode|postcode|plz)$|_id$|Id$|Code$", re.ASCII)
_INDEX: Final = re.compile(r"__index_level_\d+__")
_LIKELY_MS: Final = range(946_684_800_000, 4_102_444_800_000)  # 2000 to 2100

_MOST_SEGMENTS: Final = 3
_MOST_VALUES: Final = 20
_FEW_ROWS: Final = 100
_FEWEST_ROWS: Final = 50  # of a segment's value: `min_samples`


class Roles(msgspec.Struct, kw_only=True):
    """Where things lie. Paths are dotted; None: not found.

    Attributes
    ----------
    preset
        Of the envelope that the events come in: then paths are those of the events in it.
    apart
        Whether features and predictions come in events of their own.
    unit
        of numbers in `timestamp`.
    local
        Whether its times have no offset.
    features
        The object or the list of features; None: they lie at the top.
    bare
        Whether the prediction is `prediction` itself, which needs no mapping.
    score, label
        Paths that are mapped; None where the defaults find them, or there is none.
    classes
        Of the prediction, else of the target, most frequent first; their texts, as the stream spells them.
    names
        Features, by the names they will have.
    unread
        Paths that nothing reads, for they lie beside the object of features.
    """

    preset: str = "none"
    apart: bool = False
    model: str | None = None
    model_names: Sequence[str] = ()
    timestamp: str | None = None
    unit: Unit = "ms"
    local: bool = False
    prediction_id: str | None = None
    version: str | None = None
    score: str | None = None
    label: str | None = None
    target: str | None = None
    features: str | None = None
    bare: bool = False
    task: str = "none"
    why_task: str = ""
    classes: Sequence[str] = ()
    positive: str | None = None
    names: Sequence[str] = ()
    codes: Sequence[str] = ()
    identifiers: Sequence[str] = ()
    segments: Sequence[str] = ()
    unread: Sequence[str] = ()


def guessed(sample: Sample) -> Roles:
    """What a person would guess."""
    roles = Roles()
    columns = {path: values for path, values in sample.columns.items() if any(value is not None for value in values)}
    for path in [path for path in columns if not path or _INDEX.fullmatch(path)]:
        del columns[path]  # a data frame's own index
    left = dict(columns)

    def take(names: Sequence[str], fits: Any = None) -> str | None:
        found = _named(left, names, fits)
        if found is not None:
            del left[found]
        return found

    is_cloud_event = "specversion" in left and any(path.startswith("data.") for path in left)
    if is_cloud_event:
        for path in _CONTEXT:
            left.pop(path, None)
    roles.timestamp, roles.unit, roles.local = _time(left)
    if roles.timestamp:
        del left[roles.timestamp]
    if "model" in left and all(value is None or isinstance(value, str) for value in left["model"]):
        roles.model = "model"
        roles.model_names = [name for name, _ in Counter(filter(None, left.pop("model"))).most_common()]
    roles.prediction_id = take(_IDS, are_ids) or _unique(left)
    left.pop(roles.prediction_id or "", None)
    for path in ("id", "time") if is_cloud_event else ():
        left.pop(path, None)  # the event in it has its own
    roles.version = take(_VERSIONS, are_versions)
    scores = {path: values for path, values in left.items() if are_numbers(values)}
    roles.score = _named(scores, _SCORES)
    if roles.score:
        del left[roles.score]
    roles.label = take(_LABELS, are_classes)
    roles.target = take(_TARGETS, lambda values: are_classes(values) or are_numbers(values))
    bare = _named({path: values for path, values in left.items() if "." not in path}, _BARE)
    if bare is not None and (roles.score is None or roles.label is None) and not isinstance(first(left[bare]), list):
        values = left.pop(bare)
        continuous = are_numbers(values) and (len(set(values)) > MOST_CLASSES or not are_whole(values))
        if continuous and roles.score is None:
            roles.score = bare
        elif roles.label is None and are_classes(values):
            roles.label = bare
    _task(roles, columns)
    probabilities = [path for path in left if "probabilities" in path.split(".")]
    for path in probabilities:
        del left[path]
    if probabilities and roles.task != "multiclass":
        roles.task, roles.why_task = "multiclass", "there are probabilities of classes"
    _features(roles, sample, left)
    _without_clashes(roles)
    return roles


def is_default(role: str, path: str | None) -> bool:
    """Whether the default mapping finds it."""
    if path is None:
        return True
    if role in ("score", "label"):
        return path in (role, f"prediction.{role}", "prediction")
    return path == role


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _without_clashes(roles: Roles) -> None:
    """Take back guesses that name the place of another, and names that no feature may have."""
    guesses = [role for role in PLACES if getattr(roles, role) is not None]
    for role in reversed(guesses):
        places = Mapping(**{one: getattr(roles, one) for one in guesses if getattr(roles, one) is not None}).places
        if list(places.values()).count(getattr(roles, role)) > 1 and role != "timestamp":
            setattr(roles, role, None)
    reserved = Mapping(**{one: getattr(roles, one) for one in guesses if getattr(roles, one) is not None}).reserved
    if roles.features is None:  # such as a column `features` of JSON as text
        roles.unread = [*roles.unread, *(name for name in roles.names if name in reserved)]
        roles.names = [name for name in roles.names if name not in reserved]
    roles.codes = [name for name in roles.codes if name not in reserved]
    roles.segments = [name for name in roles.segments if name not in reserved]


def _named(columns: dict[str, list[Any]], names: Sequence[str], fits: Any = None) -> str | None:
    """The column that is called like the first of the names: by its whole path, else by its last key."""
    for name in names:
        for whole in (True, False):
            for path, values in columns.items():
                own = path if whole else path.rpartition(".")[2]
                if not whole and path.startswith(("features.", "segments.")):
                    continue
                if _plain(own) == name and (fits is None or fits(values)):
                    return path
    return None


def _time(columns: dict[str, list[Any]]) -> tuple[str | None, Unit, bool]:
    found = {path: unit for path, values in columns.items() if (unit := _unit(path, values)) is not None}
    best = _named({path: columns[path] for path in found}, _TIMES) or next(
        (path for path in found if not are_numbers(columns[path])), None
    )
    if best is None:
        return None, "ms", False
    value = first(columns[best])
    naive = isinstance(value, str) and re.search(r"(Z|z|UTC|[+-]\d\d:?\d\d|T.*[+-]\d\d)$", value.strip()) is None
    naive = naive and not is_number_or_digits(value)
    return best, found[best], naive or (isinstance(value, datetime) and value.tzinfo is None) or type(value) is date


def _unit(path: str, values: list[Any]) -> Unit | None:
    """The unit in which nearly all values are times of this century; None where there is none."""
    tried = [value for value in values if value is not None][:500]
    if all(isinstance(value, date) for value in tried):
        return "ms"
    if any(isinstance(value, bool) or not isinstance(value, int | float | str) for value in tried):
        return None
    digits = all(not isinstance(value, str) or is_number_or_digits(value) for value in tried)
    if digits and _named({path: values}, _TIMES) is None:
        return None  # a large number is no time unless it is called one
    for unit in SCALES if digits else ("ms",):
        rule = TimeRule(unit=unit)  # type: ignore[arg-type]  # of SCALES
        read = [rule.read(value) for value in tried]
        if sum(time is not None and time in _LIKELY_MS for time in read) * 10 >= len(tried) * 9:
            return unit  # type: ignore[return-value]
    return None


def _unique(columns: dict[str, list[Any]]) -> str | None:
    """The first column that is called an id and has no value twice, in rows enough to say so."""
    for path, values in columns.items():
        there = [value for value in values if value is not None]
        named = _plain(path).endswith(("id", "uuid", "key", "number"))
        if named and len(there) >= _FEW_ROWS and are_ids(values) and len(set(there)) == len(there):
            return path
    return None


def _task(roles: Roles, columns: dict[str, list[Any]]) -> None:
    named = columns.get(roles.label or roles.target or "", [])
    if named and are_classes(named):
        counts = Counter(spelled(value) for value in named if value is not None)
        roles.classes = [name for name, _ in counts.most_common()]
    score = columns.get(roles.score or "", [])
    is_share = bool(score) and all(value is None or 0 <= value <= 1 for value in score)
    if roles.score is None and roles.label is None:
        roles.task, roles.why_task = "none", "no column looks like a prediction"
    elif roles.label is None and not is_share:
        roles.task, roles.why_task = "regression", f"{roles.score} is a number beyond 0 to 1"
        roles.classes = ()
    elif len(roles.classes) > 2:
        roles.task, roles.why_task = "multiclass", f"{roles.label or roles.target} has {len(roles.classes)} classes"
    elif is_share:
        roles.task, roles.why_task = "binary", f"{roles.score} lies between 0 and 1"
    else:
        roles.task, roles.why_task = "binary", f"{roles.label} has {len(roles.classes)} classes"
    if roles.task == "binary" and len(roles.classes) == 2:
        roles.positive = _positive(roles.classes, named, score)


def _positive(classes: Sequence[str], named: list[Any], score: list[Any]) -> str:
    """The class whose rows score higher; without scores the one that is called so, or is rarer."""
    if score:
        means = []
        for name in classes:
            of_rows = [s for s, value in zip(score, named, strict=True) if value is not None and spelled(value) == name]
            own = [s for s in of_rows if s is not None]
            means.append(sum(own) / len(own) if own else 0.0)
        return classes[int(means[1] > means[0])]
    called = next((name for name in classes if name.lower() in ("1", "true", "yes", "y", "positive", "t")), None)
    return called or classes[1]


def _features(roles: Roles, sample: Sample, left: dict[str, list[Any]]) -> None:
    """Which object, list or top level holds the features, and what they are called."""
    of_segments = [path for path in left if path.startswith("segments.")]
    segments = {path.partition(".")[2]: left.pop(path) for path in of_segments}
    lists = [path for path, values in left.items() if isinstance(first(values), list)]
    leaves = [path for path in left if path not in lists]
    best = _object_of([_above(path, sample) for path in leaves])
    if sample.nested and (not leaves or "features" in lists):
        numbers = [path for path in lists if all(isinstance(one, int | float | str) for one in first(left[path]))]
        best = max(numbers, key=lambda path: (path == "features", len(first(left[path]))), default="")
        if best:
            roles.features = best
            roles.names = [f"f{place}" for place in range(len(first(left[best])))]
    elif best:
        roles.features = best
    if not roles.names:
        inside = f"{best}." if best else ""
        own = [path for path in left if path.startswith(inside) and path[len(inside) :].count(".") < MAX_DEPTH]
        if not sample.nested:  # every column is a feature, whatever lies beside a struct of this name
            own = [path for path in left if path in sample.flat or path.startswith(inside)]
        found = {path[len(inside) :] if path.startswith(inside) else path: left[path] for path in own}
        roles.names = list(found)
        roles.unread = [path for path in left if path not in own and path not in lists]
        roles.identifiers = [name for name, values in found.items() if _identifies(name, values)]
        roles.codes = [name for name, values in found.items() if _CODE.search(name) and are_codes(values)]
        segments = {**segments, **{n: v for n, v in found.items() if n not in roles.identifiers}}
    roles.segments = _segments(segments)


def _above(path: str, sample: Sample) -> tuple[str, ...]:
    """The keys of the objects around a leaf; a key that has the dots itself lies in none."""
    return () if path in sample.flat else tuple(path.split("."))[:-1]


def _object_of(around: Sequence[tuple[str, ...]]) -> str:
    """The object that holds the features, of the objects around each leaf: one that is called so, else the innermost
    that holds them all."""
    counts = Counter(".".join(above[:n]) for above in around for n in range(1, len(above) + 1))
    for name in _CONTAINERS:
        called = [path for path in counts if _plain(path.rpartition(".")[2]) == name]
        if called:
            return max(called, key=counts.__getitem__)
    return max((path for path in counts if counts[path] == len(around)), key=len, default="")


def _identifies(name: str, values: list[Any]) -> bool:
    there = [value for value in values if value is not None]
    plain = all(isinstance(value, str | int) and not isinstance(value, bool) for value in there)
    if len(there) < _FEW_ROWS or not plain or _unit(name, values):
        return False
    called = _plain(name) in _IDS or _plain(name).endswith("id")
    return len(set(there)) > len(there) * (0.9 if isinstance(there[0], str) or called else 2)


def _segments(columns: dict[str, list[Any]]) -> list[str]:
    """Dimensions of few values, of which at least two have rows enough; those first that are called like one."""
    found = []
    for name, values in columns.items():
        there = [value for value in values if value is not None]
        if not all(isinstance(value, str | bool) for value in there) or "=" in name or name.startswith("@"):
            continue
        counts = Counter(there)
        enough = sum(n >= _FEWEST_ROWS for n in counts.values())
        if 2 <= len(counts) <= _MOST_VALUES and enough >= 2:
            called = _SEGMENTS.search(name.lower()) is not None
            found.append((not called, len(counts), name))
    return [name for _, _, name in sorted(found)[:_MOST_SEGMENTS]]
