"""Whether rows are what a serving system logs, and the events in them. Pure."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from detectors.layout import Layout
from monitor.events.json.forgiving import Refused
from monitor.events.mapping import MODEL, Mapping
from monitor.events.models import ModelSpec, Task
from monitor.events.serving.events import Envelopes, named_in, time_in
from monitor.events.serving.forms import FORMS

SENT: Final = "\0sent_ms"
"""The key under which a record may carry the time that Kafka holds for its message."""

_LOOKED_AT: Final = 200
_FEWEST: Final = 0.5
"""The share of the rows that look like one form."""

Event = dict[str, Any]


class ServingForm(msgspec.Struct, frozen=True, kw_only=True):
    """A preset, the model that the first record names ("" for none), and how its predictions are read.

    Attributes
    ----------
    apart
        Whether requests and responses are records of their own.
    """

    preset: str
    name: str
    task: Task
    apart: bool = False

    def events(
        self, records: Iterable[Event], refuse: Callable[[Refused, Event], None] = lambda _refused, _record: None
    ) -> Iterator[Event]:
        """The events of records; those that cannot be taken apart, or are of other models, are refused."""
        mapping = Mapping(preset=self.preset)  # type: ignore[arg-type]  # of FORMS
        spec = ModelSpec(name=self.name or "model", layout=Layout([]), task=self.task, envelope=mapping)
        envelopes = Envelopes([spec])
        for record in records:
            try:
                found = envelopes.events(record, record.get(SENT))
            except Refused as refused:
                refuse(refused, record)
                continue
            yield from ({key: value for key, value in event.items() if key != MODEL} for event in found)


def serving_form(records: Iterable[Event]) -> ServingForm | None:
    """The form that most of the first rows have; None for plain events."""
    some = list(islice(records, _LOOKED_AT))
    for preset, form in FORMS.items():
        known = [record for record in some if form.recognises(record)]
        if len(known) < max(1, _FEWEST * len(some)):
            continue
        name = next((name for record in known if (name := named_in(record, form))), "")
        found = ServingForm(preset=preset, name=name, task="multiclass")
        events = list(found.events(known))
        if not events:
            continue
        predictions = [event["prediction"] for event in events if isinstance(event.get("prediction"), dict)]
        of_two = [one["probabilities"] for one in predictions if one.get("probabilities")]
        if of_two and all(len(one) == 2 for one in of_two):
            found = msgspec.structs.replace(found, task="binary")
        sides = [("features" in event, "prediction" in event) for event in events]
        apart = (True, True) not in sides and len(set(sides)) > 1
        return msgspec.structs.replace(found, apart=apart)
    return None


def kept(record: Event) -> Event:
    """A record as it may lie in a file: with the time of its message where it has none of its own."""
    if SENT not in record:
        return record
    plain = {key: value for key, value in record.items() if key != SENT}
    known = any(form.recognises(plain) and time_in(plain, form) is not None for form in FORMS.values())
    return plain if known else {**plain, "timestamp": record[SENT]}
