"""A command imports what it uses: what a user waits for before `driftline check` says a word is its imports."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from support.events import model_section

# The heavy ones, each with what needs it.
NOT_FOR_CHECK = frozenset(
    {
        "aiokafka",  # evaluate
        "asyncio",  # evaluate
        "chdb",  # deliver
        "clickhouse_connect",  # deliver
        "confluent_kafka",  # every role; `check` only where `kafka.client` has settings for it to judge
        "faust",  # evaluate
        "llvmlite",  # sketching
        "numba",  # sketching
        "pandas",  # the demo; clickhouse-connect where it is installed
        "prometheus_client",  # every role
        "pyarrow",  # files and Arrow messages
        "scipy",  # scoring
        "stamina",  # every role
        "structlog",  # every role
    }
)
_LIST = (
    "import sys\n"
    "from monitor.cli.app import run\n"
    "code = run(sys.argv[1:])\n"
    "sys.stderr.write(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    "sys.exit(code)"
)


def packages_of(*arguments: object) -> set[str]:
    """The top-level packages that a command has loaded when it is done, in a process of its own."""
    command = [sys.executable, "-c", _LIST, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("imports")
    (made / "driftline.yaml").write_bytes(msgspec.yaml.encode({"models": [model_section(made)]}))
    return made


def test_check_loads_nothing_that_it_does_not_use(folder: Path) -> None:
    loaded = packages_of("check", folder / "driftline.yaml")
    assert loaded & NOT_FOR_CHECK == set()
    assert {"numpy", "msgspec", "detectors"} <= loaded


def test_check_asks_librdkafka_where_the_configuration_has_settings_for_it(folder: Path) -> None:
    document = msgspec.yaml.decode((folder / "driftline.yaml").read_bytes())
    path = folder / "client.yaml"
    path.write_bytes(msgspec.yaml.encode({**document, "kafka": {"client": {"socket.timeout.ms": 5000}}}))
    assert "confluent_kafka" in packages_of("check", path)


def test_help_loads_no_numbers(folder: Path) -> None:
    assert packages_of("--help") & (NOT_FOR_CHECK | {"numpy"}) == set()
