"""How the statements of panels name Grafana's variables and time range.

A variable's value goes into a statement percent-encoded, and ClickHouse decodes it: whatever a model, a column or a
category is called, with quotes and backslashes, it stays a string. Grafana's own quoting (`:sqlstring`) leaves
backslashes as they are, and ClickHouse takes them for escapes.
"""

from typing import Final

from monitor.api.queries.sizes import SIZE

WHOLE: Final = "(all rows)"
"""What the variable `segment` says for the whole, whose name is empty. Names of segments contain `=`."""


def variable(name: str) -> str:
    """The variable's value, a String."""
    return f"decodeURLComponent('${{{name}:percentencode}}')"


MODEL: Final = variable("model")
VERSION: Final = variable("version")
COLUMN: Final = variable("column")
METHOD: Final = variable("method")
METRIC: Final = variable("metric")
SEGMENT: Final = f"if({variable('segment')} = '{WHOLE}', '', {variable('segment')})"
# ClickHouse hands a view its arguments as text, in the server's time zone, and the views read them as UTC.
START: Final = "toTimeZone($__fromTime_ms, 'UTC')"
END: Final = "toTimeZone($__toTime_ms, 'UTC')"
FROM_TO: Final = f"from_time = {START}, to_time = {END}"
"""The dashboard's time range, for the views that take one."""

OF_VERSION: Final = f"model = {MODEL} AND version = {VERSION}"
OF_VERSION_OR_ALL: Final = f"model = {MODEL} AND version IN ({VERSION}, '')"
"""What is told of the version, and what of the model as a whole: silence and rejects are of no version."""
OF_LENGTH: Final = f"{SIZE} = toInt64OrZero({variable('window')}) AND $__timeFilter_ms(window_end)"
"""Windows of the chosen length."""
OF_WINDOW: Final = f"{OF_VERSION} AND {OF_LENGTH}"
"""Windows of the chosen model, version and length."""
SHORTEST: Final = (
    f"(model, {SIZE}) IN (SELECT model, min({SIZE}) FROM windows WHERE $__timeFilter_ms(window_end) GROUP BY model)"
)
"""Windows of the shortest length that their model has: where no length is chosen, so that a line is of one kind."""
OF_SEGMENT: Final = f"{OF_WINDOW} AND segment = {SEGMENT}"
OF_COLUMN: Final = f"{OF_SEGMENT} AND column = {COLUMN}"
PANES: Final = f"{OF_VERSION} AND segment = {SEGMENT} AND $__timeFilter_ms(pane_end)"
"""Panes of profiles of the chosen model, version and segment."""
NOT_SEQUENTIAL: Final = "NOT startsWith(compare, 'sequential')"
