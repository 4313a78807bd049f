"""What panels ask: variables chosen and statements expanded as Grafana and its ClickHouse plugin do. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

_VARIABLE: Final = re.compile(r"\$\{(\w+):percentencode\}")
_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_FILTER: Final = re.compile(r"\$__timeFilter_ms\((\w+)\)")


def expanded(statement: str, values: Mapping[str, str], from_ms: int, to_ms: int) -> str:
    """A statement as it is sent: `encodeURIComponentStrict` of Grafana, and the plugin's macros.

    Raises `KeyError` for a variable without a value, and `ValueError` for a macro that is not known.
    """

    def value(match: re.Match[str]) -> str:
        return quote(values[match[1]], safe="-_.~")

    def between(match: re.Match[str]) -> str:
        column = match[1]
        return f"{column} >= fromUnixTimestamp64Milli({from_ms}) AND {column} <= fromUnixTimestamp64Milli({to_ms})"

    text = _FILTER.sub(between, _VARIABLE.sub(value, statement))
    text = text.replace("$__fromTime_ms", f"fromUnixTimestamp64Milli({from_ms})")
    text = text.replace("$__toTime_ms", f"fromUnixTimestamp64Milli({to_ms})")
    if "$" in text:
        raise ValueError(f"a macro is not known: {text[text.index('$') :][:60]}")
    return text


def legend(format_: str, labels: Mapping[str, str]) -> str:
    """What a series of Prometheus is called; Grafana puts nothing for a label that it has not."""
    return _LABEL.sub(lambda match: labels.get(match[1], ""), format_)


def variables(
    board: Mapping[str, Any],
    first: Callable[[str], Sequence[object]],
    chosen: Mapping[str, str],
    from_ms: int,
    to_ms: int,
) -> dict[str, str]:
    """A value for each variable of a dashboard, as somebody sees it who has just opened it.

    Parameters
    ----------
    board
        Its JSON.
    first
        Answers a statement with the first row's values; nothing where there is none.
    chosen
        What was chosen already, by variable; the others take their first value.
    from_ms, to_ms
        The time range, milliseconds since 1970.
    """
    values: dict[str, str] = {}
    for one in board["templating"]["list"]:
        if one["type"] != "query":
            continue
        name = one["name"]
        if name in chosen:
            values[name] = chosen[name]
        else:
            row = first(expanded(one["query"]["rawSql"], values, from_ms, to_ms))
            values[name] = str(row[0]) if row else ""
    return values
