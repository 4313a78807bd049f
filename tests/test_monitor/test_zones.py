"""The table of a zone says what the standard library's rules say."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.zones import EPOCH, HOUR_MS, RULES, ZONES, ms

from monitor.eventtime.zones import zone, zone_names


@settings(deadline=None)  # a zone is read when it is first asked for
@given(st.sampled_from(ZONES), st.integers(ms(1990, 1, 1), ms(2099, 12, 31)))
def test_a_zone_is_ahead_of_utc_by_what_its_rules_say(name: str, instant_ms: int) -> None:
    offset = (EPOCH + timedelta(milliseconds=instant_ms)).astimezone(RULES[name]).utcoffset()
    assert timedelta(milliseconds=zone(name).offset_ms(instant_ms)) == offset


@pytest.mark.parametrize("name", ZONES)
def test_clocks_change_at_the_second_the_table_says(name: str) -> None:
    table = zone(name)
    assert len(table.offsets_ms) == len(table.changes_ms) + 1
    assert list(table.changes_ms) == sorted(table.changes_ms)
    for change_ms in table.changes_ms:
        before, after = (
            (EPOCH + timedelta(milliseconds=change_ms - earlier)).astimezone(RULES[name]).utcoffset()
            for earlier in (1_000, 0)
        )
        assert before != after


def test_clocks_of_every_twentieth_zone_differ_from_utc_by_quarters_of_an_hour() -> None:
    """Else panes would be shorter than README says."""
    named = sorted(zone_names())
    assert len(named) > 400
    for name in named[::20]:
        assert all(offset_ms % (HOUR_MS // 4) == 0 for offset_ms in zone(name).offsets_ms), name


@settings(deadline=None)  # a zone is read when it is first asked for
@given(st.sampled_from(ZONES), st.integers(ms(1989, 12, 1), ms(2041, 1, 1)))
def test_the_first_instant_of_a_local_time_is_the_first_at_which_clocks_show_it_or_later(name: str, local: int) -> None:
    table = zone(name)
    first_ms = table.first_instant_ms(local)
    assert first_ms + table.offset_ms(first_ms) >= local
    # Clocks are the same between two changes, so that these instants stand for all the earlier ones.
    earlier = [c + d for c in table.changes_ms for d in (-1, 0) if c + d < first_ms] + [first_ms - 1]
    assert all(instant_ms + table.offset_ms(instant_ms) < local for instant_ms in earlier)


def test_before_1990_and_after_2100_clocks_stay_as_they_are() -> None:
    berlin = zone("Europe/Berlin")
    assert berlin.offset_ms(-(10**15)) == berlin.offset_ms(10**15) == HOUR_MS
    assert berlin.first_instant_ms(-(10**15)) == -(10**15) - HOUR_MS


def test_a_zone_that_does_not_exist_is_refused() -> None:
    for name in ("Europe/Berlim", "", "../zones", "localtime"):
        with pytest.raises(LookupError, match="no time zone"):
            zone(name)
