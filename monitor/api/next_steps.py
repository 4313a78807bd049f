"""What to do next, a sentence a screen with a link where there is one: for somebody who is new, or woken up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from monitor.api.address import Chosen
from monitor.api.metrics import is_quality
from monitor.api.model_sentence import LabelsSay
from monitor.api.queries.alerts import Alert
from monitor.api.queries.rejects import RejectCount
from monitor.api.queries.sizes import size_name
from monitor.api.queries.verdicts import Run
from monitor.api.views.fleet import FleetLine
from monitor.api.views.moved import MovedColumn
from monitor.api.views.performance import PerformanceView
from monitor.api.wording import clip, column_name, named_version, place
from monitor.decisions.cause import rests_on_labels
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
    model |= {"size": str(first.link_s)} if first.link_s else {}
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
    if first.state == "silent" and any(one.model == first.model and not one.is_silent for one in lines[1:]):
        return NextStep(
            text=f"See whether {name} was replaced: other versions of the model have events.",
            link=link, link_text="What came last",
        )  # fmt: skip
    if first.state == "unscored":
        return NextStep(
            text=f"Nothing of {name} was scored in its newest window: see how many events its windows hold.",
            link=link, link_text="Its windows",
        )  # fmt: skip
    if first.state == "silent":
        return NextStep(
            text=f"See whether the producer of {name} runs; `driftline status CONFIG` says how far each role has read.",
            link=link, link_text="What came last",
        )  # fmt: skip
    return NextStep(text="Nothing to do. A model's name leads to what it sees and says.")


def of_model(
    at: Chosen,
    alerts: Sequence[Alert],
    lasting: Sequence[MovedColumn],
    *,
    labels: LabelsSay,
    unscored: bool = False,
    elsewhere: Sequence[Chosen] = (),
    grew: bool = False,
) -> NextStep:
    """`alerts`: the model's, the open ones first. `lasting`: what changed and goes on, the season apart. `elsewhere`:
    windows of other lengths in which something changed. `grew`: whether a sequential detector saw errors grow."""
    is_open = [one for one in alerts if one.state != "resolved"]
    if is_open:
        mine = next((one for one in is_open if one.version == at.version), is_open[0])
        said = mine.recommendation or "read the alert, then open the column that it names"
        return NextStep(
            text=f"{_plain(clip(said, 300))}{'' if said.endswith('.') else '.'}",
            link=f"/alerts?{urlencode({'model': at.model})}", link_text="The alert",
        )  # fmt: skip
    if lasting and rests_on_labels(lasting[0].top.column):
        return NextStep(
            text=f"No alert is open. {_of_labels(lasting[0].top.column)}",
            link="/performance?" + at.query(), link_text="Performance",
        )  # fmt: skip
    if lasting:
        top = lasting[0].top
        where = "" if not top.segment else f" in {_plain(place(top.segment))}"
        then = " Then see whether the model got worse." if labels in ("early", "no loss") else ""
        return NextStep(
            text=f"No alert is open. See {_plain(column_name(top.column))}{where}, which comes first below: "
            f"a fault of the data, or the world?{then}",
            link="/column?" + at.query(column=top.column, segment=top.segment), link_text=column_name(top.column),
        )  # fmt: skip
    if elsewhere:
        size = f"windows of {elsewhere[0].size_label}"
        return NextStep(
            text=f"No alert is open. See {size}, in which more changed than in these.",
            link="/model?" + elsewhere[0].query(), link_text=size,
        )  # fmt: skip
    if unscored:
        return _of_unscored(at)
    if labels == "nothing":
        return NextStep(
            text="Nothing to do. How good the model is is not known: with `label_horizon` and a topic of labels it is."
        )
    if labels == "alone" and grew:
        return NextStep(
            text="No alert is open. See since when errors grew, and what else changed by then.",
            link="/performance?" + at.query(), link_text="Performance",
        )  # fmt: skip
    if labels == "alone":
        return NextStep(
            text="Nothing to do. A loss is found once the reference has labels, too: `driftline reference build` with "
            "`--labels`.",
            link="/performance?" + at.query(), link_text="How good it is",
        )  # fmt: skip
    return NextStep(text="Nothing to do.", link="/performance?" + at.query(), link_text="How good it is")


def _of_unscored(at: Chosen, column: str = "") -> NextStep:
    longest = max(at.sizes, key=lambda one: one.size_s)
    if longest.size_s > at.size.size_s:
        return NextStep(
            text="See longer windows, which hold more events.",
            link=("/column?" if column else "/model?") + at.query(size=longest.size_s, column=column),
            link_text=f"Windows of {size_name(longest.size_s)}",
        )  # fmt: skip
    return NextStep(
        text="Rows are scored from `min_samples` on, of a window and of the reference: `driftline check CONFIG` names "
        "what the reference has too few of; longer `windows` hold more."
    )


def _of_labels(column: str) -> str:
    """What to look at when a verdict that rests on labels says that something changed."""
    if column in ("@delay", "@labels_missing", "@labels_selective"):
        return "Look at where labels come from: what of the newest windows is measured rests on them."
    return "See in which segment and column the loss lies, and since when."


def of_column(at: Chosen, column: str, runs: Sequence[Run], *, compared: bool = True) -> NextStep:
    """`runs`: the column's. `compared`: whether any window has a verdict on it."""
    lasting = [run for run in runs if run.lasts and not run.season]
    if not lasting and not compared:
        return _of_unscored(at, column)
    if not lasting:
        return NextStep(text="Nothing to do.", link="/model?" + at.query(), link_text="All columns of the model")
    if rests_on_labels(column):
        return NextStep(
            text=_of_labels(column), link="/performance?" + at.query(), link_text="Performance",
        )  # fmt: skip
    if column == "@coverage":
        return NextStep(
            text="See which of the two topics, of predictions and of features, lacks events, and whether both name "
            "their rows alike.",
            link="/model?" + at.query(), link_text="All columns of the model",
        )  # fmt: skip
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
    if view.newest.reference_value is None and is_quality(view.metric):
        return NextStep(
            text="Whether that is good is for you to say: with labels in the reference (`driftline reference build` "
            "with `--labels`) it is compared, and a loss is told.",
            link="/model?" + at.query(), link_text="What moved",
        )  # fmt: skip
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
    top = next((one for one in is_open if one.severity == "critical"), is_open[0])
    which = "first" if top is is_open[0] else "first critical one"
    return NextStep(
        text=f"Take the {which} in hand: {how}, so that others know. Then open its model.",
        link="/model?" + urlencode({"model": top.model, **({"version": top.version} if top.version else {})}),
        link_text=named_version(top.model, top.version),
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
