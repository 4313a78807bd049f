"""The configuration of the embedded profile: the user's own, pointed at the embedded broker and ClickHouse."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from monitor.config.load import load
from monitor.config.rewrite import literal, rewrite
from monitor.embedded.ports import free_port
from monitor.embedded.server import EmbeddedServer
from monitor.embedded.session import Place
from monitor.kafka import turns

# Joining a group on the embedded broker takes as long as its session timeout; 6 s is the least that works well.
SESSION_TIMEOUT: Final = "6s"
# Who has just sent the first events waits no minute for partitions that nothing was ever sent to.
IDLE_TIMEOUT: Final = "10s"
# It looks for new messages in pauses that grow with the time that a fetch may wait: 250 ms at librdkafka's own 500.
CLIENT: Final = {"fetch.wait.max.ms": 50}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedProfile:
    """A configuration on the embedded broker; by their names, the processes that its destinations need, and where those
    destinations are; variables for its roles."""

    path: Path
    servers: Mapping[str, EmbeddedServer]
    places: Mapping[str, Place]
    environment: Mapping[str, str]


def embedded_profile(
    path: Path, bootstrap_servers: str | None, folder: Path, results: Path, **changes: dict[str, Any]
) -> EmbeddedProfile:
    """Write the configuration at `path` into `folder`, changed for the embedded broker; None: the user's own stays.

    The broker's memory is gone when it stops, so the state of the score role must not outlive it: it goes into
    `folder`. Destinations that can live on this machine alone do so, each in its folder of `results`, an absolute path.
    `changes` are keys to set in the file's sections.
    """
    config = load(path)  # a wrong file is reported as the user wrote it
    ports = {name: free_port() for name in config.destinations}
    found = {name: settings.embedded(results / name, ports[name]) for name, settings in config.destinations.items()}
    embedded = {name: one for name, one in found.items() if one is not None}
    kafka: dict[str, Any] = {
        "bootstrap_servers": bootstrap_servers,
        "session_timeout": SESSION_TIMEOUT,
        "replication_factor": 1,
        "client": CLIENT,  # not the user's own: security settings are for the user's own brokers
    }

    def edit(document: dict[str, Any]) -> None:
        for model, loaded in zip(document["models"], config.models, strict=True):
            model["reference"] = literal(str(loaded.reference.resolve()))
        document["state_dir"] = literal(str(folder / "state"))
        if bootstrap_servers is not None:
            document["kafka"] = {"idle_timeout": IDLE_TIMEOUT, **document.get("kafka", {}), **kafka}
        destinations = document.setdefault("destinations", {name: {} for name in config.destinations})
        for name, own in embedded.items():
            for key, value in own.keys.items():
                destinations[name][key] = literal(value) if isinstance(value, str) else value
        for section, values in changes.items():
            document[section] = {**document.get(section, {}), **values}

    text = rewrite(path.read_bytes().decode("utf-8-sig"), edit)
    written = folder / "driftline.yaml"
    with open(written, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
    servers = {name: EmbeddedServer(name, own.command, ports[name]) for name, own in embedded.items() if own.command}
    places = {name: Place(running=own.keys, at_rest=own.at_rest or own.keys) for name, own in embedded.items()}
    environment = {turns.VARIABLE: str(folder / "transactions.lock")} if bootstrap_servers is not None else {}
    return EmbeddedProfile(path=written, servers=servers, places=places, environment=environment)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_TRUNC, 0o600)
