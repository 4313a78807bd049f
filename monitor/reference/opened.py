"""The references of a configuration's models, opened and compared with what the configuration asks of them."""

from collections.abc import Iterable, Mapping

from detectors.columns import Kind
from detectors.performance.classes import with_positive
from detectors.reference import Reference
from monitor.config.schema import Config, Model
from monitor.errors import ConfigError, InputError, Problem
from monitor.events.models import LABEL, SCORE
from monitor.eventtime.seasons import season_name
from monitor.reference.folder import ReferencesOfModel
from monitor.wording import counted

References = dict[str, ReferencesOfModel]


def open_references(config: Config) -> References:
    """Each model's references. Raises `InputError`, or `ConfigError` when a file does not have what is asked of it."""
    references = {model.name: ReferencesOfModel(model.name, model.reference) for model in config.models}
    problems = [
        problem
        for position, model in enumerate(config.models)
        for problem in _misfits(f"models[{position}]", model, references[model.name].current)
    ]
    if problems:
        raise ConfigError(problems, hint="mend the configuration, or build the reference again from it")
    return references


def references_there(models: Iterable[Model]) -> dict[str, Mapping[str, Reference]]:
    """Each model's references, for who can do without: none where the configured one cannot be read, which is told."""
    found: dict[str, Mapping[str, Reference]] = {}
    for model in models:
        try:
            found[model.name] = ReferencesOfModel(model.name, model.reference)
        except InputError as error:
            import structlog  # a third of a second that `driftline check` need not wait

            structlog.get_logger().warning(
                "without the reference alerts go by the configuration alone", model=model.name, because=error.message
            )
            found[model.name] = {}
    return found


def _misfits(path: str, model: Model, reference: Reference) -> Iterable[Problem]:
    """What the configuration asks for and the reference does not have."""
    if set(reference.dimensions) != set(model.segments):
        yield Problem(
            path=f"{path}.segments",
            message=f"the reference was built with segments {list(reference.dimensions)}, not {list(model.segments)}",
        )
    if model.multivariate != (reference.derived is not None):
        here, built = ("true", "without") if model.multivariate else ("false", "with")
        yield Problem(path=f"{path}.multivariate", message=f"{here} here, but the reference was built {built} it")
    if reference.performance is not None:
        space = reference.performance.sketch.space
        if model.task != space.task:
            yield Problem(
                path=f"{path}.task", message=f"{model.task} here, but the reference was labelled as {space.task}"
            )
        elif model.positive is not None and with_positive(space.classes, model.positive) != space.classes:
            yield Problem(
                path=f"{path}.positive",
                message=f"{model.positive!r} here, but the reference was built with {space.classes[1]!r}",
            )
    if model.task == "regression" and any(column.name == LABEL for column in reference.layout.columns):
        yield Problem(path=f"{path}.task", message="regression here, but the reference's predictions are classes")
    if reference.n < model.min_samples:
        yield Problem(
            path=f"{path}.min_samples",
            message=f"the reference has {counted(reference.n, 'row')}, fewer than {model.min_samples}: nothing would "
            "ever be scored",
        )
    kinds = {column.name: column.kind for column in reference.layout.columns}
    for name, kind in model.columns.items():
        wanted = Kind.NUMERIC if kind == "numeric" else Kind.CATEGORICAL
        if kinds.get(name) is not wanted:
            have = f"as {kinds[name].value}" if name in kinds else "not at all"
            yield Problem(path=f"{path}.columns.{name}", message=f"{kind} here, but the reference holds it {have}")
    for number, compare in enumerate(model.compare):
        if compare.season is not None and season_name(compare.season, compare.timezone) not in reference.seasons:
            yield Problem(
                path=f"{path}.compare[{number}].season",
                message=f"the reference was built without {season_name(compare.season, compare.timezone)}, or its rows "
                "have no times",
            )
    if model.feature_skew is not None:
        for name in model.feature_skew.columns or ():
            if name not in kinds or name.startswith("@"):
                yield Problem(path=f"{path}.feature_skew.columns", message=f"the reference has no feature {name!r}")
        if not {SCORE, LABEL} & kinds.keys():
            yield Problem(
                path=f"{path}.feature_skew",
                message="the reference has no prediction, by which events that were served are told from others",
            )
    for number, drift in enumerate(model.drift):
        for name in drift.columns or ():
            if name not in kinds:
                yield Problem(path=f"{path}.drift[{number}].columns", message=f"the reference has no column {name!r}")
