from datetime import UTC, datetime
from uuid import UUID

import pytest

from orchestrator.services.ports.views import Position, Way
from schemas import ids
from web.console.filters import STATES, Asked, start_of, written

ALL = {
    "etat": "en-rebut",
    "parcours": "library.arrival",
    "source": "agence",
    "systeme": "ils_nord",
    "depuis": "7j",
}


def test_an_address_and_its_filters_say_the_same():
    asked = Asked.read(ALL)

    assert asked.arguments() == ALL
    assert asked.ignored == ()
    assert list(asked.active()) == ["state", "journey", "partner", "system", "span"]


def test_without_filters_the_last_day_is_shown_and_goes_unsaid():
    asked = Asked.read({})

    assert asked.arguments() == {}
    assert list(asked.active()) == ["span"]
    assert asked.run_filter().since is not None


def test_the_whole_of_time_narrows_nothing():
    asked = Asked.read({"depuis": "tout"})

    assert list(asked.active()) == []
    assert asked.run_filter().since is None
    assert asked.arguments() == {"depuis": "tout"}


@pytest.mark.parametrize("name", ["state", "journey", "partner", "system", "span"])
def test_a_filter_is_dropped_alone(name):
    asked = Asked.read(ALL)

    assert set(asked.dropping(name).active()) == set(asked.active()) - {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("etat", "EN-REBUT"),
        ("parcours", "a..b"),
        ("source", "../x"),
        ("source", "a" * 41),
        ("systeme", "É"),
        ("depuis", "1h"),
    ],
)
def test_what_cannot_be_a_filter_is_left_out_and_named(name, value):
    asked = Asked.read({name: value})

    assert asked.ignored == (name,)
    assert asked == Asked(ignored=(name,))


def test_every_state_asks_for_something():
    for state in STATES.values():
        assert bool(state.statuses) != state.is_late


def test_a_position_survives_its_address():
    position = Position(at=datetime(2026, 11, 22, 9, 8, 7, 654321, tzinfo=UTC), id=ids.uuid7())

    assert start_of({"avant": written(position)}) == (position, Way.OLDER)
    assert start_of({"apres": written(position)}) == (position, Way.NEWER)


@pytest.mark.parametrize("text", ["", "x", "1-2", "-1-" + "a" * 32, "1" * 17 + "-" + "a" * 32])
def test_a_bent_position_is_the_first_page(text):
    assert start_of({"avant": text}) == (None, Way.OLDER)


def test_the_last_moment_an_address_can_say_is_read():
    position, _ = start_of({"avant": "9" * 16 + "-" + "f" * 32})

    assert position.id == UUID("f" * 32)
