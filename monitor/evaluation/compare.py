"""What windows are compared with, as a model's configuration names it."""

from dataclasses import dataclass

from monitor.config.durations import format_duration
from monitor.eventtime.seasons import Season, season_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """One thing to compare with; the pinned reference where no other is named.

    Attributes
    ----------
    trailing_ms
        The model's own panes of so many milliseconds before the window, of all versions; 0: not.
    season, timezone
        The reference's rows of the seasons that the window has a part of, on the clocks of this zone; "": not.
    version
        The same window of another version of the model; "": not.
    """

    trailing_ms: int = 0
    season: Season | None = None
    timezone: str = "UTC"
    version: str = ""

    @property
    def season_name(self) -> str:
        """Which seasons of the reference, and on which clocks; "" where it is no season."""
        return season_name(self.season, self.timezone) if self.season else ""

    @property
    def pinned(self) -> bool:
        """Whether it is the pinned reference."""
        return not (self.trailing_ms or self.season or self.version)

    @property
    def name(self) -> str:
        """In results: `pinned`, `trailing 28d`, `season hour_of_week Europe/Berlin`, `version 3`."""
        if self.trailing_ms:
            return f"trailing {format_duration(self.trailing_ms)}"
        if self.season:
            return f"season {self.season_name}"
        return f"version {self.version}" if self.version else "pinned"
