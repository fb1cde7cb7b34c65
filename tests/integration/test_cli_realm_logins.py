"""``parvis identity effects`` and ``reconcile``, and what the doctor says of them, without a Keycloak."""

import json

import pytest

from orchestrator.services.ports.realm_effects import RealmEffect
from parvis.bootstrap import open_hub
from parvis.doctor_identity import examined_identity
from parvis.settings import Settings
from schemas import ids

pytestmark = pytest.mark.postgres
FAULT = "403 : il manque un rôle de realm-management à ce compte."


@pytest.fixture
def hub(hub_environment, monkeypatch, parvis):
    monkeypatch.setenv("PARVIS_IDP_URL", "http://127.0.0.1:9")
    parvis("migrate")
    made = open_hub(Settings.read({**hub_environment, "PARVIS_IDP_URL": "http://127.0.0.1:9"}))
    yield made
    made.database.close()


def refused_once(hub):
    """A login taken away whose effect was refused."""
    effect = RealmEffect(id=ids.uuid7(), failures=0, link=None)
    sql = "INSERT INTO realm_effect(id, login_id, status, fault) VALUES (%s, %s, 'paused', %s)"
    hub.database.run(sql, (effect.id, ids.uuid7(), FAULT))
    return effect.id


def test_what_waits_for_a_person_is_shown_and_resumed(hub, parvis):
    assert parvis("identity", "effects")[:2] == (0, "Keycloak sait tout.\n")
    effect = refused_once(hub)

    code, out, _ = parvis("identity", "effects")
    assert (code, FAULT in out, "en pause, à corriger" in out) == (1, True, True)

    code, out, _ = parvis("identity", "effects", "--resume", "--json")
    (told,) = json.loads(out)
    assert (code, told["id"], told["status"]) == (0, str(effect), "waiting")


def test_the_doctor_says_what_is_not_told_and_what_to_do(hub):
    refused_once(hub)

    told = "\n".join(one.sentence() for one in examined_identity(hub, {}))

    assert f"1 connexion(s) retirée(s) restent dans Keycloak : {FAULT[:-1]}" in told
    assert "→ corrigez, puis « parvis identity effects --resume »" in told
    assert "parvis identity client-secret parvis-runtime --store keycloak_runtime" in told


def test_nothing_is_compared_without_the_accounts_secret_and_nobody_waits_for_a_dead_realm(
    hub, parvis
):
    code, out, err = parvis("identity", "reconcile")
    assert (code, out) == (1, "")
    assert "parvis identity client-secret parvis-runtime --store keycloak_runtime" in err

    hub.secrets.put("keycloak_runtime", "a-secret", actor="x")
    assert parvis("identity", "reconcile")[:2] == (0, "Parvis et Keycloak disent la même chose.\n")
