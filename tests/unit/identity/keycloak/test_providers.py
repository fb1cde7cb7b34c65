import pytest

from identity.keycloak.providers import read_provider
from schemas.errors import ConfigurationError
from schemas.logins import CIVIL_STATUS

KEY = b"k" * 32
SECRETS = {"fc_client": "the-value-of-the-secret"}
CONTENT = {
    "alias": "france-connect",
    "title": "FranceConnect",
    "issuer": "https://fc.example.org/api/v2",
    "authorization_url": "https://fc.example.org/api/v2/authorize",
    "token_url": "https://fc.example.org/api/v2/token",
    "userinfo_url": "https://fc.example.org/api/v2/userinfo",
    "jwks_url": "https://fc.example.org/api/v2/jwks",
    "client_id": "ville",
    "secret": "fc_client",
    "acr_values": "eidas1",
}


def read(**changes):
    content = {name: value for name, value in (CONTENT | changes).items() if value is not None}
    return read_provider(content, secrets=SECRETS, digest_key=KEY)


def represented(**changes):
    return read(**changes).representation(mark="https://p.example.org", flow="f")


def test_the_level_asked_for_travels_in_the_address():
    assert represented()["config"]["authorizationUrl"].endswith("/authorize?acr_values=eidas1")


def test_a_provider_proves_its_answers_and_is_never_trusted_for_an_e_mail():
    body = represented()

    assert body["config"]["validateSignature"] == "true"
    assert body["config"]["prompt"] == "login"
    assert body["trustEmail"] is False
    assert body["storeToken"] is False


def test_the_representation_holds_a_digest_of_the_secret_that_changes_with_it():
    body, other = represented(), read_provider(CONTENT, secrets=SECRETS, digest_key=b"o" * 32)

    assert SECRETS["fc_client"] not in str(body)
    assert SECRETS["fc_client"] not in repr(read())
    kept = other.representation(mark="https://p.example.org", flow="f")
    assert body["config"]["parvis.digest"] != kept["config"]["parvis.digest"]


def test_civil_status_is_taken_anew_at_each_sign_in_and_the_user_name_is_opaque():
    by_name = {mapper["name"]: mapper for mapper in read().mappers()}

    assert set(CIVIL_STATUS) <= by_name.keys()
    assert {by_name[name]["config"]["syncMode"] for name in CIVIL_STATUS} == {"FORCE"}
    assert "${CLAIM.sub}" in by_name["username"]["config"]["template"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"issuer": None}, "« issuer » manque"),
        ({"token_url": "ftp://x"}, "« token_url » n'est pas une adresse"),
        ({"token_url": "https://[x"}, "« token_url » n'est pas une adresse"),
        ({"alias": "France Connect"}, "« alias » : minuscules"),
        ({"secret": "no_such_secret"}, "le secret nommé n'a pas de valeur"),
        ({"secret_value": "in-the-file"}, "« secret_value » est inconnu"),
        ({"title": 3}, "« title » doit être un texte"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_what_is_wrong(changes, told):
    with pytest.raises(ConfigurationError) as refused:
        read(**changes)

    assert any(told in fault for fault in refused.value.faults)
    assert SECRETS["fc_client"] not in str(refused.value.faults)
