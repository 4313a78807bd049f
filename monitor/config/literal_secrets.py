"""Secrets that are written in the file itself: they end in version control, in tickets and on screens.

What a `Secret` holds comes from a variable or a file (`monitor.config.environment`), also where a default of a variable
would bring it. Empty text is no secret. Which parts of a text are secret says the field's form
(`sinks.settings.Form.secrets`), of settings of a client their key; of everything else all is.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from monitor.config.document import Node
from monitor.config.environment import FILLED, written
from monitor.config.forms import form_of
from sinks.settings import whole

Secrets = Callable[[str], Mapping[str, str]]
"""Which parts of a text are secret, by what messages call them."""

_INSTEAD = "put ${NAME} in its place and set that variable of the environment, or ${file:/path} for the text of a file"


def literal_secret(node: Node, type_: Any, secrets: Secrets | None = None) -> str:
    """What is wrong with a node that is read as a `Secret` of `type_`; "" where no secret is written in it.

    Parameters
    ----------
    secrets
        Which parts of its text are secret, where `type_` has no form that says it; None: all.
    """
    form = form_of(get_args(type_)[1]) if get_origin(type_) is Annotated else None
    parts_of = form.secrets if form is not None else secrets or whole
    for text in _texts(node):
        for what, part in parts_of(written(text)).items():
            if part and FILLED not in part:
                return f"{what} must not be written in this file; {_INSTEAD}"
    return ""


def _texts(node: Node) -> Iterator[str]:
    match node.value:
        case dict():
            for child in node.value.values():
                yield from _texts(child)
        case list():
            for child in node.value:
                yield from _texts(child)
        case None:
            return
        case _:
            yield node.text
