import random
from datetime import UTC, datetime

import pytest

from mock_partners.senders import Notice
from parvis.demo import story
from parvis.demo.city import City, read_city
from parvis.demo.story import DidNotHappenError, Stage
from parvis.demo.story.poster import _spoken
from parvis.demo.table import table_of

NOW = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
TOTALS = {
    "received": 6,
    "from_partners": 4,
    "done": 3,
    "waiting": 3,
    "other": 0,
    "calls": 22,
    "repeated": 3,
    "messages": 4,
    "redeemed": 2,
}


class Totals:
    def totals(self, since):
        assert since == NOW
        return TOTALS


@pytest.fixture
def lines():
    return []


@pytest.fixture
def stage(lines):
    return Stage(
        hub="http://127.0.0.1:1",
        city=City(document=read_city(), ports={}, secrets={}),
        folder=None,
        facts=Totals(),
        mocks={"senders": object(), "sms_city": "gateway", "koha_aix": "aix"},
        notice=Notice(version="arrival-partner-1", sha256="0" * 64),
        tell=lines.append,
        chances=random.Random(1),
        since=NOW,
        play="abc",
    )


def test_what_is_not_so_stops_the_story_with_its_sentence(stage):
    stage.must([1], "never said")

    with pytest.raises(DidNotHappenError, match="la fiche manque"):
        stage.must([], "la fiche manque")


def test_what_does_not_come_in_time_stops_the_story(stage):
    with pytest.raises(DidNotHappenError, match=r"le SMS n'est pas arrivé \(attendu 0 s\)"):
        stage.awaited(lambda: None, "le SMS n'est pas arrivé", seconds=0.05)


def test_what_comes_is_given_back(stage):
    answers = iter([None, 0, "there"])

    assert stage.awaited(lambda: next(answers), "nothing") == "there"


def test_people_and_partners_are_found_by_what_they_do(stage):
    assert stage.sender_of("lease.signed.v1")["id"] == "clevanne"
    assert stage.gateway == "gateway"
    assert stage.system("lib_deux_ormes") == "aix"
    assert stage.newcomer().language == "fr"


def test_lines_are_told_in_order(stage, lines):
    stage.say("One.")
    stage.then("Two.")

    assert lines == ["One.", "  → Two."]


def test_the_table_counts_and_measures(stage):
    stage.delays += [40.0, 50.04, 300.0]

    table = table_of(stage, failure=None, texts=4, seconds=6.789)

    assert table.ok
    assert table.as_json()["event_to_sms_ms"] == {"median": 50.0, "worst": 300.0, "count": 3}
    assert table.as_json()["seconds"] == 6.79
    assert any(line.endswith("médiane 50 ms, pire 300 ms") for line in table.lines())


def test_a_count_that_the_gateway_denies_is_a_failure(stage):
    table = table_of(stage, failure=None, texts=5, seconds=1)

    assert not table.ok
    assert table.failure == "4 messages notés, 5 à la passerelle"


def test_a_failed_story_keeps_its_sentence_and_has_no_delay(stage):
    table = table_of(stage, failure="la fiche manque", texts=0, seconds=1)

    assert (table.ok, table.failure) == (False, "la fiche manque")
    assert any("aucun SMS" in line for line in table.lines())


def test_a_scene_that_fails_ends_the_play(stage, monkeypatch):
    played = []

    def fails(_stage):
        raise DidNotHappenError("rien")

    monkeypatch.setattr(story.electricity, "play", lambda _stage: played.append("electricity"))
    monkeypatch.setattr(story.leases, "play", fails)
    monkeypatch.setattr(story.student, "play", lambda _stage: played.append("student"))

    with pytest.raises(DidNotHappenError):
        story.play(stage, played.append)

    assert played == ["Un contrat d'électricité", "electricity", "Deux baux"]


def test_a_number_is_typed_as_people_write_it():
    assert _spoken("+33639981234") == "06 39 98 12 34"
