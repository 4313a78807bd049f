"""What to do next, a sentence a screen with a link where there is one: for somebody who is new, or woken up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from monitor.api.address import Chosen
from monitor.api.queries.alerts import Alert
from monitor.api.queries.rejects import RejectCount
from monitor.api.queries.verdicts import Run
from monitor.api.views.fleet import FleetLine
from monitor.api.views.moved import MovedColumn
from monitor.api.views.performance import PerformanceView
from monitor.api.wording import clip, column_name, named_version, place
from monitor.wording import counted

_REASONS: Final = {
    "undecodable": "the bytes are no JSON or Arrow: see the example below, and what the producer serialises with",
    "schema": "the events are well-formed, and lie elsewhere than `mapping` says: "
    "`driftline check CONFIG --data FILE` tries it on a file of them",
    "unknown_model": "they name a model that is not under `models:` in the configuration: add it, or mend the name",
    "bad_timestamp": "see `timestamp_unit` and `timezone` in `mapping`, and the clock of the producer",
    "missing_id": "`mapping.prediction_id` leads to what is neither text nor a whole number",
    "oversize": "send smaller messages: the detail below names the bound",
}
"""By reason of a reject, what to look at."""


def _plain(name: str) -> str:
    """A name in a sentence whose backquotes mark code."""
    return name.replace("`", "'")


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """A sentence; what stands between backquotes is code. `link` leads where `link_text` says; "" for nowhere."""

    text: str
    link: str = ""
    link_text: str = ""


def of_empty(counts: Sequence[RejectCount], *, came: bool, problem: str) -> NextStep:
    """Before the first window has closed. `problem`: why it is not known what came."""
    if counts:
        return of_rejects(counts)
    if problem:
        return NextStep(
            text="Start Kafka, or see `kafka.bootstrap_servers` in the configuration; `driftline up CONFIG` brings "
            "one of its own."
        )
    if came:
        return NextStep(text="Wait until an event comes that is later than the window's end and `lateness` together.")
    return NextStep(text="Send events such as the one below.")


def of_fleet(lines: Sequence[FleetLine]) -> NextStep:
    """The first of the lines is the one that needs somebody most."""
    if not lines:
        return NextStep(text="Send events.")
    first = lines[0]
    name, model = _plain(named_version(first.model, first.version)), {"model": first.model, "version": first.version}
    link = f"/model?{urlencode(model)}"
    if first.state == "alerts":
        open_ = "It has an open alert" if first.n_alerts == 1 else f"It has {first.n_alerts:,} open alerts"
        return NextStep(
            text=f"Begin with {name}. {open_}, with what to do.",
            link=f"/alerts?{urlencode({'model': first.model})}", link_text="Its alerts",
        )  # fmt: skip
    if first.state == "changed":
        return NextStep(
            text=f"Look at {name}. No alert is open: what changed has not lasted for one, or is too weak.",
            link=link, link_text="What moved",
        )  # fmt: skip
    if first.state == "silent":
        return NextStep(
            text=f"See whether the producer of {name} runs; `driftline status CONFIG` says how far each role has read.",
            link=link, link_text="What came last",
        )  # fmt: skip
    return NextStep(text="Nothing to do. A model's name leads to what it sees and says.")


def of_model(at: Chosen, alerts: Sequence[Alert], lasting: Sequence[MovedColumn], *, has_labels: bool) -> NextStep:
    """`alerts`: the model's, the open ones first. `lasting`: what changed and goes on, the season apart."""
    is_open = [one for one in alerts if one.state != "resolved"]
    if is_open:
        said = is_open[0].recommendation or "read the alert, then open the column that it names"
        return NextStep(
            text=f"{_plain(clip(said, 300))}{'' if said.endswith('.') else '.'}",
            link=f"/alerts?{urlencode({'model': at.model})}", link_text="The alert",
        )  # fmt: skip
    if lasting:
        top = lasting[0].top
        where = "" if not top.segment else f" in {_plain(place(top.segment))}"
        then = " Then see whether the model got worse." if has_labels else ""
        return NextStep(
            text=f"No alert is open. See {_plain(column_name(top.column))}{where}, which comes first below: "
            f"a fault of the data, or the world?{then}",
            link="/column?" + at.query(column=top.column, segment=top.segment), link_text=column_name(top.column),
        )  # fmt: skip
    if not has_labels:
        return NextStep(
            text="Nothing to do. How good the model is is not known: with `label_horizon` and a topic of labels it is."
        )
    return NextStep(text="Nothing to do.", link="/performance?" + at.query(), link_text="How good it is")


def of_column(at: Chosen, column: str, runs: Sequence[Run]) -> NextStep:
    """`runs`: the column's."""
    lasting = [run for run in runs if run.lasts and not run.season]
    if not lasting:
        return NextStep(text="Nothing to do.", link="/model?" + at.query(), link_text="All columns of the model")
    if column.startswith("@"):
        return NextStep(
            text="See what came with it: inputs that moved since the same day explain it, else the model or its "
            "serving changed.",
            link="/model?" + at.query(), link_text="All columns of the model",
        )  # fmt: skip
    one_place = {run.segment for run in lasting}
    only = (
        f"It moved in {_plain(place(lasting[0].segment))} alone: ask who sends these rows. "
        if len(one_place) == 1 and lasting[0].segment
        else ""
    )
    return NextStep(
        text=f"{only}A step in nulls, invalid or unseen values below is a fault upstream: mend that. If the values are "
        "right, the world moved: see whether the model got worse.",
        link="/performance?" + at.query(), link_text="Performance",
    )  # fmt: skip


def of_performance(at: Chosen, view: PerformanceView | None, *, worse: bool) -> NextStep:
    """`worse`: beyond what chance allows."""
    if view is None:
        return NextStep(
            text="Performance needs labels: `label_horizon` in the model's section, `topics.labels` in `kafka`, and a "
            "reference that is built with `--labels`.",
            link="/model?" + at.query(), link_text="What the model sees",
        )  # fmt: skip
    if view.newest is None:
        return NextStep(text="These are estimates from the scores alone; labels show whether they hold.")
    if worse:
        return NextStep(
            text="See below what the loss comes from. Moved inputs: look at these columns. A changed relation: "
            "retrain on newer labels. One segment alone: ask what changed there.",
            link="/model?" + at.query(), link_text="What moved",
        )  # fmt: skip
    if view.newest.provisional:
        return NextStep(text="Nothing to do yet: labels of the newest window still come, and may move it.")
    return NextStep(text="Nothing to do.", link="/model?" + at.query(), link_text="What moved")


def of_rejects(counts: Sequence[RejectCount]) -> NextStep:
    """The most frequent reason first."""
    if not counts:
        return NextStep(text="Nothing to do. What cannot be used is kept whole, and would be here with its reason.")
    top = counts[0]
    model = f" of {_plain(clip(top.model))}" if top.model else ""
    return NextStep(
        text=f"Begin with {top.reason}{model}, {counted(top.n, 'event')}: {_REASONS.get(top.reason, top.reason)}."
    )


def of_alerts(alerts: Sequence[Alert], *, wants_token: bool) -> NextStep:
    """What on-call does with them."""
    is_open = [one for one in alerts if one.state != "resolved"]
    if not is_open:
        return NextStep(text="Nothing to do.", link="/", link_text="The fleet")
    how = "acknowledge it below" if wants_token else "acknowledge it with the command below it"
    return NextStep(
        text=f"Take the first in hand: {how}, so that others know. Then open its model.",
        link="/model?" + urlencode({"model": is_open[0].model, "version": is_open[0].version}),
        link_text=named_version(is_open[0].model, is_open[0].version),
    )


def of_versions(at: Chosen, others: Sequence[str], columns: Sequence[str]) -> NextStep:
    """Of two versions side by side. `columns`: the most different first."""
    if not others:
        return NextStep(
            text="Events that name another `version` would stand beside it here.",
            link="/model?" + at.query(), link_text=named_version(at.model, at.version),
        )  # fmt: skip
    if not columns:
        return NextStep(text="Choose a longer span, in which both versions had events.")
    return NextStep(
        text="Inputs that differ: the versions see different traffic, and their performance is no fair comparison. "
        "Only the score differs: the models do.",
        link="/column?" + at.query(column=columns[0]), link_text=column_name(columns[0]),
    )  # fmt: skip
