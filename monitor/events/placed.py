"""Models and segments that messages are told by: a header, or the topic they came by."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec
import numpy as np

from detectors.arrays import Codes
from monitor.events.batch import Batch, Decoded, Rejected
from monitor.events.lookup import dimension_codes
from monitor.events.mapping import is_origin
from monitor.events.models import ModelSpec, Role
from monitor.events.origin import Origins
from monitor.events.outcome import merge
from monitor.events.reasons import Reason


class _Decoder(Protocol):
    def decode_messages(
        self,
        messages: Sequence[bytes | None],
        content_types: Sequence[bytes | str | None] | None,
        role: Role,
        now_ms: int,
        origins: Origins | None = None,
    ) -> Decoded: ...


def known(model: ModelSpec) -> ModelSpec:
    """A model whose events need not name it, and whose segments lie where they do in a file, until they are told."""
    mapping = model.mapping
    own = {name: place for name, place in mapping.segments.items() if not is_origin(place)}
    name = "" if is_origin(mapping.model) else mapping.model
    return replace(model, mapping=msgspec.structs.replace(mapping, model=name, segments=own))


class PlacedDecoder:
    """Divides messages among decoders: one for each model that a header or the topic tells, one for all others.

    Parameters
    ----------
    models
        every configured model.
    decoder
        makes a decoder of some of them.
    """

    def __init__(self, models: Sequence[ModelSpec], decoder: Callable[[Sequence[ModelSpec]], _Decoder]) -> None:
        self._names = tuple(model.name for model in models)
        self._models = {model.name: model for model in models}
        self._told = {model.name: model.mapping.model for model in models if is_origin(model.mapping.model)}
        self._decoders = {name: decoder([self._models[name]]) for name in self._told}
        others = [model for model in models if model.name not in self._told]
        self._others = decoder(others) if others else None
        self._indices = {
            model.name: [dimension_codes(values) for values in model.dimensions.values()] for model in models
        }

    def decode_messages(
        self,
        messages: Sequence[bytes | None],
        content_types: Sequence[bytes | str | None] | None,
        role: Role,
        now_ms: int,
        origins: Origins,
    ) -> Decoded:
        """Decode messages; one whose model nothing tells is one reject."""
        places: dict[str, list[int]] = {}
        for message in range(len(messages)):
            places.setdefault(self._model(message, origins), []).append(message)
        parts = []
        for name, own in places.items():
            decoder = self._decoders.get(name, self._others)
            at = np.array(own, dtype=np.int32)
            if decoder is None:
                parts.append((self._refused(messages, own, origins), at))
                continue
            types = None if content_types is None else [content_types[message] for message in own]
            values = [messages[message] for message in own]
            decoded = decoder.decode_messages(values, types, role, now_ms, origins.at(own))
            rejects = [one if one.model else replace(one, model=name) for one in decoded.rejects]
            parts.append((replace(decoded, rejects=rejects), at))
        decoded = merge(self._names, parts)
        return replace(decoded, batches=[self._with_segments(batch, origins) for batch in decoded.batches])

    def _model(self, message: int, origins: Origins) -> str:
        """The model that a message is told to be of; "" for none."""
        return next((name for name, place in self._told.items() if origins.value(place, message) == name), "")

    def _refused(self, messages: Sequence[bytes | None], places: Sequence[int], origins: Origins) -> Decoded:
        rejects = []
        for number, message in enumerate(places):
            told = {place: origins.value(place, message) for place in dict.fromkeys(self._told.values())}
            shown = ", ".join(f"no {place}" if value is None else f"{place} {value!r}" for place, value in told.items())
            rejects.append(
                Rejected(
                    message=number,
                    index=0,
                    reason=Reason.UNKNOWN_MODEL,
                    detail=f"{shown}: no model of this name (mapping.model)"[:200],
                    model="",
                    raw=messages[message] or b"",
                    foreign=any(value is not None for value in told.values()),
                )
            )
        return Decoded(batches=[], rejects=rejects, n_events=len(rejects))

    def _with_segments(self, batch: Batch, origins: Origins) -> Batch:
        spec = self._models[batch.model]
        placed = {
            dimension: spec.mapping.segments[name]
            for dimension, name in enumerate(spec.dimensions)
            if is_origin(spec.mapping.segments.get(name, ""))
        }
        if not placed:
            return batch
        segments = batch.segments.copy()
        sources, inverse = np.unique(batch.sources, return_inverse=True)
        for dimension, place in placed.items():
            codes = self._indices[batch.model][dimension]
            rest = len(tuple(spec.dimensions.values())[dimension])
            told = [origins.value(place, message) for message in sources.tolist()]
            found: Codes = np.array([rest if value is None else codes.get(value, rest) for value in told], np.int32)
            segments[dimension] = found[inverse]
        return replace(batch, segments=segments)
