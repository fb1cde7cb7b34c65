from types import SimpleNamespace

import pytest

from parvis import identity_setup
from schemas.errors import ConfigurationError

SETTINGS = SimpleNamespace(
    idp_url="https://idp.example.org",
    idp_ca_file=None,
    idp_realm="usagers",
    idp_staff_realm="agents",
    is_production=True,
)
ADMINISTRATOR = {"KC_BOOTSTRAP_ADMIN_USERNAME": "a", "KC_BOOTSTRAP_ADMIN_PASSWORD": "b"}


class Speaking:
    """Who speaks to a server of some version."""

    def __init__(self, *version):
        self._version = version or None

    def server_version(self):
        return self._version


def test_one_administrator_speaks_for_both_realms():
    found = identity_setup.credentials(SETTINGS, ADMINISTRATOR)

    assert {name: who.realm for name, who in found.items()} == {
        "usagers": "master",
        "agents": "master",
    }


def test_an_account_speaks_for_its_realm_only_and_goes_before_the_administrator():
    found = identity_setup.credentials(SETTINGS, {**ADMINISTRATOR, "KC_PROVISIONING_SECRET": "s"})

    assert found.keys() == {"usagers"}
    assert found["usagers"].client_id == "parvis-provisioning"
    assert found["usagers"].realm == "usagers"


@pytest.mark.parametrize("missing", ADMINISTRATOR)
def test_half_an_administrator_is_none(missing):
    with pytest.raises(ConfigurationError) as refused:
        identity_setup.credentials(SETTINGS, {**ADMINISTRATOR, missing: ""})

    assert "KC_PROVISIONING_SECRET" in refused.value.faults[0]


def test_a_secret_may_be_in_a_file(tmp_path):
    (tmp_path / "secret").write_text("of-value\n")
    environ = {"KC_PROVISIONING_STAFF_SECRET_FILE": str(tmp_path / "secret")}

    found = identity_setup.credentials(SETTINGS, environ)

    assert found["agents"].client_secret == "of-value"
    assert "of-value" not in repr(found)


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(ConfigurationError) as refused:
        identity_setup.given({"KC_X_FILE": "/nowhere/secret"}, "KC_X")

    assert "/nowhere/secret est illisible" in refused.value.faults[0]


@pytest.mark.parametrize(
    ("version", "is_told"),
    [((26, 7, 5), True), ((26, 8, 1), True), ((26, 8, 2), False), ((27, 0), False), ((), False)],
)
def test_a_server_with_known_flaws_is_told_in_production(version, is_told):
    told = identity_setup.remarks(SETTINGS, {"usagers": Speaking(*version)})

    assert bool(told) is is_told
    assert all("26.8.2" in sentence for sentence in told)


def test_an_older_server_is_good_for_a_demonstration():
    demo = SimpleNamespace(**{**vars(SETTINGS), "is_production": False})

    assert identity_setup.remarks(demo, {"usagers": Speaking(26, 7, 5)}) == ()


@pytest.mark.parametrize(
    "address",
    ["*", "https://portail.example.org/*", "http://portail.example.org/r", "portail", "https://[x"],
)
def test_an_address_of_return_that_is_not_exact_is_refused(address):
    secrets = SimpleNamespace(values=lambda names: {"saml_certificate": "MIIB"})
    wishes = identity_setup.Wishes(portal_redirects=(address,))

    with pytest.raises(ConfigurationError) as refused:
        identity_setup.installation(SETTINGS, secrets, wishes, digest_key=b"k" * 32)

    assert "adresse de retour exacte" in refused.value.faults[0]
