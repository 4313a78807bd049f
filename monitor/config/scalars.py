"""Single values: from a scalar of the document to the type, form and bounds that a field asks for."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from monitor.config.document import Node, Scalar, scalar_of
from monitor.config.durations import format_duration
from monitor.config.forms import FORMS, form_of
from monitor.config.nearest import nearest
from sinks.settings import Form, FormError

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}

_DURATION = FORMS["duration"]


def read_scalar(value: Scalar | object, type_: Any, meta: msgspec.Meta, *, from_variable: bool) -> Any:
    """The value as a field of type `type_` within `meta` takes it.

    Parameters
    ----------
    value
        A scalar with its variables filled in; a list or a mapping is refused like any wrong type.
    type_
        int, float, bool, str, `Path`, a Literal of texts, or any type whose `meta` names a form.
    meta
        The form's name and the bounds.
    from_variable
        Whether a variable was filled in. What it holds is always text, so that it is read as a number where one is
        wanted.

    Raises
    ------
    FormError
        The value is something else; the message says what is expected and does not repeat the value.
    """
    if get_origin(type_) is Literal:
        return _choice(value, get_args(type_))
    if type_ is Path:
        return _path(value)
    form = form_of(meta) or (FORMS["name"] if type_ is str else None)
    wanted = form.of if form else type_
    if from_variable and isinstance(value, str) and wanted is not str:
        value = scalar_of(value)
    if wanted is float and type(value) is int:
        value = float(value)
    if form is _DURATION and type(value) is int and value == 0:
        value = "0"  # the one duration that needs no unit
    if type(value) is not wanted:
        raise FormError(f"expected {_expected(value, wanted, form, meta)}")
    if form:
        value = form.read(value)  # type: ignore[arg-type]  # its type has just been seen
    if isinstance(value, int | float) and not _within(value, meta):
        raise FormError(f"expected {_bounded('a duration' if form is _DURATION else WORDS[wanted], meta, form)}")
    return value


def found(node: Node, *, quote: bool) -> str:
    """What a node is, in words; its text as it stands in the file (never what a variable holds) when it is short."""
    match node.value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "nothing"
        case bool():
            return node.text if quote else "true or false"
        case int() | float():
            return f"the number {node.text}" if quote else "a number"
        case _:
            harmless = quote and len(node.text) <= 40 and "@" not in node.text and "://" not in node.text
            return repr(node.text) if harmless else "text"


def _choice(value: object, options: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in options:
        return value
    raise FormError(f"expected one of {', '.join(options)}", nearest(value, options) if isinstance(value, str) else "")


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise FormError("expected the path of a file or folder")
    if value.startswith("~"):
        raise FormError("expected ${HOME} in place of '~', which is not expanded")
    return Path(value)


def _expected(value: object, wanted: type, form: Form | None, meta: msgspec.Meta) -> str:
    if form is None or form.of is int:
        return _bounded(WORDS[wanted], meta) if form is None else form.expected
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{form.expected} (a number needs quotes to be text)" if number and form is not _DURATION else form.expected


def _within(value: float, meta: msgspec.Meta) -> bool:
    return (
        (meta.ge is None or value >= meta.ge)
        and (meta.gt is None or value > meta.gt)
        and (meta.le is None or value <= meta.le)
        and (meta.lt is None or value < meta.lt)
        and abs(value) < float("inf")
    )


def _bounded(words: str, meta: msgspec.Meta, form: Form | None = None) -> str:
    """The words with the bounds in `meta`: "a whole number from 1 to 100"."""

    def shown(bound: float) -> str:
        # Types that are equal are one to `typing`: whoever writes a bound as 0.0 elsewhere may have been first.
        whole = int(bound) if float(bound).is_integer() else bound
        return format_duration(int(bound)) if form is _DURATION else f"{whole:,}"

    if meta.ge is not None and meta.le is not None:
        return f"{words} from {shown(meta.ge)} to {shown(meta.le)}"
    relations = (("of at least", meta.ge), ("above", meta.gt), ("of at most", meta.le), ("below", meta.lt))
    bounds = [f"{relation} {shown(bound)}" for relation, bound in relations if bound is not None]
    return " ".join([words, " and ".join(bounds)]) if bounds else words
