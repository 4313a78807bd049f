"""placeholder"""

from dataclasses import dataclass
from typing import Any


@dataclass
class Results:
    seed: int
    quiet: Any
    awake: Any


def page(r: Results) -> str:
    return repr(r)
