"""A window beside its seasons in its own proportions: the weights, the sum, its null distribution, and both laws."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import objects_of
from support.flow import MINUTE_MS, Event, make_batch, make_reference, make_watched, message_of
from support.machine import Machine, clock

from detectors.baseline import Counts
from detectors.cells_null import null_moments
from detectors.methods.js import _divergence, divergence_term
from detectors.mixture import alike, mixture
from detectors.reference import WHOLE, Reference
from detectors.score import score_stack
from detectors.settings import Setting
from detectors.sketch import Sketch
from detectors.stack import added, stacked
from detectors.tables import null_proportions
from monitor.evaluation.compare import Compare
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.same_seasons import season_factors
from monitor.eventtime.seasons import time_in_seasons
from monitor.eventtime.windows import FixedShape, Window
from monitor.sketching.batch import sketch_batch
from monitor.sketching.messages import SketchMessage

HOUR_MS = 60 * MINUTE_MS
BASE = make_reference()
SEASONAL = Compare(season="hour_of_day")
FACTORS = st.lists(st.integers(0, 40).map(lambda n: n / 8.0), min_size=3, max_size=3).filter(any)


def part_of(values: np.ndarray, seed: int = 0) -> Mapping[str, Sketch]:
    """Rows with these values as sketches in the cells of `BASE`."""
    rng = np.random.default_rng((7, seed))
    events = [Event(0, float(v), int(rng.integers(0, 4)), int(rng.integers(0, 3))) for v in values]
    return {key.segment: one for key, one in sketch_batch(make_batch(events, BASE), BASE, HOUR_MS)}


def parts_of(seed: int) -> list[Mapping[str, Sketch]]:
    rng = np.random.default_rng(seed)
    return [part_of(rng.normal(h, 1.0, int(rng.integers(0, 60)) + 1), seed + h) for h in range(3)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 20), FACTORS, st.permutations(range(3)))
def test_a_mixture_is_the_weighted_sum_in_whole_rows_as_many_as_it_is_worth(
    seed: int, factors: list[float], order: list[int]
) -> None:
    layout, parts = BASE.layout, parts_of(seed)
    mixed = mixture(layout, parts, factors)
    same = mixture(layout, [parts[i] for i in order], [factors[i] for i in order])
    for row, name in enumerate(mixed.names):
        own = [(part[name], factor) for part, factor in zip(parts, factors, strict=True) if factor and name in part]
        worth = sum(f * one.n for one, f in own) / sum(f * f * one.n for one, f in own)
        kish = sum(f * one.n for one, f in own) ** 2 / sum(f * f * one.n for one, f in own)
        assert mixed.events[row, 0] == pytest.approx(kish, abs=0.51)
        exact = sum(worth * f * one.counts for one, f in own)
        for column in range(len(layout.columns)):
            cells = layout.cells(column)
            off = np.abs(np.cumsum(mixed.counts[row, cells]) - np.cumsum(exact[cells]))
            assert off.max() <= 0.5 + 1e-5
        values = np.array([worth * f * one.valid[0] for one, f in own])
        mean = np.average([one.mean[0] for one, _ in own], weights=values)
        squares = (
            sum(worth * f * one.m2[0] for one, f in own) + values @ (np.array([o.mean[0] for o, _ in own]) - mean) ** 2
        )
        assert mixed.mean[row, 0] == pytest.approx(mean, abs=1e-9)
        assert mixed.m2[row, 0] == pytest.approx(squares)
    assert np.all(mixed.counts >= 0)
    np.testing.assert_array_equal(mixed.counts, same.counts)
    np.testing.assert_array_equal(mixed.nulls, same.nulls)


@given(st.integers(0, 1 << 20), st.floats(0.01, 100.0))
@settings(max_examples=20, deadline=None)
def test_equal_factors_make_the_plain_sum(seed: int, factor: float) -> None:
    parts = parts_of(seed)
    assert alike([factor] * 3)
    mixed = mixture(BASE.layout, parts, [factor] * 3)
    plain = added(BASE.layout, [stacked(BASE.layout, part) for part in parts])
    for name in ("names", "counts", "nulls", "invalid", "events", "minimum", "maximum"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(plain, name))


def test_the_null_distribution_knows_what_weights_cost() -> None:
    """Two hours a standard deviation apart; the window has five times as many rows of the one as of the other, the
    reference as many of both. Beside the mixture the squared statistic has the mean that it has on unchanged data."""
    rng = np.random.default_rng(5)
    location, z2 = Setting(method="location", threshold=0.1), {"mixture": [], "sum": []}
    for number in range(120):
        reference = [part_of(rng.normal(h, 1.0, 400), number) for h in range(2)]
        window = stacked(BASE.layout, part_of(np.concatenate([rng.normal(0, 1, 250), rng.normal(1, 1, 50)]), number))
        sides = {
            "mixture": mixture(BASE.layout, reference, [250 / 400, 50 / 400]),
            "sum": added(BASE.layout, [stacked(BASE.layout, part) for part in reference]),
        }
        for name, side in sides.items():
            scores = score_stack(BASE, window, [location], 10, baseline=Counts(stack=side, live=False))
            row = list(scores.segment).index(scores.segments.index(WHOLE))
            n, m = int(scores.n_current[row]), int(scores.n_reference[row])
            z2[name].append(scores.statistic[row] ** 2 * n * m / (n + m))
            if name == "mixture":
                assert m == pytest.approx(300**2 / (250**2 / 400 + 50**2 / 400), abs=1)
    assert 0.5 < np.mean(z2["mixture"]) < 1.4
    assert np.mean(z2["sum"]) > 5.0


def test_shares_of_a_hundred_categories_are_told_from_the_whole_as_far_as_a_part_agrees_with_it() -> None:
    rng = np.random.default_rng(3)
    shares = np.arange(1, 101.0) ** -1.0
    shares /= shares.sum()
    whole = rng.multinomial(50_000, shares)
    part = rng.multivariate_hypergeometric(whole, 400)
    other = rng.multinomial(400, shares[::-1])
    same, different = null_proportions(np.stack([part, other]), np.stack([whole, whole]))
    of_whole = whole / whole.sum()
    assert np.abs(same - of_whole).sum() < 0.25 * np.abs(part / 400 - of_whole).sum()
    assert np.abs(different - other / 400).sum() < 0.2
    assert same.sum() == pytest.approx(1.0)
    assert different.sum() == pytest.approx(1.0)


def test_a_few_hours_of_one_category_alone_do_not_make_the_others_of_the_whole_impossible() -> None:
    """They did: one such row among fifty had p = 0. And what rounding left of one minus a share of one was divided by:
    panes of such hours showed a dispersion of 1e16 or of -1e16, which segments share, so that none was dependent."""
    whole = np.array([[9_800, 120, 60, 20]])
    part = np.array([[300, 0, 0, 0]])
    (shares,) = null_proportions(part, whole)
    assert shares.sum() == pytest.approx(1.0)
    assert 0.005 < 1.0 - shares[0] <= 0.02
    null = null_moments(divergence_term, shares[None], np.array([50]), np.array([300]))
    live = np.array([[0.98, 0.02, 0.0, 0.0]])
    x = 8.0 * _divergence(part / 300, live) * 50 * 300 / 350
    exact = 1.0 - (1.0 - 0.0101) ** 50  # that a window has any, were there as many as may be
    assert 0.1 < float(null.sf(x)[0]) < 2.0 * exact
    rng = np.random.default_rng(5)
    wholes = rng.integers(1, 10_000, size=(2_000, 4))
    parts = np.zeros_like(wholes)
    parts[np.arange(2_000), rng.integers(0, 4, 2_000)] = rng.integers(2, 50, 2_000)
    sizes = parts.sum(axis=1)
    means = null_moments(divergence_term, null_proportions(parts, wholes), sizes, sizes).mean
    assert ((means == 0.0) | (means > 1e-6)).all()


def test_each_hour_counts_as_often_as_the_window_has_it() -> None:
    rows = dict.fromkeys(range(168), 300)
    hours = [(Window(start_ms=h * HOUR_MS, end_ms=(h + 1) * HOUR_MS), 50) for h in range(400)]
    factors = season_factors(hours, "hour_of_week", "UTC", rows)
    in_window = time_in_seasons(Window(start_ms=0, end_ms=400 * HOUR_MS), "hour_of_week")
    assert factors == pytest.approx({h: in_window[h] / HOUR_MS * 50 / 300 for h in range(168)})
    whole = season_factors([(Window(start_ms=0, end_ms=400 * HOUR_MS), 20_000)], "hour_of_week", "UTC", rows)
    assert whole == pytest.approx(factors)


def test_seasons_that_the_reference_lacks_count_for_nothing() -> None:
    hours = [(Window(start_ms=h * HOUR_MS, end_ms=(h + 1) * HOUR_MS), 10 * (h + 1)) for h in range(3)]
    assert season_factors(hours, "hour_of_day", "UTC", {0: 5, 2: 10}) == pytest.approx({0: 2.0, 2: 3.0})
    assert season_factors(hours, "hour_of_day", "UTC", {}) == {}


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
def test_time_in_seasons_adds_up_to_the_window_when_clocks_change_too(timezone: str) -> None:
    for start_ms in (1_743_289_200_000, 1_761_433_200_000):  # 2025: clocks go forward, and back, in these days
        window = Window(start_ms=start_ms, end_ms=start_ms + 26 * HOUR_MS)
        times_ms = time_in_seasons(window, "hour_of_day", timezone)
        assert sum(times_ms.values()) == 26 * HOUR_MS
        assert list(times_ms) == sorted(times_ms)


# Both laws -----------------------------------------------------------------------------------------------------------


def seasonal_reference() -> Reference:
    hours = {h: part_of(np.random.default_rng((9, h)).normal(h / 3.0, 1.0, 200), h) for h in range(5)}
    return Reference(
        model="m", version="1", layout=BASE.layout, dimensions=BASE.dimensions, sketches=BASE.sketches,
        cell_means=BASE.cell_means, seasons={"hour_of_day": hours},
    )  # fmt: skip


REFERENCE = seasonal_reference()
MODEL = make_watched(
    REFERENCE,
    shapes=(FixedShape(size_ms=90 * MINUTE_MS, every_ms=30 * MINUTE_MS),),
    retention_ms=MINUTE_MS,
    min_samples=2,
    compare=(SEASONAL,),
)


def events_of(seed: int) -> list[Event]:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, 280 * MINUTE_MS, 500))
    order = np.argsort(times + rng.integers(0, MINUTE_MS, 500), kind="stable")
    return [Event(int(times[i]), float(rng.normal()), int(rng.integers(0, 4)), int(rng.integers(0, 3))) for i in order]


def messages_of(events: Sequence[Event], sizes: Sequence[int], n_partitions: int) -> list[SketchMessage]:
    latest = [-1] * n_partitions
    messages, position = [], 0
    while position < len(events):
        part = events[position : position + sizes[len(messages) % len(sizes)]]
        partition = len(messages) % n_partitions
        position += len(part)
        latest[partition] = max(latest[partition], *(event.time_ms for event in part))
        messages.append(message_of(part, REFERENCE, MODEL, [clock(partition, latest[partition])], n_partitions))
    end_ms = max(latest) + 200 * MINUTE_MS
    return [*messages, message_of([], REFERENCE, MODEL, [clock(p, end_ms) for p in range(n_partitions)], n_partitions)]


def figures(messages: Sequence[SketchMessage]) -> dict[tuple[object, ...], tuple[object, ...]]:
    machine = Machine(Evaluator([MODEL]))
    for offset, message in enumerate(messages):
        assert machine.take(offset, message)
    return {
        (row.segment, row.column, row.method, row.window_start_ms): (
            row.n_reference,
            row.n_current,
            row.compare,
            repr((row.statistic, row.effect, row.p_value)),
        )
        for row in objects_of(machine.sent, "drift_score")
    }


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1 << 20), st.lists(st.integers(20, 200), min_size=1, max_size=4), st.integers(1, 3))
def test_sizes_of_messages_and_partitions_do_not_show(seed: int, sizes: list[int], n_partitions: int) -> None:
    events = events_of(seed)
    at_once = figures(messages_of(events, [len(events)], 1))
    assert figures(messages_of(events, sizes, n_partitions)) == at_once
    assert len(at_once) > 50
    # Of some windows the hours count unequally: the reference's 200 rows of each are worth fewer.
    worth = [int(row[0]) for key, row in at_once.items() if key[:3] == ("", "value", "ks")]  # type: ignore[call-overload]
    assert any(n % 200 for n in worth)
    assert max(worth) <= 600
