"""The broker on the command line: its table, and the doctor's words about it."""

import json

import pytest

from orchestrator.broker.topology import QUEUES
from parvis.cli.broker import check
from parvis.cli.context import Session

pytestmark = [pytest.mark.rabbitmq, pytest.mark.postgres]


@pytest.fixture
def on_the_bus(hub_environment, monkeypatch, broker_url):
    monkeypatch.setenv("PARVIS_BROKER_URL", broker_url)
    return broker_url


def words_of(parvis, subject):
    _, out, _ = parvis("doctor", "--json")
    return [(one["level"], one["detail"]) for one in json.loads(out) if one["subject"] == subject]


def test_the_table_is_shown_without_a_broker(hub_environment, parvis):
    code, out, _ = parvis("broker", "topology")

    assert code == 0
    assert all(queue.name in out for queue in QUEUES)
    assert "x-delivery-limit=20" in out


def test_the_table_is_shown_to_programs(hub_environment, parvis):
    _, out, _ = parvis("broker", "topology", "--json")

    names = {row["name"] for row in json.loads(out)}
    assert {"parvis.journey.v1", "parvis.events", "parvis.dlx → parvis.dead.v1"} <= names


def test_declaring_without_an_address_is_refused(hub_environment, parvis):
    code, _, err = parvis("broker", "topology", "--declare")

    assert code == 78
    assert "PARVIS_BROKER_URL manque" in err


def test_the_doctor_tells_what_is_missing_until_it_is_there(on_the_bus, parvis):
    assert words_of(parvis, "files RabbitMQ") == [("remarque", "absentes")]

    assert parvis("broker", "topology", "--declare")[0] == 0

    assert words_of(parvis, "files RabbitMQ") == [("remarque", "0 réveils, 0 messages morts")]
    assert words_of(parvis, "réveils")[0][0] == "bon"


def test_a_process_may_start_while_the_database_is_away(on_the_bus, monkeypatch, capsys):
    """The queue of wakes is not there either: it is made once the wakes can be written anew."""
    monkeypatch.setenv("PARVIS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    check(Session())

    assert "Remarque" in capsys.readouterr().err


def test_the_doctor_names_a_certificate_file_that_is_not_there(on_the_bus, parvis, monkeypatch):
    monkeypatch.setenv("PARVIS_BROKER_URL", "amqps://127.0.0.1:1/?cacertfile=/no/such.pem")

    ((level, detail),) = words_of(parvis, "réveils")

    assert level == "faute"
    assert "cacertfile" in detail


@pytest.mark.parametrize("said", ["mot de passe", "ne répond pas"])
def test_the_doctor_names_the_fault_and_never_the_secret(on_the_bus, parvis, monkeypatch, said):
    wrong = on_the_bus.replace("guest:guest@", "guest:a-wrong-secret@")
    away = "amqp://guest:a-wrong-secret@127.0.0.1:1/"
    monkeypatch.setenv("PARVIS_BROKER_URL", wrong if said == "mot de passe" else away)

    ((level, detail),) = words_of(parvis, "réveils")

    assert level == "faute"
    assert said in detail
    assert "a-wrong-secret" not in parvis("doctor")[1]


def test_the_doctor_says_who_wakes_without_a_broker(hub_environment, parvis):
    ((level, detail),) = words_of(parvis, "réveils")

    assert level == "bon"
    assert "un seul processus de travail" in detail
