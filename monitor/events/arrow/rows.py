"""The rows of one model in one record batch, into the model's sheet."""

from typing import Any

import numpy as np

from detectors.arrays import Bools, Codes, Ints
from detectors.columns import CODE_NULL, NULL
from monitor.events.arrow import direct
from monitor.events.arrow.arrays import BAD_TIME, indices, numbers, present, texts
from monitor.events.arrow.dictionaries import Dictionary
from monitor.events.arrow.ids import id_hashes
from monitor.events.arrow.places import Place, SchemaPlaces
from monitor.events.arrow.probabilities import best_of, of_classes
from monitor.events.arrow.sheet import Sheet
from monitor.events.arrow.times import milliseconds, no_time_of
from monitor.events.frame import Frame
from monitor.events.json.forgiving import Refused, bad_time, bad_version
from monitor.events.looked import Looked, rows_to_look_at
from monitor.events.lookup import MISSING
from monitor.events.parts import code_of, numeric_segment, set_absent
from monitor.events.reasons import Reason
from monitor.events.values import MAX_TEXT


class Rows:
    """Reads a valid record batch, all of whose rows are of one model, into rows [start, start + n) of its sheet."""

    def __init__(self, frame: Frame, places: SchemaPlaces, batch: Any, sheet: Sheet, start: int) -> None:
        self._frame = frame
        self._places = places
        self._batch = batch
        self._sheet = sheet
        self._start = start
        self._stop: int = start + batch.num_rows
        self._exported = direct.Exported(batch)
        self._read: dict[tuple[int, ...], _Categories] = {}

    def numbers(self) -> None:
        """Write the numeric columns."""
        numeric, places = self._sheet.numeric, self._places
        for kind, columns in places.direct:
            direct.read_numbers(self._exported.address, kind, columns, numeric, self._start, self._stop)
        for row, place in places.numbers.items():
            numeric[row, self._start : self._stop] = numbers(place.of(self._batch))
        for row in places.no_numbers:
            numeric[row, self._start : self._stop] = NULL

    def codes(self) -> None:
        """Write the categorical columns, and note what the reference never held."""
        for row, place in self._places.codes.items():
            self._codes(row, place)
        for row in self._places.no_codes:
            self._sheet.codes[row, self._start : self._stop] = CODE_NULL

    def _codes(self, row: int, place: Place, wanted: Bools | None = None) -> None:
        """Write one categorical column, or its wanted rows."""
        column, out = self._categories(place), self._sheet.codes[row, self._start : self._stop]
        table, has_unseen = column.dictionary.codes(self._frame, row)
        found = out if wanted is None else np.empty_like(out)
        column.write(table, found)
        unseen = has_unseen and found == self._frame.columns[row].unseen
        if wanted is not None:
            np.copyto(out, found, where=wanted)
            unseen &= wanted
        if has_unseen:
            rows = np.flatnonzero(unseen)
            values, index = column.dictionary.values, column.indices()[rows].tolist()
            self._unseen(row, [(at, str(values[code])) for at, code in zip(rows.tolist(), index, strict=True)])

    def _unseen(self, row: int, pairs: list[tuple[int, str]]) -> None:
        """Note values that the reference never held, by their row in the batch."""
        if pairs:
            noted = self._sheet.unseen.setdefault(row, [])
            noted += [(self._start + at, value[:MAX_TEXT]) for at, value in pairs]

    def prediction(self) -> None:
        """Write scores and labels that are null from where else they may lie. After the numbers and the codes."""
        frame, places, here = self._frame, self._places, slice(self._start, self._stop)
        for place in places.more_scores:
            assert frame.score is not None
            score = self._sheet.numeric[frame.score, here]
            np.copyto(score, numbers(place.of(self._batch)), where=np.isnan(score))
        for place in places.more_labels:
            assert frame.label is not None
            missing = self._sheet.codes[frame.label, here] == CODE_NULL
            if missing.any():
                self._codes(frame.label, place, missing)
        left = np.arange(self._batch.num_rows) if places.probabilities else np.zeros(0, dtype=np.int64)
        for probabilities in places.probabilities:
            array = probabilities.of(self._batch)
            there = present(array)[left]
            self._probabilities(array, left[there])
            left = left[~there]

    def _probabilities(self, array: Any, rows: Ints) -> None:
        """Of these rows, which have some: each class's own; the largest where there is no score, its class likewise."""
        frame, here = self._frame, slice(self._start, self._stop)
        for row, values in zip(frame.classes.values(), of_classes(array, rows, frame.classes), strict=True):
            self._sheet.numeric[row, self._start + rows] = values
        nothing = np.zeros(len(array), dtype=np.bool_)
        no_score = nothing if frame.score is None else np.isnan(self._sheet.numeric[frame.score, here])
        no_label = nothing if frame.label is None else self._sheet.codes[frame.label, here] == CODE_NULL
        rows = rows[(no_score | no_label)[rows]]
        for row, score, label in best_of(array, rows) if rows.size else ():
            if frame.score is not None and no_score[row]:
                self._sheet.numeric[frame.score, self._start + row] = score
            if frame.label is not None and no_label[row]:
                code = code_of(frame, frame.label, label)
                self._sheet.codes[frame.label, self._start + row] = code
                if code == frame.columns[frame.label].unseen:
                    self._unseen(frame.label, [(row, str(label))])

    def absences(self) -> None:
        """Make absent what rows say nothing of. After the segments, which look at the features."""
        here, places = slice(self._start, self._stop), self._places
        set_absent(
            self._frame,
            self._sheet.numeric[:, here],
            self._sheet.codes[:, here],
            places.has_features.of(self._batch),
            places.has_prediction.of(self._batch),
        )

    def segments(self) -> None:
        """Write the segments: named in `segments`, else the feature of that name, else the rest. After the numbers."""
        frame = self._frame
        for dimension, name in enumerate(frame.dimensions):
            out = self._sheet.segments[dimension, self._start : self._stop]
            named = self._places.segments[dimension]
            if named is None:
                self._feature(dimension, name, out)
                continue
            column = self._categories(named)
            column.write(column.dictionary.segments(frame, dimension, MISSING), out)
            missing = out == MISSING
            if missing.any():
                feature = np.empty_like(out)
                self._feature(dimension, name, feature, missing)
                np.copyto(out, feature, where=missing)

    def _feature(self, dimension: int, name: str, out: Codes, wanted: Bools | None = None) -> None:
        """Write a dimension's segments as the feature of its name gives them; at least the wanted rows."""
        frame, place = self._frame, self._places.features[dimension]
        if name in frame.numeric:
            values = self._sheet.numeric[frame.numeric[name], self._start : self._stop]
            everywhere = np.ones(out.size, dtype=np.bool_)
            numeric_segment(frame, values, dimension, out, everywhere if wanted is None else wanted)
        elif place is None:
            out[:] = frame.rest[dimension]
        else:
            column = self._categories(place)
            column.write(column.dictionary.segments(frame, dimension, frame.rest[dimension]), out)

    def event(self, positions: Ints, default_version: str | None, now_ms: int) -> list[tuple[int, Refused]]:
        """Write positions, times and versions; drop the bad rows. Each bad row of the batch, and why."""
        sheet, here = self._sheet, slice(self._start, self._stop)
        sheet.positions[here] = positions
        times_ms = sheet.timestamps_ms[here]
        self._times(times_ms)
        bad_versions = self._versions(default_version)
        if self._places.identity is not None:
            sheet.ids[here] = id_hashes(self._places.identity.of(self._batch), self._frame.spec.name)
        bad_id = None if self._places.prediction_id is None else present(self._places.prediction_id.of(self._batch))
        latest = now_ms + self._frame.spec.max_ahead_ms
        if bad_versions is None and bad_id is None and times_ms.min() >= 0 and times_ms.max() <= latest:
            return []
        bad = (times_ms < 0) | (times_ms > latest)
        for more in (bad_versions, bad_id):
            if more is not None:
                bad |= more
        rows = np.flatnonzero(bad)
        if rows.size:
            sheet.drop(self._start + rows)
        name, mapping = self._frame.spec.name, self._frame.spec.mapping
        refused = []
        for row in rows.tolist():
            if bad_id is not None and bad_id[row]:
                why = Refused(Reason.MISSING_ID, f"{mapping.prediction_id} is neither text nor an integer", name)
            elif times_ms[row] < 0:
                why = self._no_time(row)
            elif bad_versions is not None and bad_versions[row]:
                why = bad_version(mapping.version, name)
            else:
                why = bad_time(int(times_ms[row]), now_ms, name)
            why.time_ms = int(times_ms[row]) if 0 <= times_ms[row] <= latest else None
            refused.append((row, why))
        return refused

    def look(self, looked: Looked) -> None:
        """Note what some of the rows have that nothing reads. After the numbers; bad rows are left out."""
        here = slice(self._start, self._stop)
        times_ms = self._sheet.timestamps_ms[here]
        rows = rows_to_look_at(times_ms, self._sheet.numeric[:, here])
        rows = rows[self._sheet.kept(here)[rows]]
        if not rows.size:
            return
        there = {name: present(place.of(self._batch))[rows] for name, place in self._places.unknown.items()}
        for at, row in enumerate(rows.tolist()):
            looked.add(int(times_ms[row]), [name for name, values in there.items() if values[at]])

    def _no_time(self, row: int) -> Refused:
        """Why a row's time is none, in the words for JSON where JSON could hold it."""
        spec = self._frame.spec
        place, where = self._places.timestamp, spec.mapping.timestamp
        return no_time_of(self._batch, row, place, where, self._frame.times, spec.name)

    def _times(self, out: Ints) -> None:
        place = self._places.timestamp
        if place is None:
            out[:] = BAD_TIME
        elif self._places.clock is not None:
            direct.read_times(self._exported.address, place.steps[0], self._places.clock, out)
        else:
            out[:] = milliseconds(place.of(self._batch), self._frame.times)

    def _versions(self, default: str | None) -> Bools | None:
        """Write the versions; (n,) which of them are none (see `bad_version`), or None when all are some."""
        sheet, place = self._sheet, self._places.version
        out = sheet.version_codes[self._start : self._stop]
        if place is None:
            fits = default is None or len(default) <= MAX_TEXT
            out[:] = sheet.version(default or "" if fits else "")
            return None if fits else np.ones(out.size, dtype=np.bool_)
        found = texts(place.of(self._batch))
        wrong = np.array(
            [value is not None and not (isinstance(value, str) and len(value) <= MAX_TEXT) for value in found.values]
        )
        codes = [
            sheet.version(value if isinstance(value, str) and not bad else "")
            for value, bad in zip(found.values, wrong.tolist(), strict=True)
        ]
        out[:] = np.array(codes, dtype=np.int32)[found.codes]
        return wrong[found.codes] if wrong.any() else None

    def _categories(self, place: Place) -> "_Categories":
        column = self._read.get(place.steps)
        if column is None:
            column = self._read[place.steps] = _Categories(self._places, place, self._batch, self._exported)
        return column


class _Categories:
    """A column as the categories that occur in it, and each row's index among them."""

    def __init__(self, places: SchemaPlaces, place: Place, batch: Any, exported: direct.Exported) -> None:
        self._place = place
        self._array = place.of(batch)
        self._exported = exported
        self._indices: Ints | None = None
        if place.dictionary_kind is not None:
            self.dictionary = places.dictionaries.of(place.steps[0], self._array.dictionary)
        else:
            found = texts(self._array)
            self.dictionary = Dictionary(found.values)
            self._indices = found.codes

    def indices(self) -> Ints:
        """(n,) each row's index in `dictionary.values`."""
        if self._indices is None:
            self._indices = indices(self._array)
        return self._indices

    def write(self, table: Codes, out: Codes) -> None:
        """Write table[index of each row]."""
        if self._indices is None:
            address, place = self._exported.address, self._place
            if direct.read_codes(address, place.dictionary_kind, place.steps[0], table, out):
                return
        out[:] = table[self.indices()]
