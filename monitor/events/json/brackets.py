"""Where the elements of a JSON array lie, compiled: found by brackets and strings alone, whatever else is there."""

from typing import Any, Final

from detectors.compiled import compiled

NOT_CLOSED: Final = -1
"""The array is not closed, or is followed by something else."""
TOO_MANY: Final = -2
"""It has more elements than there is room for."""


@compiled
def elements(data: Any, spans: Any) -> Any:
    """Write the spans of the elements of the array in `data`, (n,) uint8; their number, or what is wrong.

    `spans` is (most, 2) int64: begin and end of each, white space included. What begins the array must be its bracket,
    or white space.
    """
    depth, start, n, over, quoted = 0, 0, 0, False, False
    at = 0
    while at < data.size:
        byte = data[at]
        at += 1
        if quoted:
            if byte == 0x5C:
                at += 1
            elif byte == 0x22:
                quoted = False
        elif over:
            if byte != 0x20 and byte != 0x0A and byte != 0x0D and byte != 0x09:
                return NOT_CLOSED
        elif byte == 0x22:
            quoted = True
        elif byte == 0x5B or byte == 0x7B:
            depth += 1
            if depth == 1:
                start = at
        elif byte == 0x5D or byte == 0x7D or (byte == 0x2C and depth == 1):
            if byte != 0x2C:
                depth -= 1
                over = depth == 0
            if over or byte == 0x2C:
                if n == spans.shape[0]:
                    return TOO_MANY
                spans[n, 0], spans[n, 1] = start, at - 1
                start = at
                n += 1
    return n if over else NOT_CLOSED
