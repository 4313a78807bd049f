"""All models on one screen."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from monitor.api.queries.fleet import Changes, Earlier, Headline
from monitor.api.queries.models import Sized
from monitor.api.queries.sizes import size_name
from monitor.api.views.fleet_words import ago, performance_words
from monitor.api.wording import rate, unscored_reason
from monitor.decisions.usual import FEWEST_BEFORE, hour_of_week
from monitor.wording import counted, instant

State = Literal["alerts", "changed", "quiet", "silent", "unscored"]
SPARKS = 24
"""Windows of a line's small chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """One bar: of the columns of the window that ends then how many changed, and how many differ only as the season."""

    end_ms: int
    n_drifted: int
    n_season: int
    n_columns: int

    def share(self, n: int) -> float:
        """Of the columns, in [0, 1]."""
        return n / self.n_columns if self.n_columns else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLine:
    """One version of one model.

    Attributes
    ----------
    state_text: the state in words, for those who do not see its sign.
    size: the windows that the chart is of. n_sizes: how many lengths of windows there are.
    link_s: the length in seconds of those to look at: in which most changed, else those of the chart.
    is_silent: whether rows have stopped to come.
    events_per_min: in the newest window.
    usual: ``usually 900 events/min at this hour``; "" where fewer than three earlier windows are of that hour.
    performance: in words, with what it is compared with; "" where there is none.
    worst: columns that changed most in the newest window, the season apart.
    n_season: columns that differ from the whole reference in the newest window, and only as the season does.
    """

    model: str
    version: str
    state: State
    state_text: str
    size: str
    newest_ms: int
    written_ms: int
    events_per_min: float
    usual: str
    performance: str
    sparks: tuple[Spark, ...]
    worst: tuple[str, ...]
    n_season: int
    n_alerts: int
    n_sizes: int = 1
    link_s: int = 0
    is_silent: bool = False


def main_size(sizes: Sequence[Sized]) -> Sized:
    """The windows to show first: of the length that there are most of, of two such the longer."""
    return max(sizes, key=lambda one: (one.windows, one.size_s))


def by_version(sized: Sequence[Sized]) -> dict[tuple[str, str], list[Sized]]:
    """By model and version, its windows of each length."""
    found: dict[tuple[str, str], list[Sized]] = defaultdict(list)
    for one in sized:
        found[one.model, one.version].append(one)
    return found


def asked_start_ms(own: Sequence[Sized], now_ms: int) -> int:
    """The start of the window whose events are told: the newest, or, of a silent version, the one that should be open.

    Event time is taken to have gone on, since the newest row came, as the clock has: so a late stream's hour is told.
    """
    main, age_ms = main_size(own), _age_ms(own, now_ms)
    size_ms = 1_000 * main.size_s
    return main.last_ms + (age_ms // size_ms * size_ms if _is_silent(own, now_ms) else -size_ms)


def asked_hours(sized: Sequence[Sized], now_ms: int) -> list[int]:
    """The hours of the week that the fleet's windows are compared with."""
    return [
        hour_of_week(asked_start_ms(own, now_ms), 1_000 * main_size(own).size_s) for own in by_version(sized).values()
    ]


def usual_words(main: Sized, start_ms: int, seen: Sequence[tuple[int, int]]) -> str:
    """What earlier windows of the same hour of the week held, their median.

    Parameters
    ----------
    start_ms: of the window to compare.
    seen: start in ms and events of windows of that hour, in any order; those of its own hour do not count.
    """
    size_ms = 1_000 * main.size_s
    before = [n for own_ms, n in seen if own_ms + max(size_ms, 3_600_000) <= start_ms]
    if len(before) < FEWEST_BEFORE:
        return ""
    when = " at this hour" if main.size_s < 86_400 else " on this weekday" if main.size_s == 86_400 else ""
    return f"usually {rate(median(before) / main.size_s * 60)}{when}"


def fleet_lines(
    sized: Sequence[Sized],
    changes: Sequence[Changes],
    headlines: Sequence[Headline],
    alerts: Mapping[str, int],
    now_ms: int,
    earlier: Sequence[Earlier] = (),
) -> list[FleetLine]:
    """Those that need somebody first, then by name. `alerts`: open ones by model."""
    changed: dict[tuple[str, str, int], list[Changes]] = defaultdict(list)
    for change in changes:
        changed[change.model, change.version, change.size_s].append(change)
    known: dict[tuple[str, str], list[Headline]] = defaultdict(list)
    for headline in headlines:
        known[headline.model, headline.version].append(headline)
    before = {(one.model, one.version, one.size_s, one.hour_of_week): one.seen for one in earlier}
    lines = []
    for (model, version), own in by_version(sized).items():
        main = main_size(own)
        sparks = changed[model, version, main.size_s][-SPARKS:]
        newest = [
            all_of[-1]
            for one in own
            if (all_of := changed[model, version, one.size_s]) and all_of[-1].window_end_ms == one.last_ms
        ]
        n_changed = max((one.n_drifted for one in newest), default=0)
        n_alerts = alerts.get(model, 0)
        start_ms = asked_start_ms(own, now_ms)
        hour = hour_of_week(start_ms, 1_000 * main.size_s)
        usual = usual_words(main, start_ms, before.get((model, version, main.size_s, hour), ()))
        silent_ms = _age_ms(own, now_ms) if _is_silent(own, now_ms) else None
        longest = max(newest, key=lambda one: (one.n_drifted, one.size_s), default=None)
        link_s = longest.size_s if longest is not None and n_changed else main.size_s
        where = f" in windows of {size_name(link_s)}" if link_s != main.size_s else ""
        unscored = "" if any(one.n_columns for one in newest) or not newest else unscored_reason(newest[0].reason)
        state, text = _state(n_alerts, n_changed, where, silent_ms, usual, unscored)
        lines.append(
            FleetLine(
                model=model,
                version=version,
                state=state,
                state_text=text,
                size=size_name(main.size_s),
                newest_ms=max(one.last_ms for one in own),
                written_ms=max(one.written_ms for one in own),
                events_per_min=main.last_events / main.size_s * 60,
                usual=usual,
                performance=performance_words(known[model, version], max(one.last_ms for one in own)),
                sparks=tuple(
                    Spark(
                        end_ms=one.window_end_ms,
                        n_drifted=one.n_drifted,
                        n_season=one.n_season,
                        n_columns=one.n_columns,
                    )
                    for one in sparks
                ),
                worst=tuple(longest.worst) if longest is not None else (),
                n_season=max((one.n_season for one in newest), default=0),
                n_alerts=n_alerts,
                n_sizes=len(own),
                link_s=link_s,
                is_silent=silent_ms is not None,
            )
        )
    order: dict[State, int] = {"alerts": 0, "changed": 1, "silent": 2, "unscored": 3, "quiet": 4}
    return sorted(lines, key=lambda one: (order[one.state], one.model, one.version))


def _state(
    n_alerts: int, n_changed: int, where: str, silent_ms: int | None, usual: str, unscored: str
) -> tuple[State, str]:
    changed = f"{counted(n_changed, 'column')} changed{where}" if n_changed else ""
    silent = f"silent for {ago(silent_ms)}" if silent_ms is not None else ""
    if n_alerts:
        return "alerts", counted(n_alerts, "alert") + (f", {silent}" if silent else "")
    if silent:  # what changed last is old by then, and that nothing comes is not told by anything else
        return "silent", silent + (f" ({usual})" if usual else "") + (f"; before, {changed}" if changed else "")
    if changed:
        return "changed", changed
    return ("unscored", f"not scored: {unscored}") if unscored else ("quiet", "quiet")


def _age_ms(own: Sequence[Sized], now_ms: int) -> int:
    return now_ms - max(one.written_ms for one in own)


def _is_silent(own: Sequence[Sized], now_ms: int) -> bool:
    return _age_ms(own, now_ms) > 3_000 * min(one.size_s for one in own)


def spark_path(sparks: Sequence[Spark], kind: Literal["changed", "season", "quiet"]) -> str:
    """Bars of what changed, above them what is only the season, or of windows with neither: the path of an SVG of 150
    by 25.

    The newest is at the right; the highest is at least a quarter of all columns, so that one column is a low bar.
    """
    most = max([0.25, *(one.share(one.n_drifted + one.n_season) for one in sparks)])

    def tall(one: Spark, n: int) -> float:
        return max(24 * one.share(n) / most, 2.5) if n else 0.0

    parts = []
    for number, one in enumerate(sparks, start=SPARKS - len(sparks)):
        changed, season = tall(one, one.n_drifted), tall(one, one.n_season)
        foot, height = {"changed": (25.0, changed), "season": (25.0 - changed, season)}.get(
            kind, (25.0, 0.0 if changed or season else 1.0)
        )
        if height:
            parts.append(f"M{6.2 * number:.1f} {foot:.4g}v-{height:.1f}h5v{height:.1f}z")
    return "".join(parts)


def spark_words(line: FleetLine) -> str:
    """What the small chart shows, for those who do not see it."""
    if not line.sparks:
        return "Columns that changed: no window is known"
    last = line.sparks[-1]
    season = f", and {last.n_season} more differ only as the season does" if last.n_season else ""
    return (
        f"Share of columns that changed in the last {counted(len(line.sparks), 'window')} of {line.size}: "
        f"now {last.n_drifted} of {last.n_columns}{season}"
    )


def changed_words(line: FleetLine) -> str:
    """``2 of 24 now``: what the newest bar of the small chart says; "" without any."""
    if not line.sparks:
        return ""
    now = "now" if line.n_sizes == 1 else f"in the newest window of {line.size}"
    last = line.sparks[-1]
    return f"{last.n_drifted} of {last.n_columns} {now}" if last.n_columns else f"none scored {now}"


def fleet_sentence(lines: Sequence[FleetLine]) -> str:
    """The first line of the screen."""
    if not lines:
        return "No window has closed yet."
    models = {line.model for line in lines}
    needy = {line.model for line in lines if line.state in ("alerts", "changed")}
    heard = {line.model for line in lines if not line.is_silent}
    silent = models - heard - needy
    versions = [line for line in lines if line.is_silent and line.model in heard - needy]
    unscored = {line.model for line in lines if line.state == "unscored"} - needy
    parts = [f"{len(needy):,} {'needs' if len(needy) == 1 else 'need'} you" if needy else "nothing needs you"]
    if silent:
        parts.append(f"{len(silent):,} {'is' if len(silent) == 1 else 'are'} silent")
    if versions:
        parts.append(f"{counted(len(versions), 'version')} {'is' if len(versions) == 1 else 'are'} silent")
    if unscored:
        parts.append(f"{len(unscored):,} {'is' if len(unscored) == 1 else 'are'} not scored")
    newest = max(lines, key=lambda line: line.newest_ms)
    until = f"until {instant(newest.newest_ms)}"
    said = f"{counted(len(models), 'model')}: {', '.join(parts)}."
    if not heard:
        return f"{said} No events come; the last window was {until}."
    events = rate(sum(line.events_per_min for line in lines if not line.is_silent))
    return f"{said} {events} in the newest windows, the last of them {until}."
