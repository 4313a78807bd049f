"""An alert in sentences: what moved, from what to what, since when, where, how surely, what it probably is, what to do.

One template for all destinations, plain text on one line; a destination puts it into its own form, and escapes it
there. Names come from outside and may be anything: `safe` makes each short, printable, and of the reading direction of
its sentence.
"""

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from monitor.config.decisions import Cause
from monitor.decisions.cause import INPUTS, NAMELESS, SKEWED, is_prediction, is_sharp, rests_on_labels
from monitor.decisions.lead import Lead
from monitor.wording import counted, figure, instant

if TYPE_CHECKING:
    from monitor.decisions.alert import Alert, MovedColumn

MOST_LETTERS: Final = 60
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PLAIN: Final = str.maketrans({"<": "\u2039", ">": "\u203a", "`": "'", "|": "\u00a6"})
_DAY_MS: Final = 86_400_000

TITLES: Final[dict[Cause, str]] = {
    "schema": "a feature is gone or of another type",
    "data_quality": "the data are not as they were",
    "data_drift": "inputs drifted",
    "prediction_drift": "predictions drifted",
    "subgroup": "a subgroup drifted",
    "performance": "the model got worse",
    "concept_drift": "the relation of inputs and labels changed",
    "label_delay": "labels are late",
    "silence": "hardly any events come",
    "rejects": "events are rejected",
}
_THINGS: Final[dict[Cause, str]] = {
    "schema": "the missing feature",
    "data_quality": "the trouble with the data",
    "data_drift": "drift of inputs",
    "prediction_drift": "drift of predictions",
    "subgroup": "drift in a subgroup",
    "performance": "the loss of performance",
    "concept_drift": "the changed relation",
    "label_delay": "the delay of labels",
    "silence": "the silence",
    "rejects": "the rejects",
}
_DO: Final[dict[Cause, str]] = {
    "schema": "Mend the pipeline that fills {column}, before anything else; do not retrain on these data.",
    "data_quality": "Look at the pipeline that fills {column}; where it is right, the model meets what it has not "
    "learned: the reference, and the model, want data that have it.",
    "data_drift": "Ask whether the change of {column} is meant to stay: then retrain on data since {since}, and build "
    "the reference from them; else mend its source.",
    "prediction_drift": "Inputs stand still: see whether another version or threshold went live; compare with labels.",
    "subgroup": "Look at {segment} alone: its source, or its customers, changed; see whether the model holds there.",
    "performance": "See in which segment and feature the loss lies, then retrain on data since {since}.",
    "concept_drift": "The world answers otherwise than in training: retrain on data since {since}.",
    "label_delay": "Look at the label pipeline; what is newer than the last labels is not measured until they come.",
    "silence": "See whether the producer or its topic has stopped; nothing is scored meanwhile.",
    "rejects": "Read the reasons in `rejects`: a producer has changed its format.",
}


_OWN: Final = {
    "@score": "the score",
    "@label": "the predicted class",
    "@events": "the model",
    "@rejects": "the model's events",
    "@loss": "the loss",
    "@relation": "the relation of inputs and labels",
    "@subgroup": "the loss in a part",
    "@delay": "the labels' delay",
    "@labels_missing": "the share of labels",
    "@labels_selective": "who gets labels",
}
_QUALITY: Final = {
    "more missing": "values are missing",
    "fewer missing": "fewer values are missing",
    "more invalid": "values are invalid",
    "fewer invalid": "fewer values are invalid",
    "new category": "categories came that the reference lacks",
    "above range": "values lie above the reference's range",
    "below range": "values lie below the reference's range",
    SKEWED: "served values are not those that are computed again",
    "fewer features": "predictions come without their features",
    "fewer predictions": "features come without their predictions",
}

_LABELS: Final = {
    "labels missing": "labels that are due have not come",
    "labels selective": "labels come for some predictions rather than for others",
}


def title(alert: "Alert") -> str:
    """What an alert is about, in a few words."""
    if alert.cause == "schema" and lead(alert).direction == "new feature":
        return "events have a feature that the reference does not know"
    if lead(alert).direction == NAMELESS:
        return "events that name no model are rejected"
    if lead(alert).column == "@subgroup":
        return "the model got worse in a part of the data"
    if alert.cause == "label_delay":
        return _LABELS.get(lead(alert).direction, TITLES["label_delay"])
    if alert.cause == "data_quality":
        return _QUALITY.get(lead(alert).direction, TITLES["data_quality"])
    return TITLES[alert.cause]


def lead(alert: "Alert") -> "MovedColumn":
    """The column that its sentence begins with: the first of all rows, where it is about these."""
    own = [one for one in alert.columns if not one.segment and not one.follows]
    return own[0] if own else alert.columns[0]


def safe(name: str, most: int = MOST_LETTERS) -> str:
    """A name that fits into a sentence: without control and direction marks, angle brackets, and a long tail."""
    head = name[: 4 * most]
    kept = "".join(
        " " if letter.isspace() else letter for letter in head if unicodedata.category(letter) not in _DROPPED
    )
    plain = " ".join(kept.translate(_PLAIN).split())
    if len(plain) > most or len(name) > len(head):
        plain = plain[: most - 1].rstrip() + "…"
    return plain or "(no name)"


def summary(alert: "Alert", *, late: bool = False, successor: str | None = None, named: bool = True) -> str:
    """The sentence of an alert in any state. What a lock screen shows of it says whose, what moved and since when.

    Parameters
    ----------
    late: it is resolved because late events changed its windows.
    successor: it is resolved because this version has taken over; the alert's own, on another reference.
    named: it begins with the model.
    """
    whole = _lead(alert, named=named)
    short = whole.short()
    dropped, cut = whole.lost(short)
    head = short.whole()
    beside = f" ({dropped})" if dropped else ""
    in_full = f"In full: {cut}." if cut else ""
    if alert.state == "resolved":
        why = "late events took it back" if late else f"quiet at {instant(alert.at_ms)}"
        if successor is not None:
            new = "another reference" if successor == alert.version else f"version {safe(successor, 30)}"
            why = f"{new} has taken over"
        thing = "the loss in a part of the data" if lead(alert).column == "@subgroup" else _THINGS[alert.cause]
        return " ".join(filter(None, [f"{head}{beside}.", f"{thing[0].upper()}{thing[1:]} is over, {why}.", in_full]))
    about = "; ".join([title(alert), *_others(alert)])
    return " ".join(filter(None, [f"{head}{beside}: {about}.", _surely(alert), _probably(alert), in_full]))


def recommendation(alert: "Alert") -> str:
    """What to do."""
    if alert.state == "resolved":
        return "Nothing more to do."
    first = lead(alert)
    if alert.cause == "schema" and first.direction == "new feature":
        return (
            f"Nothing is scored of {safe(first.column)}. If the model reads it, build the reference from data that has "
            "it; else leave it: it is told once."
        )
    if first.direction == SKEWED:
        return (
            f"Compare how {safe(first.column)} is made for serving and for training, and mend the one that is wrong; "
            "do not retrain on these data."
        )
    if first.column == "@subgroup":
        rows = first.quantity.partition(" where ")[2]  # "log loss where carrier is VX"
        where = f"the rows where {safe(rows)}" if rows else "the part that fails"
        return f"Look at {where} alone: the model does worse there. See what changed, and retrain on more of them."
    if first.column == "@labels_selective":
        return (
            "Have a random share of the others labelled too: what is measured is of those with labels alone, and "
            "estimates are of all."
        )
    if alert.cause == "data_quality" and is_sharp(first.direction):
        return f"Mend the pipeline that fills {safe(first.column)}; do not retrain on these data."
    return to_do(alert.cause, column=safe(first.column), segment=_where(first), since_ms=alert.onset_ms)


def to_do(cause: Cause, *, column: str = "", segment: str = "", since_ms: int = 0) -> str:
    """What to do about a cause; names are `safe` already."""
    return _DO[cause].format(column=column, segment=segment, since=instant(since_ms))


def _lead(alert: "Alert", *, named: bool) -> Lead:
    """``m (version 1): share missing of temp 0.2 % -> 100 % (more missing) in all rows, since 2013-01-01``."""
    one = lead(alert)
    # Of those that name no model the share is that of the model's own events and these together.
    name = "all events" if one.direction == NAMELESS else _OWN.get(one.column) or safe(one.column)
    return Lead(
        model=safe(alert.model) if named else "",
        version=safe(alert.version, 30) if named and alert.version else "",
        over=alert.state == "resolved",
        quantity=safe(one.quantity) if one.quantity else "",
        column="" if one.quantity and rests_on_labels(one.column) else name,
        change=f"{figure(one.quantity, one.before)} -> {figure(one.quantity, one.after)}" if one.quantity else "",
        direction=safe(one.direction) if one.quantity else "",
        segment=safe(one.segment) if one.segment else "",
        # Of a part its quantity says which rows they are.
        everywhere="" if one.segment or one.column in ("@events", "@subgroup") else "all rows",
        since=instant(alert.onset_ms),
    )


def _where(one: "MovedColumn") -> str:
    return safe(one.segment) if one.segment else "all rows"


def _others(alert: "Alert") -> list[str]:
    """Further columns, and further segments of the first."""
    first = lead(alert)
    names = list(dict.fromkeys(one.column for one in alert.columns if one.column != first.column and not one.follows))
    follow = list(dict.fromkeys(one.column for one in alert.columns if one.follows and one.column != first.column))
    segments = [one.segment for one in alert.columns if one.segment and one.segment != first.segment]
    said = []
    if names:
        said.append(f"with it {_named(names)}")
    if segments:
        n = len(set(segments))
        said.append(f"most in {safe(segments[0])}" + (f", of {counted(n, 'segment')}" if n > 1 else ""))
    if follow:
        said.append(f"{_named(follow)} followed")
    return said


def _named(names: Sequence[str], most: int = 3) -> str:
    shown = [safe(name, 40) for name in names[:most]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {counted(more, 'more column')}" if more > 0 else "")


def _surely(alert: "Alert") -> str:
    own = alert.evidence
    if alert.cause in ("silence", "rejects"):
        return ""
    if own.rule == "at once":
        return "One window left no doubt."
    if own.chance_once_in_ms is None:
        return f"Rule: {own.rule}."
    return f"Unchanged data gives as much at most once in {_long(own.chance_once_in_ms)}."


def _long(duration_ms: int) -> str:
    days = duration_ms / _DAY_MS
    if days >= 36_500:
        return "100 years or more"
    if days >= 730:
        return f"{days / 365:.0f} years"
    return counted(max(round(days), 1), "day")


def _probably(alert: "Alert") -> str:
    """What it probably is, from what moved beside it."""
    columns = {one.column for one in alert.columns if not one.segment and not one.follows}
    predictions = any(is_prediction(one.column) for one in alert.columns if one.follows)
    said = ""
    new = [one.direction == "new feature" for one in alert.columns]
    if any(new) and not all(new):
        said = "Perhaps a feature was renamed"
    elif lead(alert).direction == SKEWED:
        said = "Probably one of two pipelines, for serving and for training, has changed"
    elif alert.cause in INPUTS and len(columns) > 1 and _together(alert):
        said = f"Probably one source upstream, which its {len(columns)} columns share"
    elif alert.cause == "schema" and lead(alert).direction == "new feature":
        said = "Probably a producer of another release"
    elif alert.cause in ("schema", "data_quality"):
        said = (
            "Probably one column upstream" if is_sharp(lead(alert).direction) else "Perhaps the season, or a new unit"
        )
        if lead(alert).direction == "new category":
            said = "Probably a category that the model has not learned"
    elif alert.cause == "data_drift":
        said = "Probably one column upstream" if len(columns) == 1 else "Probably other customers, or the season"
    elif alert.cause == "prediction_drift":
        said = "Probably the model's own output, for its inputs stand still"
    elif alert.cause == "subgroup" and lead(alert).direction != "worse in part":
        said = "The whole stands still"
    elif lead(alert).direction == NAMELESS:
        said = "They may be another model's: every model is told to which they would be many"
    if said and predictions:
        said += "; the predictions moved with it"
    return f"{said}." if said else ""


def _together(alert: "Alert") -> bool:
    """Whether the whole's columns began to move at one time, and that is most of them."""
    since = [one.since_ms for one in alert.columns if not one.segment and not one.follows]
    pane_ms = max(alert.evidence.window_end_ms - alert.evidence.window_start_ms, 1)
    return len(since) > 1 and max(since) - min(since) <= pane_ms
