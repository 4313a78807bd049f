"""The first line of a model's screen: what moved, and whether labels show a loss."""

from collections.abc import Sequence
from typing import Final, Literal

from monitor.api.queries.performance import Detection
from monitor.api.queries.verdicts import Run
from monitor.api.wording import clip, column_name, moved, place
from monitor.decisions.cause import is_prediction, rests_on_labels
from monitor.wording import counted, instant, listed

LabelsSay = Literal["nothing", "alone", "early", "no loss"]
"""What there is to tell a loss by: no labels; labels, and none in the reference; too few in any window; enough."""
_NO_LOSS: Final[dict[LabelsSay, str]] = {
    "nothing": "no labels came for these windows, so the loss is not known",
    "alone": "labels came, and the reference has none to compare them with, so a loss is not known",
    "early": "labels are too few in these windows to show a loss",
    "no loss": "labels show no loss",
}


def model_sentence(
    title: str,
    whole: Sequence[Run],
    in_segments: Sequence[Run],
    *,
    labels: LabelsSay,
    detected: Sequence[Detection] = (),
    seasonal: Sequence[Run] = (),
    has_score: bool = True,
    unscored: str = "",
    elsewhere: Sequence[tuple[str, Sequence[str]]] = (),
) -> str:
    """The first line of a model's screen.

    Parameters
    ----------
    whole: runs of all rows that last. in_segments: those of segments that last, of columns that are not in `whole`.
    labels: what there is to tell a loss by. detected: what sequential detectors saw, told where nothing else tells.
    seasonal: runs that last and are only the season, which are not in the others.
    has_score: whether the model says anything that is watched.
    unscored: why nothing could be scored in the newest window; "" where something was.
    elsewhere: windows of other lengths, and what changed in the newest of them; told where nothing did in these.
    """
    found = _moved_parts(whole, has_score=has_score)
    parts_alone = [run for run in in_segments if not rests_on_labels(run.column)]
    if not found and parts_alone:
        places = len({run.segment for run in parts_alone})
        found.append(f"all rows taken together are as before, but columns moved in {counted(places, 'segment')}")
    if not found and seasonal:
        names = listed(list(dict.fromkeys(column_name(run.column) for run in seasonal)), 3)
        found.append(f"nothing changed in the newest window: only the season moves {names}")
    if unscored:
        lead = "the newest window was not scored" if found else "nothing was scored in the newest window"
        found.append(f"{lead}: {unscored}")
    if not found:
        of_labels = any(rests_on_labels(run.column) for run in (*whole, *in_segments))
        what = ("inputs and score are as" if has_score else "inputs are as") if of_labels else "nothing differs from"
        found.append(f"{what} {'in ' if of_labels else ''}the reference in the newest window")
    if not whole and not in_segments and elsewhere:
        size, columns = elsewhere[0]
        found.append(f"but in that of {size} {listed([column_name(one) for one in columns], 3)} changed")
        if any(rests_on_labels(one) for one in columns):
            return f"{title}: {', '.join(found)}."  # what labels say is told
    lossy = next((size for size, columns in elsewhere if "@loss" in columns), "")
    said = _labels(whole, in_segments, labels)
    grew = next((one for one in detected if one.direction == "worse"), None)
    if grew is not None and labels in ("alone", "early") and said.startswith(_NO_LOSS[labels]):
        said = f"labels show errors that grew: {moved(grew)}, seen until {instant(grew.end_ms)}"
    if lossy and said.startswith(_NO_LOSS[labels]):
        said = f"labels show a loss in windows of {lossy}"
    return f"{title}: {', '.join(found)}; {said}."


def _moved_parts(whole: Sequence[Run], *, has_score: bool) -> list[str]:
    """What is so of all rows, labels apart: inputs first, then what the model says, then all else that is watched."""
    own = [run for run in whole if not rests_on_labels(run.column)]
    skewed = list(dict.fromkeys(run.column for run in own if run.compare == "recomputed"))
    own = [run for run in own if run.compare != "recomputed"]
    inputs = list({run.column: run for run in own if not run.column.startswith("@")}.values())
    outputs = [run for run in own if is_prediction(run.column)]
    others = [run for run in own if run.column.startswith("@") and not is_prediction(run.column)]
    parts = []
    if inputs:
        first = min(run.first_ms for run in inputs)
        names = listed([clip(run.column, 40) for run in inputs], 3)
        parts.append(f"since {instant(first)}, {counted(len(inputs), 'input')} moved ({names})")
    if outputs:
        who = " and ".join(_said(outputs))
        parts.append(f"{who} moved too" if inputs else f"since {instant(min(r.first_ms for r in outputs))} {who} moved")
    elif inputs and has_score:
        parts.append("the score did not")
    if others:
        since_ = "" if parts else f"since {instant(min(run.first_ms for run in others))} "
        names = listed(list(dict.fromkeys(column_name(run.column) for run in others)), 3)
        parts.append(f"{since_}{names} changed")
    if skewed:
        names = listed([clip(column, 40) for column in skewed], 3)
        parts.append(f"{counted(len(skewed), 'input')} served unlike what is computed again ({names})")
    return parts


def _said(outputs: Sequence[Run]) -> list[str]:
    """What the model says, in a few words: of many classes how many."""
    names = list(dict.fromkeys(column_name(run.column) for run in outputs if not run.column.startswith("@score.")))
    classes = list(dict.fromkeys(run.column for run in outputs if run.column.startswith("@score.")))
    if len(classes) > 2:
        return [*names, f"the scores of {len(classes):,} classes"]
    return [*names, *map(column_name, classes)]


def _labels(whole: Sequence[Run], in_segments: Sequence[Run], labels: LabelsSay) -> str:
    for runs in (whole, in_segments):
        lost = {run.column: run for run in runs}
        if run := lost.get("@loss"):
            where = f" in {place(run.segment)}" if runs is in_segments else ""
            return f"labels show a loss that is {run.direction}{where}: {moved(run)}"
        if run := lost.get("@relation"):
            where = f" in {place(run.segment)}" if runs is in_segments else ""
            if run.direction == "better":
                return f"labels show that the model does better on the same inputs{where}: {moved(run)}"
            return f"labels show that the relation of inputs to labels changed{where}"
        if run := lost.get("@subgroup"):
            return f"labels show a part of the data that is {run.direction}: {moved(run)}"
    ways = {run.column: run for run in whole}
    if run := ways.get("@labels_missing"):
        return f"labels are missing, so that a loss need not show: {moved(run)}"
    if run := ways.get("@labels_selective"):
        return f"{_NO_LOSS[labels]}, but they come for some predictions rather than for others: {moved(run)}"
    return _NO_LOSS[labels] + (f", but {column_name('@delay')} changed" if "@delay" in ways else "")
