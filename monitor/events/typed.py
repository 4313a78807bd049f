"""Decoding into typed structs, in the shapes that a topic's events have shown so far.

Ranks: each model's shapes are in a list, the most frequent first. The decoder of rank k takes the k-th shape of every
model that has so many. An event of another shape fails and is tried in the next rank.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Union

import msgspec

from monitor.events.frame import MODEL, Frame
from monitor.events.shapes import Plan, Shape, plan_of

REFUSALS: Final = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What msgspec raises on bytes that are no event of the wanted type."""

_NOBODY: Final = msgspec.defstruct("Nobody", [], tag_field=MODEL, tag="\x00nobody")


class Typed:
    """The typed decoders of all models in one role.

    Parameters
    ----------
    frames
        by model name.
    enabled
        with False nothing is ever decoded here.

    Attributes
    ----------
    plans
        by struct type, what its instances are; model and shape beside it.
    """

    def __init__(self, frames: Mapping[str, Frame], *, enabled: bool = True) -> None:
        self._frames = frames
        self._shapes: dict[str, list[Shape]] = {name: [] for name in frames}
        self._known: dict[tuple[str, Shape], Plan | None] = {}
        self._ranks: list[tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[list[Any]]]] = []
        self._enabled = enabled
        self.plans: dict[type, tuple[Plan, str, Shape]] = {}
        for name in frames:
            self.learn(name, Shape())

    def learn(self, name: str, shape: Shape) -> int | None:
        """Take up a shape of a model; its rank, or None when it is known already or cannot be typed."""
        if not self._enabled or (name, shape) in self._known:
            return None
        plan = self._known[name, shape] = plan_of(self._frames[name], shape)
        if plan is None:
            return None
        self._shapes[name].append(shape)
        self.plans[plan.struct] = (plan, name, shape)
        self._build()
        return len(self._shapes[name]) - 1

    def promote(self, seen: Mapping[tuple[str, Shape], int]) -> None:
        """Put each model's most frequent shape first, by the events of one chunk."""
        for name, shapes in self._shapes.items():
            counts = [seen.get((name, shape), 0) for shape in shapes]
            if counts and max(counts) > counts[0]:
                best = counts.index(max(counts))
                shapes[0], shapes[best] = shapes[best], shapes[0]
                self._build()

    def decode_all(self, messages: Sequence[bytes], suspects: Collection[int]) -> tuple[list[Any], int]:
        """Each message as one event of the first rank, or None; suspects are not tried. And the number of None."""
        if not self._ranks:
            return [None] * len(messages), len(messages)
        if suspects:
            messages = [b"" if i in suspects else message for i, message in enumerate(messages)]
        return _decode_each(self._ranks[0][0], messages)

    def decode_some(
        self, first_rank: int, structs: list[Any], raws: Sequence[bytes], positions: list[int]
    ) -> list[int]:
        """Fill in the events at `positions`, in one rank after the other; those that are left."""
        for decoder, _ in self._ranks[first_rank:]:
            if not positions:
                break
            decoded, _ = _decode_each(decoder, [raws[position] for position in positions])
            left = []
            for position, struct in zip(positions, decoded, strict=True):
                if struct is None:
                    left.append(position)
                structs[position] = struct
            positions = left
        return positions

    def decode_array(self, message: bytes) -> list[Any] | None:
        """The elements of an array as events of one rank; None when some are not."""
        for _, decoder in self._ranks:
            try:
                return decoder.decode(message)
            except REFUSALS:
                continue
        return None

    def _build(self) -> None:
        self._ranks = []
        for rank in range(max(map(len, self._shapes.values()), default=0)):
            plans = [self._known[name, shapes[rank]] for name, shapes in self._shapes.items() if len(shapes) > rank]
            structs: list[Any] = [plan.struct for plan in plans if plan is not None]
            if len(self._frames) > 1 and len(structs) == 1:
                structs.append(_NOBODY)  # alone, a tagged struct would accept an event that names no model
            event: Any = Union[tuple(structs)]  # noqa: UP007 - built at run time
            self._ranks.append((msgspec.json.Decoder(event), msgspec.json.Decoder(list[event])))


def _decode_each(decoder: msgspec.json.Decoder[Any], messages: Sequence[bytes]) -> tuple[list[Any], int]:
    """Decode in C, message after message; where one fails, None, and on from the next."""
    found: list[Any] = []
    n_failed = 0
    rest = map(decoder.decode, messages)
    while True:
        try:
            found.extend(rest)  # keeps what came before an error, and `rest` goes on after it
        except REFUSALS:
            found.append(None)
            n_failed += 1
        else:
            return found, n_failed
