"""The text of a first configuration: every guess with a comment that says what it is made of. Pure."""

import json
from collections.abc import Mapping
from typing import Final

import msgspec

from monitor.events.mapping import PRESETS
from monitor.events.times import Unit
from monitor.guess.roles import Roles, is_default
from monitor.guess.windows import Rate
from monitor.wording import counted, instant, listed

_UNITS: Final[Mapping[Unit, str]] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_MOST_NAMES: Final = 12
_COMMENT_COLUMN: Final = 44


def configuration(name: str, roles: Roles, size: str, rate: Rate, source: str, *, kafka: tuple[str, str] | None) -> str:
    """YAML.

    Parameters
    ----------
    name
        Of the model.
    size
        Of the windows.
    source
        What was looked at, for the comment.
    kafka
        The broker and the topic that the rows came from; None: a file.
    """
    lines = [
        f"# Written by `driftline init` from {source}: guesses. driftline.example.yaml has every key and its default.",
        "models:",
        _line(2, f"- name: {_quoted(name)}", "as events give it in `model`; those that name no model are its own"),
        _line(4, f"task: {roles.task}", f"{roles.why_task}; binary | multiclass | regression | none"),
        _line(4, f"reference: {_quoted(_file_name(name))}", "what is normal; written by `driftline reference build`"),
        *_mapping(roles),
        *_positive(roles),
        *_columns(roles),
    ]
    shown = ", ".join(map(_quoted, roles.segments))
    if roles.segments and roles.apart:
        lines.append(f"    # segments: [{shown}]".ljust(_COMMENT_COLUMN) + "# of inputs alone: a response says none")
    elif roles.segments:
        lines.append(_line(4, f"segments: [{shown}]", "their values are scored apart, beside the whole"))
    else:
        lines.append("    # segments: [country]               # no column has few values with rows enough for each")
    pace = f"{rate.per_day:,.0f} events a day from {instant(rate.first_ms)} to {instant(rate.last_ms)}"
    lines.append(_line(4, f"windows: [{{size: {size}}}]", pace))
    short = size.endswith("m")
    lines.append(
        _line(4, f"lateness: {size if short else '1h'}", "how far events may come out of order before a window closes")
    )
    lines += _labels(roles)
    if kafka is not None:
        servers, topic = kafka
        lines += [
            "",
            "kafka:",
            f"  bootstrap_servers: {_quoted(servers)}",
            f"  topics: {{predictions: [{_quoted(topic)}], features: [], labels: []}}",
        ]
    return "\n".join(lines) + "\n"


def _labels(roles: Roles) -> list[str]:
    """What to say of labels, once there are some: where they lie, supposed that they call things as the rows do."""
    usual = {"id": "prediction_id", "timestamp": "timestamp", "label": "label"}
    own = {"id": roles.prediction_id, "timestamp": roles.timestamp, "label": roles.target or "outcome"}
    said = ", ".join(f"{key}: {_quoted(path)}" for key, path in own.items() if path not in (None, usual[key]))
    return [
        _line(4, "# label_horizon: 30d", "how long labels may take; they have prediction_id, timestamp and label,"),
        _line(4, f"# label_mapping: {{{said}}}", "or what is said here"),
    ]


def told(name: str, roles: Roles, size: str, rate: Rate) -> list[str]:
    """The same in sentences, for the screen."""
    naive = ", of clocks in UTC (mapping.timezone)" if roles.local else ""
    unit = f" in {_UNITS[roles.unit]}" if roles.unit != "ms" else ""
    envelope = f"envelope: {roles.preset}, each instance of a request an event of its own"
    apart = (
        "requests and responses come apart: features are counted of the one, predictions of the other, and neither "
        "waits; labels find responses, but losses are not traced to features"
    )
    lines = [
        *([envelope] if roles.preset != "none" else ()),
        *([apart] if roles.apart else ()),
        f"model {name}: {roles.task}, for {roles.why_task}"
        + (f"; the score is the probability of {roles.positive!r}" if roles.positive is not None else ""),
        f"time: {roles.timestamp}{unit}{naive}",
    ]
    places = {
        "prediction": "prediction" if roles.bare else "",
        "score": roles.score,
        "label": roles.label,
        "what was true": roles.target,
        "id": roles.prediction_id,
        "version": roles.version,
    }
    found = [f"{what}: {path}" for what, path in places.items() if path]
    if found:
        lines.append("; ".join(found))
    inside = f" in {roles.features}" if roles.features else ""
    lines.append(f"{counted(len(roles.names), 'feature')}{inside}: {listed(list(roles.names))}")
    if roles.unread:
        lines.append(
            f"not read, for they lie beside these: {listed(list(roles.unread))}; name a prediction in `mapping`"
        )
    if roles.codes:
        lines.append(f"taken as codes, not as numbers: {listed(list(roles.codes))}")
    if roles.identifiers:
        them = "it looks like an identifier" if len(roles.identifiers) == 1 else "they look like identifiers"
        lines.append(f"{listed(list(roles.identifiers))}: {them}; better left out of the data")
    if roles.apart and roles.segments:
        lines.append(f"segments: none; {listed(list(roles.segments))} would split inputs alone")
    else:
        lines.append(f"segments: {listed(list(roles.segments)) or 'none'}")
    lines.append(f"windows of {size}: {rate.per_day:,.0f} events a day")
    others = [one for one in roles.model_names if one != name]
    if others:
        ways = "write a section for each, or rename the column if it is a feature"
        lines.append(f"rows of other models are left out: {listed(others)}; {ways}")
    return lines


def _mapping(roles: Roles) -> list[str]:
    keys: dict[str, tuple[str, str]] = {}
    if roles.preset != "none":
        keys["preset"] = (roles.preset, "the envelope that the events come in")
    elif _is_cloud_event(roles):
        keys["preset"] = ("cloudevents", "the envelope that the events come in")
        roles = msgspec.structs.replace(roles, **dict.fromkeys(PRESETS["cloudevents"]))
    if roles.timestamp is not None and not is_default("timestamp", roles.timestamp):
        keys["timestamp"] = (_quoted(roles.timestamp), "when the prediction was made")
    if roles.unit != "ms":
        keys["timestamp_unit"] = (roles.unit, f"of numbers: {_UNITS[roles.unit]} since 1970 UTC")
    if roles.local:
        keys["timezone"] = ("UTC", "whose clocks times without an offset are of")
    for role, why in (
        ("prediction_id", "what labels are joined by"),
        ("version", "of the model"),
        ("score", "the score, or the number that is predicted"),
        ("label", "the class that is predicted"),
    ):
        path = getattr(roles, role)
        if not is_default(role, path):
            keys[role] = (_quoted(path), why)
    if roles.features is not None and roles.features != "features":
        keys["features"] = (_quoted(roles.features), "the object or list that holds the features")
    if roles.target is not None:
        keys["target"] = (_quoted(roles.target), "what was true, read when the reference is built; never a feature")
    if not keys:
        return []
    return ["    mapping:", *(_line(6, f"{key}: {value}", why) for key, (value, why) in keys.items())]


def _is_cloud_event(roles: Roles) -> bool:
    """Whether everything that was found lies where the preset has it."""
    preset = PRESETS["cloudevents"]
    found = {role: path for role in preset if (path := getattr(roles, role)) is not None}
    return found.items() <= preset.items() and {"timestamp", "features"} <= found.keys()


def _positive(roles: Roles) -> list[str]:
    if roles.task != "binary":
        return []
    if roles.positive is None:
        return ['    # positive: "1"                     # the class that the score is the probability of']
    return [_line(4, f"positive: {_quoted(roles.positive)}", "the class that the score is the probability of")]


def _columns(roles: Roles) -> list[str]:
    shown = ", ".join(roles.names[:_MOST_NAMES])
    more = len(roles.names) - _MOST_NAMES
    lines = [
        f"    # {counted(len(roles.names), 'feature')}: {_comment(shown)}{f' and {more:,} more' if more > 0 else ''}",
        "    # Kinds are inferred when the reference is built: numbers are numeric, text and booleans categorical.",
    ]
    if roles.identifiers:
        named = _comment(listed(list(roles.identifiers)))
        lines.append(f"    # Better left out of the data, for it identifies rows: {named}")
    if not roles.codes:
        return [*lines, "    # columns: {code: categorical}"]
    lines.append(_line(4, "columns:", "numbers that are codes"))
    return [*lines, *(f"      {_quoted(name)}: categorical" for name in roles.codes)]


def _line(indent: int, text: str, comment: str) -> str:
    return f"{' ' * indent}{text}".ljust(_COMMENT_COLUMN - 1) + f" # {_comment(comment)}"


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _quoted(text: str) -> str:
    """As YAML; plain where that is what it says."""
    plain = text.replace("_", "").replace("-", "").replace(".", "")
    harmless = plain.isascii() and plain.isalnum() and text[0].isalpha()
    if harmless and text.lower() not in ("true", "false", "yes", "no", "on", "off", "null", "y", "n"):
        return text
    return json.dumps(text).replace("${", "$\\u007b")


def _file_name(name: str) -> str:
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in name) + ".ref"
