import base64
import json
import shutil
from datetime import timedelta

import pytest

from orchestrator.engine.breaker import Cause
from orchestrator.store.breakers import BreakerStore
from parvis.cli import main
from schemas import clock
from schemas.errors import SystemNotPausedError

pytestmark = pytest.mark.postgres
POLICIES = {
    "retry": "1min x2; then dead-letter",
    "profiles": {"drop": {"operations": {"activate": "2h x3; then wait-for-a-person"}}},
}


@pytest.fixture
def parvis(database, database_url, tmp_path, monkeypatch, capfd):
    """The command on a city with one system, a folder that is there."""
    keys = {"master.key": base64.b64encode(bytes(range(32))).decode(), "secret.key": "c" * 40}
    for name, content in keys.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    folder = tmp_path / "drop"
    folder.mkdir()
    values = {
        "MODE": "demo",
        "DATABASE_URL": database_url,
        "MASTER_KEY_FILE": str(tmp_path / "master.key"),
        "SECRET_KEY_FILE": str(tmp_path / "secret.key"),
        "PUBLIC_URL": "http://127.0.0.1:8930",
        "DATA_DIR": str(tmp_path),
    }
    for name, value in values.items():
        monkeypatch.setenv(f"PARVIS_{name}", value)
    settings = json.dumps({"directory": str(folder), "every": "15min"})
    database.run(
        "INSERT INTO profile(id, connector, settings) VALUES ('drop', 'desk_drop', %s),"
        " ('alone', 'desk_drop', %s)",
        (settings, settings),
    )
    database.run("INSERT INTO service(id, kind, name) VALUES ('lib', 'library', 'B')")
    database.run(
        "INSERT INTO binding(service_id, profile_id, settings) VALUES ('lib', 'drop', '{}')"
    )
    database.run(
        "INSERT INTO config_revision(actor, document, digest, changes) VALUES ('t', %s, '', '{}')",
        (json.dumps({"policies": POLICIES}),),
    )

    def call(*arguments):
        capfd.readouterr()
        code = main(list(arguments))
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    call.folder = folder
    return call


@pytest.fixture
def breakers(database):
    return BreakerStore(database)


def test_a_pause_has_a_reason_an_author_and_an_end_and_is_listed_until_then(parvis, breakers):
    code, out, _ = parvis("connectors", "pause", "drop", "--reason", "déménagement du serveur")
    assert (code, "Rien n'est perdu" in out) == (0, True)
    row = next(row for row in breakers.rows() if row.profile == "drop")
    assert (row.cause, row.reason) == (Cause.HAND, "déménagement du serveur")
    assert row.actor.startswith("cli:")
    left = row.next_probe_at - clock.utcnow()
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    _, out, _ = parvis("connectors", "list")
    assert "drop (desk_drop) : plus d'appel (pause décidée)" in out
    assert "motif : déménagement du serveur (cli:" in out
    assert "alone (desk_drop) : les appels passent" in out


def test_a_pause_is_resumed_by_a_try_not_by_belief(parvis, breakers):
    parvis("connectors", "pause", "drop", "--reason", "travaux", "--until", "2d")
    code, out, _ = parvis("connectors", "resume", "drop", "--json")
    assert (code, json.loads(out)["profile"]) == (0, "drop")
    (listed,) = [
        each for each in json.loads(parvis("connectors", "list", "--json")[1]) if each["since"]
    ]
    assert (listed["state"], listed["cause"], listed["reason"]) == ("open", "outage", None)
    assert next(row for row in breakers.rows() if row.profile == "drop").next_probe_at <= (
        clock.utcnow() + timedelta(seconds=1)
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pause", "dorp", "--reason", "x"], 1, "Vouliez-vous dire « drop »"),
        (["pause", "drop"], 2, "--reason"),
        (["pause", "drop", "--reason", "  "], 1, "motif"),
        (["pause", "drop", "--reason", "voir ana@example.org"], 1, "ni adresse ni numéro"),
        (["pause", "drop", "--reason", "travaux", "--until", "2020-01-01 08:00"], 1, "à venir"),
        (["pause", "drop", "--reason", "travaux", "--until", "60d"], 1, "30 jours"),
        (["pause", "drop", "--reason", "travaux", "--until", "demain"], 78, "--until"),
        (["pause", "drop", "--reason", "travaux", "--until", "99999999999d"], 78, "--until"),
        (["resume", "drop"], 1, "passent déjà"),
        (["resume", "nowhere"], 1, "n'existe pas"),
        (["test", "nowhere"], 1, "n'existe pas"),
        (["test", "alone"], 1, "aucun service ne l'utilise"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    parvis, database, arguments, code, said
):
    found, _, err = parvis("connectors", *arguments)
    assert found == code
    assert said in err
    assert database.all("SELECT profile FROM breaker") == []


def test_a_refusal_that_has_no_more_to_say_is_one_french_sentence(parvis):
    _, _, err = parvis("connectors", "resume", "drop")
    assert err == f"{SystemNotPausedError.title}\n"


def test_a_system_is_tried_level_by_level_and_the_first_failure_says_what_to_do(parvis):
    code, out, _ = parvis("connectors", "test", "drop")
    assert code == 0
    assert out.count(": oui") == 3
    shutil.rmtree(parvis.folder)
    code, out, _ = parvis("connectors", "test", "drop", "--json")
    (only,) = json.loads(out)
    assert (code, only["level"], only["is_up"]) == (1, "reachable", False)
    assert "dossier" in only["cause"]


def test_the_policy_in_force_is_shown_with_the_level_that_decided(parvis):
    code, out, _ = parvis("retry", "show", "drop", "activate")
    assert code == 0
    assert "toutes les 2 heures, 3 fois ; puis décision d'une personne" in out
    assert "C'est la politique propre à cette opération qui décide." in out
    code, out, _ = parvis("retry", "show", "alone", "--json")
    assert json.loads(out)["decided_by"] == "hub"
    assert json.loads(out)["policy"] == "1min x2; then dead-letter"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["dorp"], "Vouliez-vous dire « drop »"), (["drop", "activat"], "« activate »")],
)
def test_a_policy_of_what_does_not_exist_is_refused(parvis, arguments, said):
    code, _, err = parvis("retry", "show", *arguments)
    assert code == 78
    assert said in err
