"""Moments on the command line: the city's own time, wherever the server stands."""

import time
from datetime import UTC, datetime

import pytest

from parvis.cli.moments import at, moment_of

NOON = datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["UTC", "America/Cayenne"])
def test_a_moment_is_shown_in_paris_time_whatever_the_servers_zone(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert at(NOON) == "01/07/2026 12:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_no_moment_is_a_dash():
    assert at(None) == "—"


@pytest.mark.parametrize(
    "text", ["2026-07-01 12:00", "2026-07-01T10:00+00:00", "2026-07-01T10:00Z"]
)
def test_a_date_is_read_in_paris_time_unless_it_names_its_own(text):
    assert moment_of(text) == NOON


@pytest.mark.parametrize("text", ["", "demain", "2026-13-01 00:00", "0001-01-01 00:00"])
def test_anything_else_is_no_date(text):
    with pytest.raises(ValueError, match=r"date|format|month"):
        moment_of(text)
