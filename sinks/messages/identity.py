"""Keys of ours as other systems take them. Pure: equal keys give equal ids, and unequal ones unequal ids."""

import hashlib
import re

import msgspec

_HASH_CHARACTERS = 32


def digest(*parts: object) -> str:
    """32 hexadecimal digits, the same for the same parts, as `monitor.decisions.machine.dedupe_key` makes them."""
    return hashlib.sha256(msgspec.json.encode([str(part) for part in parts])).hexdigest()[:_HASH_CHARACTERS]


def run_id(key: str, *, most: int = 120, allowed: str = "A-Za-z0-9-", prefix: str = "driftline-") -> str:
    """An id made of `prefix`, what of the key is allowed, and a hash of the whole key.

    Parameters
    ----------
    key
        Any text.
    most
        Longest id, in characters, at least the prefix and 33 more.
    allowed
        Characters, as inside the brackets of a regular expression; the prefix, ``-`` and lower-case hex are among them.
    """
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]
    readable = re.sub(f"[^{allowed}]+", "-", key if "A-Z" in allowed else key.lower()).strip("-.")
    room = most - len(prefix) - _HASH_CHARACTERS - 1
    readable = readable[: max(room, 0)].strip("-.")
    return f"{prefix}{readable}-{digest}" if readable else f"{prefix}{digest}"
