"""The command behind `driftline report` and `driftline replay --html`."""

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from monitor import wiring
from monitor.api.access import Access
from monitor.api.address import NoSuchPlaceError, read_instant
from monitor.api.site import Site
from monitor.api.source import Source
from monitor.cli.progress import results
from monitor.cli.query import asked
from monitor.config.durations import parse_duration
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.errors import InputError, StoppedError
from monitor.reference.limits import limits
from monitor.reference.opened import open_references


def write_report(
    config_path: Path,
    *,
    output: Path,
    model: str = "",
    version: str | None = None,
    since: str = "",
    until: str = "",
    folder: Path | None = None,
) -> None:
    """Write what the results say of a model into `output`: HTML, or a card as Markdown or JSON, by its suffix.

    Parameters
    ----------
    since, until: an instant, or how long before the newest window (``30d``); "" is the first, the last.
    folder: of a replay; None takes the destination that answers SQL.
    """
    try:
        from monitor.api import report
        from monitor.api.model_card import markdown, model_card
    except ImportError as error:
        raise StoppedError("the report needs Jinja2: install driftline[ui]") from error
    if output.suffix not in (".html", ".md", ".json"):
        raise InputError(f"{output}: a report is a file that ends in .html, .md or .json")
    config = load(config_path)
    name = model or _only_model(config)
    with _site(config, folder) as site:
        try:
            whole = report.choose(site, name, version, None, None)
            at = report.choose(
                site, name, version, _instant("since", since, whole.to_ms), _instant("until", until, whole.to_ms)
            )
            if output.suffix == ".html":
                text = report.html_report(site, at)
            else:
                card = model_card(site, at, _limits(config, name))
                text = (
                    markdown(card)
                    if output.suffix == ".md"
                    else msgspec.json.format(msgspec.json.encode(card)).decode() + "\n"
                )
        except NoSuchPlaceError as error:
            raise InputError(
                f"{name}: {error}", hint="driftline query CONFIG 'SELECT DISTINCT model FROM windows'"
            ) from error
    output.write_text(text, encoding="utf-8")
    results().print(f"written: {output} ({len(text.encode()) / 1e6:.2g} MB)")


def _only_model(config: Config) -> str:
    if len(config.models) != 1:
        names = ", ".join(model.name for model in config.models)
        raise InputError("the configuration has several models", hint=f"name one with --model: {names}")
    return config.models[0].name


def _instant(option: str, text: str, newest_ms: int) -> int | None:
    if not text:
        return None
    at = read_instant(text)
    if at is not None:
        return at
    with contextlib.suppress(ValueError):
        return newest_ms - parse_duration(text)
    raise InputError(f"--{option}: expected a day or an instant such as 2013-03-01, or a length such as 30d")


def _limits(config: Config, name: str) -> list[str]:
    model = next((one for one in config.models if one.name == name), None)
    return [] if model is None else list(limits(model, open_references(config)[name].current))


@contextlib.contextmanager
def _site(config: Config, folder: Path | None) -> Iterator[Site]:
    from monitor.api.replayed import replayed

    if folder is None:
        source = Source(partial(asked, config))
    else:
        source = Source(partial(replayed, folder, wiring.first_rows(open_references(config))), connections=1)
    with contextlib.closing(source):
        yield Site(source=source, config=config, access=Access(""))
