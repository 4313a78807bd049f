"""Every type of destination, found by itself: Driftline's own in `sinks`, and those of other packages.

Ours: a module or package `sinks.<name>` that has a `Settings`; its type is its name, with `-` for `_`. Others': an
entry point of the group `driftline.destinations`, whose name is the type and whose value is a `DestinationSettings`:

    [project.entry-points."driftline.destinations"]
    parquet-files = "acme_driftline.parquet_files:Settings"

Only what a configuration names is imported, so a plug-in that is broken disturbs no one who does not use it.
"""

import importlib
import importlib.metadata
import importlib.util
import pkgutil
from importlib.metadata import EntryPoint

import msgspec

from sinks.errors import BadDestination
from sinks.settings import DestinationSettings

GROUP = "driftline.destinations"


def destination_types() -> list[str]:
    """The types of all destinations that are installed, by name. No plug-in is imported for it."""
    return sorted({*own_destination_types(), *(plugin.name for plugin in _plugins())})


def own_destination_types() -> list[str]:
    """The types that come with Driftline, by name."""
    import sinks  # not above: this module is part of it

    names = [_type_of(module.name) for module in pkgutil.iter_modules(sinks.__path__)]
    return sorted(name for name in names if _own(name) is not None)


def settings_of(type_name: str) -> type[DestinationSettings]:
    """The settings struct of a type of destination.

    Raises
    ------
    BadDestination
        There is none of this name, two have it, or it cannot be imported or is no settings struct. Names the package.
    """
    own = _own(type_name)
    plugins = [plugin for plugin in _plugins() if plugin.name == type_name]
    packages = [*(["driftline itself"] if own else []), *(_package(plugin) for plugin in plugins)]
    if len(packages) > 1:
        raise BadDestination(f"{' and '.join(packages)} each bring a destination {type_name!r}; uninstall all but one")
    if own is not None:
        return own
    if not plugins:
        raise BadDestination(f"no destination of type {type_name!r} is installed")
    return _loaded(plugins[0])


def _own(type_name: str) -> type[DestinationSettings] | None:
    name = type_name.replace("-", "_")
    if not name.isidentifier() or _type_of(name) != type_name or importlib.util.find_spec(f"sinks.{name}") is None:
        return None
    settings = getattr(importlib.import_module(f"sinks.{name}"), "Settings", None)
    return settings if isinstance(settings, type) and issubclass(settings, DestinationSettings) else None


def _type_of(module_name: str) -> str:
    return module_name.replace("_", "-")


def _plugins() -> list[EntryPoint]:
    # An installation that is on the path twice is one package.
    found = {(plugin.name, _package(plugin)): plugin for plugin in importlib.metadata.entry_points(group=GROUP)}
    return sorted(found.values(), key=lambda plugin: (plugin.name, _package(plugin)))


def _package(plugin: EntryPoint) -> str:
    return f"package {plugin.dist.name} {plugin.dist.version}" if plugin.dist else f"entry point {plugin.value}"


def _loaded(plugin: EntryPoint) -> type[DestinationSettings]:
    what = f"the destination {plugin.name!r} of {_package(plugin)}"
    try:
        settings = plugin.load()
    except Exception as error:
        raise BadDestination(f"{what} cannot be imported: {type(error).__name__}: {error}") from error
    if not (isinstance(settings, type) and issubclass(settings, DestinationSettings)):
        raise BadDestination(f"{what} is {plugin.value}, which is no sinks.settings.DestinationSettings")
    types = {field.name: field.type for field in msgspec.structs.fields(settings)}
    for shared in msgspec.structs.fields(DestinationSettings):
        if types[shared.name] != shared.type:
            raise BadDestination(f"{what} changes the type of {shared.encode_name!r}, which every destination has")
    return settings
