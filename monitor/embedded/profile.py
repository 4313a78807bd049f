"""The configuration of the embedded profile: the user's own, pointed at the embedded broker."""

from pathlib import Path
from typing import Any

import msgspec

from monitor.config.load import load

# Joining a group on the embedded broker takes as long as its session timeout; 6 s is the least that works well.
SESSION_TIMEOUT = "6s"
# It looks for new messages in pauses that grow with the time that a fetch may wait: 250 ms at librdkafka's own 500.
CLIENT = {"fetch.wait.max.ms": 50}


def embedded_config(path: Path, bootstrap_servers: str, folder: Path, **changes: dict[str, Any]) -> Path:
    """Write the configuration at `path` into `folder`, changed for the embedded broker; returns the new file's path.

    The broker's memory is gone when it stops, so the state of the score role must not outlive it: it goes into
    `folder`. `changes` are keys to set in the file's sections. Placeholders such as ${VAR} are kept, so no secret is
    written.
    """
    load(path)  # a wrong file is reported as the user wrote it
    document: dict[str, Any] = msgspec.yaml.decode(path.read_bytes())
    for model in document["models"]:
        model["reference"] = str((path.parent / model["reference"]).resolve())
    kafka = {"bootstrap_servers": bootstrap_servers, "session_timeout": SESSION_TIMEOUT, "replication_factor": 1}
    # Security settings are for the user's own brokers.
    document["kafka"] = {**document.get("kafka", {}), "client": CLIENT, **kafka}
    document["state_dir"] = str(folder / "state")
    for section, values in changes.items():
        document[section] = {**document.get(section, {}), **values}
    written = folder / "driftline.yaml"
    written.write_bytes(msgspec.yaml.encode(document))
    written.chmod(0o600)
    return written
