import pytest

from identity.keycloak import flows, wanted
from identity.keycloak.wanted import Installation
from schemas.logins import Face

OURS = Installation(
    public_url="https://p.example.org",
    citizens="city",
    staff="staff",
    certificate="MIIB",
    portal_redirects=("https://portail.example.org/retour",),
)


def by_name(face):
    return {client.name: client for client in wanted.clients(OURS, face)}


@pytest.mark.parametrize("face", Face)
def test_no_client_of_ours_has_full_scope_a_password_login_or_an_open_address(face):
    for client in wanted.clients(OURS, face):
        body = client.body
        assert body["fullScopeAllowed"] is False
        assert not body.get("directAccessGrantsEnabled")
        assert not body.get("implicitFlowEnabled")
        assert not [address for address in body.get("redirectUris", ()) if "*" in address]


def test_an_application_and_a_citizen_of_it_are_two_clients():
    clients = by_name(Face.CITIZEN)

    assert clients["portal"].body["serviceAccountsEnabled"]
    assert not clients["portal"].body["standardFlowEnabled"]
    login = clients["portal-login"].body
    assert login["standardFlowEnabled"]
    assert not login["serviceAccountsEnabled"]
    assert login["attributes"]["pkce.code.challenge.method"] == "S256"


def test_a_portal_that_has_keys_has_no_secret():
    ours = Installation(
        public_url="https://p.example.org",
        citizens="city",
        staff="staff",
        certificate="MIIB",
        portal_key_address="https://portail.example.org/jwks",
    )
    portal = next(one for one in wanted.clients(ours, Face.CITIZEN) if one.name == "portal")

    assert portal.body["clientAuthenticatorType"] == "client-jwt"
    assert portal.body["attributes"]["jwks.url"] == "https://portail.example.org/jwks"


def test_the_running_account_may_not_manage_clients_nor_the_realm():
    ((owner, roles),) = by_name(Face.CITIZEN)["parvis-runtime"].rights

    assert owner == "realm-management"
    assert set(roles) == {"view-users", "manage-users", "query-clients"}
    assert "parvis-runtime" not in by_name(Face.CONSOLE)


def test_our_certificates_are_read_from_our_description_only_when_asked():
    def attributes(**changes):
        ours = Installation(
            public_url=OURS.public_url,
            citizens="city",
            staff="staff",
            certificate="MIIB",
            **changes,
        )
        return wanted.clients(ours, Face.CITIZEN)[0].body["attributes"]

    assert attributes()["saml.useMetadataDescriptorUrl"] == "false"
    asked = attributes(reads_our_metadata=True)
    assert asked["saml.useMetadataDescriptorUrl"] == "true"
    assert asked["saml.metadataDescriptorUrl"] == "https://p.example.org/saml/metadata"


def test_every_field_of_civil_status_is_for_administrators_only():
    for attribute in wanted.profile_attributes(OURS):
        assert attribute["permissions"] == {"view": ["admin"], "edit": ["admin"]}


def test_no_step_of_our_flows_links_without_a_sign_in():
    used = {what for _, what, _ in flows.shape(flows.FIRST_LOGIN)}

    assert not used & {"idp-auto-link", "idp-email-verification"}
    assert "idp-username-password-form" in used


def test_a_second_factor_is_no_choice():
    asked = {what: requirement for _, what, requirement in flows.shape(flows.SECOND_FACTOR)}

    assert asked["auth-otp-form"] == flows.REQUIRED
