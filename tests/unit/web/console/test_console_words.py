from datetime import timedelta

import pytest
from flask import Flask
from flask_babel import Babel

from orchestrator.engine.runs import MOVES, OUTCOMES
from orchestrator.journeys import all_journeys
from orchestrator.services.connector_views import Health
from web.console import reading, words
from web.layout import catalogues

TONES = {"good", "live", "wait", "warn", "bad", "off"}


@pytest.fixture(autouse=True)
def french():
    app = Flask("words")
    Babel(app, default_locale="fr", default_timezone="Europe/Paris")
    with app.test_request_context():
        yield


def test_every_status_and_outcome_of_the_engine_has_a_word():
    statuses = MOVES.keys() | {to for moves in MOVES.values() for to in moves}

    assert statuses <= words.STATUSES.keys()
    assert words.OUTCOMES.keys() >= OUTCOMES


@pytest.mark.parametrize("journey", all_journeys().values(), ids=lambda each: each.name)
def test_every_journey_and_its_steps_have_names_for_people(journey):
    assert words.journey(journey.name) != journey.name
    assert [step.name for step in journey.steps if words.step(step.name) == step.name] == []


def test_every_health_has_a_word():
    assert set(words.HEALTH) == set(Health)


def test_whoever_must_act_is_told_what_to_do():
    tables = (words.STATUSES, words.CODES, words.ERRORS, words.HEALTH)
    every = [word for table in tables for word in table.values()]

    assert {word.tone for word in every} <= TONES
    assert [str(word.label) for word in every if word.tone == "bad" and not word.advice] == []


def test_what_no_table_knows_is_shown_as_it_is():
    assert words.status("new").label == "new"
    assert words.cause("new_cause") == "new_cause"
    assert words.step("new_step") == "new_step"
    assert words.error("NewError") is words.ANY_ERROR
    assert words.awaited("system:ils_nord") == "ils_nord"
    assert words.exchange("not_connected:refused").tone == "warn"


def test_no_text_of_the_console_lacks_its_english():
    assert catalogues.untranslated(catalogues.read("console", "en")) == []
    assert catalogues.untranslated(catalogues.read("console", "fr")) == []


def test_the_catalogues_are_those_of_the_texts():
    for language in ("fr", "en"):
        path = catalogues.catalogue_path("console", language)
        updated = catalogues.updated("console", language)
        assert path.read_bytes() == catalogues.po_bytes(updated)
        assert path.with_suffix(".mo").read_bytes() == catalogues.mo_bytes(updated)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "0,4 ms"),
        (0.24, "240 ms"),
        (2.44, "2,4 s"),
        (75, "1 min 15 s"),
        (7300, "2 h 01 min"),
        (180_000, "2 j 2 h"),
    ],
)
def test_a_length_of_time_is_said_with_what_matters(seconds, text):
    assert reading.lasting(seconds) == text
    assert reading.lasting(timedelta(seconds=seconds)) == text
