"""The page: what was simulated, and what came of it, as it is."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.alert_table.awake import HORIZON, AwakeRound
from monitor.alert_table.late_labels import LATE_HORIZON, LEAST_HOURS, MOST_HOURS, QUIET_HOURS, LateRound
from monitor.alert_table.relation import HORIZON as RELATION_HORIZON
from monitor.alert_table.relation import REFERENCE_DAYS as LABELLED_DAYS
from monitor.alert_table.relation import RelationRound
from monitor.alert_table.rounds import HOURS, QuietRound, Raised
from monitor.alert_table.rules import RULES
from monitor.alert_table.streams import N_ROWS, REFERENCE_DAYS, SEASONAL
from monitor.wording import counted

HOURS_A_YEAR: Final = 365 * 24
BUDGET_A_YEAR: Final = 365 / 30
WANTED: Final = 200
"""Unchanged streams, of all worlds together."""
_TABLE: Final = "| change | "
_RELATION: Final = "| a relation changed: "
_LATE: Final = "| a relation changed, labels 2 to 3 days late: "
_MARKED: Final = "*A relation changed*"
_MARKED_LATE: Final = "*Labels 2 to 3 days late*"
_Delays = Sequence[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows of the last table that begin with something, and the paragraph of a mark that says what they are of."""

    begins: str
    marked: str
    rows: Sequence[str] = ()
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that the page shows; a world without rounds was not run."""

    seed: int
    weeks: int
    calibration_weeks: int
    quiet: Mapping[str, Sequence[QuietRound]]
    awake: Sequence[AwakeRound]
    relation: Sequence[RelationRound] = ()
    late: Sequence[LateRound] = ()


def page(results: Results) -> str:
    """The Markdown of `docs/alerts-simulation.md`."""
    bare = "\n".join([*_head(results), *_quiet(results), *_awake(results)]) + "\n"
    return _renewed(bare, _relation(results.relation), _late(results.late)) if results.awake else bare


def with_relation(text: str, rounds: Sequence[RelationRound]) -> str:
    """A page with its rows of changed relations made new, and nothing else."""
    return _renewed(text, _relation(rounds), _late([]))


def with_late_labels(text: str, rounds: Sequence[LateRound]) -> str:
    """A page with its rows of labels that come late made new, and nothing else."""
    return _renewed(text, _relation([]), _late(rounds))


def _renewed(text: str, *parts: _Rows) -> str:
    """A page with the rows and the paragraphs of `parts` in their order; of a part without rows it keeps its own."""
    blocks = text.rstrip("\n").split("\n\n")
    table = next(number for number, block in enumerate(blocks) if block.startswith(_TABLE))
    lines = blocks[table].splitlines()
    rows: list[str] = []
    said: list[str] = []
    for part in parts:
        rows += part.rows or [line for line in lines if line.startswith(part.begins)]
        said += [part.said] if part.rows else [block for block in blocks[table + 1 :] if block.startswith(part.marked)]
    kept = [line for line in lines if not line.startswith(tuple(part.begins for part in parts))]
    return "\n\n".join([*blocks[:table], "\n".join([*kept, *rows]), *said]) + "\n"


def _head(results: Results) -> list[str]:
    n = sum(_streams(rounds) for rounds in results.quiet.values())
    left = [world for world, rounds in results.quiet.items() if not rounds]
    wanted = f", of {WANTED} wanted" if n < WANTED else ""
    return [
        "# What alerts are worth",
        "",
        _text(
            f"""Written by `make alerts`, never by hand; seed {results.seed}. {n} unchanged streams of 30 days of hourly
            windows{wanted}: 50 columns (40 numeric, 10 categorical) in the whole and ten segments, {N_ROWS} rows a
            window, each world beside references of {REFERENCE_DAYS} days of its own. `make alerts` alone runs {WANTED};
            rounds that were run are kept, so that a run that is broken off goes on where it was.
            {f"Not run for this page: {', '.join(left)}." if left else ""}"""
        ),
        "",
        _text(
            f"""Each reference has {results.weeks} weeks of windows that the product's own path has judged (`reference
            build`, `accumulate`, scores, verdicts, `closed_windows`, `decide`); a stream takes each of its windows from
            these, in a world with seasons from those of its hour of the week. In these worlds windows have nothing else
            in common, so that a stream of them is a stream of the world; but streams of one reference share windows,
            and a window may come more than once in a stream. Kafka and late data are not simulated, labels for the last
            rows alone; what finds a change in the sequence of errors is in `docs/detectors.md`."""
        ),
        "",
    ]


def _quiet(results: Results) -> list[str]:
    lines = [
        "## Quiet: alerts per stream-year where nothing changed",
        "",
        _text(
            f"""Ours: alerts raised, over all streams; the budget is the default's, 1 per 30d, or 12.2 a stream-year.
            *calibrated*: with the factor that `driftline calibrate` finds on quiet time of the same reference, weeks:
            {results.calibration_weeks}; x 1: it kept its budget as it was. Fixed rules: windows in which anything is
            flagged, of those that were read, times 8,760; PSI and KS look at the whole and the segments, Evidently and
            NannyML at the whole alone."""
        ),
        "",
        "| world | policy | streams | stream-years | alerts | a stream-year | streams with one |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for world, rounds in results.quiet.items():
        if not rounds:
            continue
        for policy in rounds[0].raised:
            own = [one.raised[policy] for one in rounds if policy in one.raised]
            alarms = [n for one in own for n in one.alarms]
            years = len(alarms) * HOURS / HOURS_A_YEAR
            lines.append(
                f"| {world} | {_policy(policy, own)} | {len(alarms)} | {years:.2f} | {sum(alarms)} | "
                f"**{sum(alarms) / years:.1f}** | {sum(n > 0 for n in alarms)} |"
            )
        for rule in RULES:
            read, flagged = (sum(one.rules[rule][place] for one in rounds) for place in (0, 1))
            lines.append(
                f"| {world} | {rule} | {read} windows | | {flagged} | {flagged / read * HOURS_A_YEAR:,.0f} | |"
            )
        for compare in rounds[0].drifted:
            read, found = (sum(one.drifted[compare][place] for one in rounds) for place in (0, 1))
            lines.append(
                f"| {world} | any verdict of ours that drifted, {compare} | {read} windows | | {found} | "
                f"{found / read * HOURS_A_YEAR:,.0f} | |"
            )
    return [*lines, "", *_judgement(results), ""]


def _policy(name: str, own: Sequence[Raised]) -> str:
    if not name.endswith("calibrated"):
        return name
    return f"{name} (x {', '.join(f'{one.factor:g}' for one in own)})"


def _judgement(results: Results) -> list[str]:
    """Whether the targets were reached, in figures."""
    lines = []
    for world, rounds in results.quiet.items():
        if not rounds:
            lines.append(f"- {world}: not run.")
            continue
        policy = "season: hour_of_week, calibrated" if world in SEASONAL else "pinned, calibrated"
        if world == "independent":
            policy = "pinned, default"
        alarms = [n for one in rounds for n in one.raised[policy].alarms]
        rate = sum(alarms) / (len(alarms) * HOURS / HOURS_A_YEAR)
        bound = 1.0 if world == "independent" else 2 * BUDGET_A_YEAR
        reached = "reached" if rate <= bound else "**not reached**"
        lines.append(f"- {world}, {policy}: {rate:.1f} a stream-year, at most {bound:.1f} wanted: {reached}.")
    return lines


def _awake(results: Results) -> list[str]:
    first = results.awake[0] if results.awake else None
    if first is None:
        return ["## Awake: changes that are found", "", "Not run for this page."]
    n = sum(len(one.delays["nothing"]) for one in results.awake)
    lines = [
        "## Awake: changes that are found",
        "",
        _text(
            f"""Of the independent world: one column changes after a quiet day. Ours, the default policy: of {n} tries
            each, those in which an alert named the column within {HORIZON} windows, and the windows that took, the one
            with the alert included. Fixed rules have no memory: the share of changed windows in which they flag the
            column. *nothing* is the same where nothing changed: what a rule flags there says nothing elsewhere."""
        ),
        "",
        "| change | ours: found | half within | 90 % within | " + " | ".join(RULES) + " |",
        "| --- | --- | --- | --- |" + " --- |" * len(RULES),
    ]
    for name in first.delays:
        delays = sorted(found for one in results.awake for found in one.delays[name] if found is not None)
        half, most = (_within(delays, n, share) for share in (0.5, 0.9))
        shares = []
        for rule in RULES:
            read, flagged = (sum(one.rules[name][rule][place] for one in results.awake) for place in (0, 1))
            shares.append(f"{100 * flagged / read:.0f} %")
        lines.append(f"| {name} | {len(delays)} of {n} | {half} | {most} | {' | '.join(shares)} |")
    return lines


def _relation(rounds: Sequence[RelationRound]) -> _Rows:
    """Rows of the table, and what they are of."""
    if not rounds:
        return _Rows(begins=_RELATION, marked=_MARKED)
    n = sum(len(own) for own in (one.relation[0.0] for one in rounds))
    return _Rows(
        begins=_RELATION,
        marked=_MARKED,
        rows=_of_labels(_RELATION, [one.relation for one in rounds], [one.loss for one in rounds]),
        said=_text(
            f"""{_MARKED}: {counted(n, "try", "tries")} each on {counted(len(rounds), "reference")}, of
            another stream: a binary model with four inputs, {N_ROWS} rows a window beside {LABELLED_DAYS} labelled
            days, all labels within the hour. After a quiet day the label of a share of the predictions has nothing to
            do with the score any more and is as often positive as before, so that inputs, predictions and labels alone
            stand still and fixed rules on them have nothing to read. Windows count until an alert names the relation
            (`concept_drift`) or the loss (`performance`); the delay of labels comes on top. Tries on one reference take
            the same {RELATION_HORIZON} changed windows in orders of their own. The expected log loss rises
            by 4.3 % where the share is 10 %, by 8.6 % and 17 % where it is 20 % and 40 %; a change below 5 % counts as
            none."""
        ),
    )


def _late(rounds: Sequence[LateRound]) -> _Rows:
    """Likewise of labels that come late."""
    if not rounds:
        return _Rows(begins=_LATE, marked=_MARKED_LATE)
    n = sum(len(one.relation[0.0]) for one in rounds)
    quiet = sum(sum(one.alerts[0.0]) for one in rounds)
    return _Rows(
        begins=_LATE,
        marked=_MARKED_LATE,
        rows=_of_labels(_LATE, [one.relation for one in rounds], [one.loss for one in rounds]),
        said=_text(
            f"""{_MARKED_LATE}: {counted(n, "stream")} each on {counted(len(rounds), "reference")}, of the same kind, by
            the live path (`replay` with labels): windows close and are decided on without labels, and again as these
            come, {LEAST_HOURS} to {MOST_HOURS} hours after their predictions. After {QUIET_HOURS} hours the relation
            changes, and the stream goes on for {LATE_HORIZON} hours. Hours count from the change until the alert is
            told, the wait for labels included: the first window that changed has all of its labels after
            {MOST_HOURS + 1} hours. Where nothing changed these streams told {counted(quiet, "alert")} of any cause in
            {n * (QUIET_HOURS + LATE_HORIZON):,} hours."""
        ),
    )


def _of_labels(
    begins: str, relation: Sequence[Mapping[float, _Delays]], loss: Sequence[Mapping[float, _Delays]]
) -> list[str]:
    rows = []
    for name, of_rounds in (("relation", relation), ("loss", loss)):
        for share in of_rounds[0]:
            n = sum(len(own[share]) for own in of_rounds)
            delays = sorted(found for own in of_rounds for found in own[share] if found is not None)
            half, most = (_within(delays, n, part) for part in (0.5, 0.9))
            change = f"of {100 * share:.0f} % of labels" if share else "nothing"
            rows.append(
                f"{begins}{change}, told of the {name} | {len(delays)} of {n} | {half} | {most} |" + " - |" * len(RULES)
            )
    return rows


def _streams(rounds: Sequence[QuietRound]) -> int:
    """Each has the most that any of its policies ran on."""
    return sum(max(len(own.alarms) for own in one.raised.values()) for one in rounds)


def _text(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def _within(delays: Sequence[int], n: int, share: float) -> str:
    need = -int(-share * n // 1)
    return f"{delays[need - 1]} h" if need <= len(delays) else "-"
