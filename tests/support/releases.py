"""The release before this one, as the wheel that it is: `tests/releases` holds it and says how it was made."""

from pathlib import Path

from support.environments import Environment

FOLDER = Path(__file__).parents[1] / "releases"


def release_before(folder: Path) -> Environment:
    """An environment in `folder` with the release before."""
    (wheel,) = FOLDER.glob("driftline-*.whl")
    return Environment(folder, wheel)
