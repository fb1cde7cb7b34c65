"""``parvis identity`` on a hub of the test's own and the real server."""

import json
import os
import secrets
import subprocess
import sys

import pytest

from parvis.identity_keys import BESIDE, CERTIFICATE, KEY, NAMES, NEXT_KEY
from parvis.identity_setup import certificate_body

pytestmark = pytest.mark.postgres
PROVIDER = {
    "alias": "france-connect",
    "title": "FranceConnect",
    "issuer": "http://127.0.0.1:9/api/v2",
    "authorization_url": "http://127.0.0.1:9/api/v2/authorize",
    "token_url": "http://127.0.0.1:9/api/v2/token",
    "userinfo_url": "http://127.0.0.1:9/api/v2/userinfo",
    "jwks_url": "http://127.0.0.1:9/api/v2/jwks",
    "client_id": "ville",
    "secret": "fc_client",
}
SECRET = "the-value-of-the-providers-secret"


@pytest.fixture
def hub(hub_environment, monkeypatch, tmp_path, parvis):
    """A hub whose realms have names nobody else has; nobody administers Keycloak yet."""
    token = secrets.token_hex(4)
    names = {"PARVIS_IDP_REALM": f"usagers-{token}", "PARVIS_IDP_STAFF_REALM": f"agents-{token}"}
    for name, value in {**names, "PARVIS_IDP_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    for name in ("KC_BOOTSTRAP_ADMIN_USERNAME", "KC_BOOTSTRAP_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "value").write_text(SECRET)
    (tmp_path / "provider.json").write_text(json.dumps(PROVIDER))
    return names


@pytest.fixture
def administered(hub, keycloak, monkeypatch, parvis, tmp_path):
    """The same, with a server and its administrator, our keys and the provider's secret."""
    monkeypatch.setenv("PARVIS_IDP_URL", keycloak.url)
    monkeypatch.setenv("KC_BOOTSTRAP_ADMIN_USERNAME", keycloak.administrator)
    (tmp_path / "password").write_text(keycloak.password)
    monkeypatch.setenv("KC_BOOTSTRAP_ADMIN_PASSWORD_FILE", str(tmp_path / "password"))
    assert parvis("identity", "keys")[0] == 0
    assert parvis("secrets", "set", "fc_client", "--file", str(tmp_path / "value"))[0] == 0
    return hub


def test_realms_are_set_up_checked_and_kept_from_drifting(
    administered, parvis, tmp_path, keycloak, keycloak_api, monkeypatch
):
    citizens, staff = administered.values()
    file = str(tmp_path / "provider.json")

    code, out, _ = parvis("identity", "apply", "--check", "--provider", file)
    assert (code, f"+ {citizens} : royaume {citizens}, à créer" in out) == (1, True)

    code, out, err = parvis("identity", "apply", "--provider", file)
    assert (code, err) == (0, "")
    assert f"+ {citizens} : fournisseur france-connect, créé" in out
    assert SECRET not in out
    assert keycloak.password not in out

    code, out, _ = parvis("identity", "apply", "--check", "--json", "--provider", file)
    assert (code, json.loads(out)["as_wanted"]) == (0, True)

    keycloak_api.put(f"/{staff}", {**keycloak_api.get(f"/{staff}"), "eventsEnabled": False})
    code, out, _ = parvis("identity", "apply", "--check")
    assert code == 1
    assert f"~ {staff} : royaume {staff}, à corriger" in out
    assert "eventsEnabled : oui voulu, non trouvé" in out

    code, out, _ = parvis("identity", "client-secret", "parvis-provisioning", "--staff")
    assert code == 0
    monkeypatch.setenv("KC_PROVISIONING_STAFF_SECRET", out.rpartition(" ")[2].strip())
    code, out, _ = parvis("identity", "apply")
    assert code == 0
    assert f"~ {staff} : royaume {staff}, corrigé" in out
    assert citizens not in out  # nobody was given who speaks for that realm


def test_a_secret_of_a_client_is_kept_without_being_shown(
    administered, parvis, make_realms, monkeypatch
):
    realms = make_realms(faces=("citizens",), public_url="http://127.0.0.1:8930")
    citizens = realms.ours.citizens
    monkeypatch.setenv("PARVIS_IDP_REALM", citizens)

    code, out, _ = parvis(
        "identity", "client-secret", "parvis-runtime", "--store", "keycloak_runtime"
    )
    assert (code, out) == (0, "Secret keycloak_runtime enregistré.\n")

    _, before, _ = parvis("identity", "client-secret", "portal")
    _, after, _ = parvis("identity", "client-secret", "portal", "--renew")
    assert before != after
    code, _, err = parvis("identity", "client-secret", "realm-management")
    assert code == 1
    assert f"le royaume {citizens} n'a pas de client « realm-management »" in err


def test_who_administers_must_be_told(hub, parvis):
    assert parvis("identity", "keys")[0] == 0

    code, _, err = parvis("identity", "apply")

    assert code == 78
    assert "KC_BOOTSTRAP_ADMIN_USERNAME" in err


def test_an_address_of_the_server_is_needed(hub, parvis, monkeypatch):
    monkeypatch.delenv("PARVIS_IDP_URL")

    code, _, err = parvis("identity", "apply")

    assert code == 78
    assert "PARVIS_IDP_URL manque" in err


def test_keys_come_first(hub, parvis, monkeypatch):
    monkeypatch.setenv("KC_BOOTSTRAP_ADMIN_USERNAME", "x")
    monkeypatch.setenv("KC_BOOTSTRAP_ADMIN_PASSWORD", "y")

    code, _, err = parvis("identity", "apply")

    assert code == 78
    assert "parvis identity keys" in err


def test_a_server_that_is_away_is_told_with_its_own_exit_code(hub, parvis, monkeypatch):
    monkeypatch.setenv("KC_BOOTSTRAP_ADMIN_USERNAME", "x")
    monkeypatch.setenv("KC_BOOTSTRAP_ADMIN_PASSWORD", "the-password-of-x")
    assert parvis("identity", "keys")[0] == 0

    code, out, err = parvis("identity", "apply", "--json")

    assert code == 69
    assert json.loads(out)["stopped"]["step"].endswith(", royaume")
    code, _, err = parvis("identity", "apply")
    assert code == 69
    assert "Arrêté à l'étape" in err
    assert "the-password-of-x" not in out + err


@pytest.mark.timeout(90)
def test_what_a_script_reads_is_alone_on_standard_output(hub, parvis):
    """A library's complaint about the server that is away goes beside the answer, without its text."""
    who = {"KC_BOOTSTRAP_ADMIN_USERNAME": "x", "KC_BOOTSTRAP_ADMIN_PASSWORD": "the-password-of-x"}
    assert parvis("identity", "keys")[0] == 0
    ran = subprocess.run(
        [sys.executable, "-m", "parvis", "identity", "apply", "--json"],
        env={**os.environ, **who},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 69
    assert json.loads(ran.stdout)["stopped"]["step"].endswith(", royaume")
    assert "urllib3" in ran.stderr
    assert "Connection refused" not in ran.stderr


def test_keys_are_made_once_and_renewed_in_steps(hub, parvis, database, vault):
    from orchestrator.store.secrets import SecretRows

    def rows():
        return dict(SecretRows(database, vault).values(NAMES))

    assert parvis("identity", "keys", "--rotate")[0] == 1
    assert parvis("identity", "keys")[0] == 0
    first = rows()
    assert parvis("identity", "keys")[0] == 0
    assert rows() == first
    assert first.keys() == {KEY, CERTIFICATE}

    assert parvis("identity", "keys", "--switch")[0] == 1
    assert parvis("identity", "keys", "--rotate")[0] == 0
    second = rows()
    assert second.keys() == {KEY, CERTIFICATE, NEXT_KEY, BESIDE}
    assert second[KEY] == first[KEY]
    assert parvis("identity", "keys", "--rotate")[0] == 1
    assert parvis("identity", "keys", "--retire")[0] == 1

    assert parvis("identity", "keys", "--switch")[0] == 0
    third = rows()
    assert third == {
        KEY: second[NEXT_KEY],
        CERTIFICATE: second[BESIDE],
        BESIDE: first[CERTIFICATE],
    }
    assert parvis("identity", "keys", "--retire")[0] == 0
    assert rows().keys() == {KEY, CERTIFICATE}
    assert parvis("identity", "keys", "--rotate", "--switch")[0] == 78
    journal = database.all("SELECT type, actor_ref FROM journal_entry ORDER BY at, id")
    assert [row["type"] for row in journal] == ["key.rotated"] * 4
    assert {row["actor_ref"].partition(":")[0] for row in journal} == {"cli"}


def test_a_key_is_never_shown(hub, parvis):
    _, out, _ = parvis("identity", "keys")
    _, as_json, _ = parvis("identity", "keys", "--json")

    assert "PRIVATE" not in out + as_json
    assert json.loads(as_json)["in_use"]["until"] > "2026"


def test_a_certificate_is_told_to_keycloak_on_one_line():
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\nabcd\n-----END CERTIFICATE-----\n"

    assert certificate_body(pem) == "MIIBabcd"


def test_the_doctor_tells_a_missing_mapper_and_an_unknown_application(
    administered, parvis, keycloak_api
):
    assert parvis("identity", "apply")[0] == 0
    _, staff = administered.values()
    assert "mappeur" not in parvis("doctor", "identity")[1]
    code, *_ = parvis(
        "api-clients", "add", "nobody", "--application", "portail", "--kind", "application"
    )
    assert code == 0
    (client,) = [
        one
        for one in keycloak_api.get(f"/{staff}/clients")
        if one["clientId"].endswith("/console/saml/metadata")
    ]
    path = f"/{staff}/clients/{client['id']}"
    mapper = next(
        one
        for one in keycloak_api.get(f"{path}/protocol-mappers/models")
        if one["config"].get("attribute.name") == "username"
    )
    keycloak_api.delete(f"{path}/protocol-mappers/models/{mapper['id']}")
    body = keycloak_api.get(path)
    body["attributes"]["saml.client.signature"] = "false"
    keycloak_api.put(path, body)

    code, out, _ = parvis("doctor", "identity")

    assert code == 1
    assert f"{mapper['name']} manque → lancez « parvis identity apply »" in out
    assert "saml.client.signature" in out
    assert "nobody n'existe pas dans le royaume des usagers" in out
