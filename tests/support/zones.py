"""Zones with every trait that has broken a calendar, and their rules as the standard library reads them."""

from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # clocks changed at midnight
    "America/St_Johns",  # at a minute after midnight, until 2011
    "America/Havana",  # midnight comes twice in autumn
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Africa/Casablanca",  # no summer time in Ramadan
    "Africa/Cairo",
    "Pacific/Apia",  # 30 December 2011 was left out
    "Pacific/Kwajalein",  # so was 21 August 1993
    "Pacific/Chatham",
    "Antarctica/Troll",
)


def ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """A time in UTC, in milliseconds."""
    return (datetime(year, month, day, hour, minute, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def rules(name: str) -> ZoneInfo:
    """The rules of a zone, from the same database."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


RULES = {name: rules(name) for name in ZONES}
