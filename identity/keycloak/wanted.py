"""What this installation wants to find in its two realms: values only, nothing is read or sent here.

Each function returns the representations of the Admin API, limited to the members that matter to
us; the others are left as the realm's administrators set them.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from identity.keycloak.difference import MARK
from identity.keycloak.providers import Provider
from identity.names import HUB_CLIENT, HUB_ROLES, HUB_SCOPE
from schemas.logins import CIVIL_STATUS, Face

PROVISIONING: Final = "parvis-provisioning"
RUNTIME: Final = "parvis-runtime"
PORTAL: Final = "portal"
PORTAL_LOGIN: Final = "portal-login"
MANAGEMENT: Final = "realm-management"
FIRST_LOGIN_FLOW: Final = "parvis-first-login"
STAFF_FLOW: Final = "parvis-second-factor"
PIVOT_SOURCE: Final = "pivot_source"
EVENT_DAYS: Final = 90
_DAY: Final = 86400

PROVISIONING_ROLES: Final = (
    "manage-realm",
    "manage-clients",
    "manage-identity-providers",
    "manage-users",
)
RUNTIME_ROLES: Final = ("view-users", "manage-users", "query-clients")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """This hub as the realms must know it.

    ``public_url`` is also the mark on everything made for it; ``formerly`` is the mark to take over
    when the address changed. Certificates are base64 without the PEM lines.
    """

    public_url: str
    citizens: str
    staff: str
    certificate: str = field(repr=False)
    formerly: str | None = None
    providers: tuple[Provider, ...] = ()
    portal_redirects: tuple[str, ...] = ()
    portal_key_address: str | None = None
    reads_our_metadata: bool = False

    @property
    def marks(self) -> frozenset[str]:
        """The marks of objects we may touch."""
        return frozenset(filter(None, (self.public_url, self.formerly)))

    def realm(self, face: Face) -> str:
        """Return the realm of a face."""
        return self.citizens if face is Face.CITIZEN else self.staff

    def saml_address(self, face: Face, place: str) -> str:
        """Return one of our SAML addresses: metadata, acs or sls."""
        base = "/saml" if face is Face.CITIZEN else "/console/saml"
        return f"{self.public_url}{base}/{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapper:
    """A protocol mapper of a client or client scope."""

    name: str
    kind: str
    protocol: str
    config: dict[str, str]

    def representation(self) -> dict[str, Any]:
        """Return it as the Admin API wants it."""
        return {
            "name": self.name,
            "protocol": self.protocol,
            "protocolMapper": self.kind,
            "config": self.config,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client with its mappers, roles and the scopes it always has.

    ``rights`` are roles, by the client that owns them, for its service account and in its tokens.
    """

    body: dict[str, Any]
    mappers: tuple[Mapper, ...] = ()
    roles: tuple[tuple[str, str], ...] = ()
    scopes: tuple[str, ...] = ()
    rights: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def name(self) -> str:
        """Its client id."""
        return str(self.body["clientId"])


def realm(wanted: Installation, face: Face) -> dict[str, Any]:
    """Return the realm itself; the flows it uses are bound once they exist."""
    ours = {
        "realm": wanted.realm(face),
        "enabled": True,
        "displayName": "Connexion" if face is Face.CITIZEN else "Connexion des agents",
        "sslRequired": "external",
        "accessTokenLifespan": 300,
        "editUsernameAllowed": False,
        "bruteForceProtected": True,
        "permanentLockout": False,
        "failureFactor": 10 if face is Face.CITIZEN else 5,
        "waitIncrementSeconds": 60,
        "maxFailureWaitSeconds": 900,
        "internationalizationEnabled": True,
        "supportedLocales": ["fr", "en"],
        "defaultLocale": "fr",
        "passwordPolicy": "length(12) and notUsername(undefined)",
        "eventsEnabled": True,
        "eventsExpiration": EVENT_DAYS * _DAY,
        "adminEventsEnabled": True,
        "adminEventsDetailsEnabled": False,  # details hold people's data
        "attributes": {
            MARK: wanted.public_url,
            "adminEventsExpiration": str(EVENT_DAYS * _DAY),
        },
    }
    if face is Face.CITIZEN:
        # an e-mail is no key: two people may share one, and nobody is found by it
        return ours | {"duplicateEmailsAllowed": True, "loginWithEmailAllowed": False}
    return ours | {"registrationAllowed": False}


def profile_attributes(wanted: Installation) -> list[dict[str, Any]]:
    """Return the attributes of a person that only administrators and mappers may see and change."""
    titles = {
        "given_names": "Prénoms",
        "birth_name": "Nom de naissance",
        "birthdate": "Date de naissance",
        "gender": "Sexe",
        "birthplace": "Commune de naissance (code INSEE)",
        "birthcountry": "Pays de naissance (code INSEE)",
        PIVOT_SOURCE: "Origine de l'état civil",
    }
    return [
        {
            "name": name,
            "displayName": titles[name],
            "permissions": {"view": ["admin"], "edit": ["admin"]},
            "validations": {"length": {"max": 300}},
            "annotations": {MARK: wanted.public_url},
            "multivalued": False,
        }
        for name in (*CIVIL_STATUS, PIVOT_SOURCE)
    ]


def scopes(wanted: Installation) -> tuple[tuple[dict[str, Any], tuple[Mapper, ...]], ...]:
    """Return the client scopes of the citizens' realm: who carries ours speaks to the API."""
    body = {
        "name": HUB_SCOPE,
        "description": "Jetons pour l'API de Parvis",
        "protocol": "openid-connect",
        "attributes": {MARK: wanted.public_url, "include.in.token.scope": "false"},
    }
    audience = Mapper(
        name="audience",
        kind="oidc-audience-mapper",
        protocol="openid-connect",
        config={
            "included.client.audience": HUB_CLIENT,
            "access.token.claim": "true",
            "id.token.claim": "false",
        },
    )
    notes = (("fc_acr", "acr"), ("idp_alias", "identity_provider"))
    return ((body, (audience, *(_note_claim(name, note) for name, note in notes))),)


def _note_claim(name: str, note: str) -> Mapper:
    return Mapper(
        name=name,
        kind="oidc-usersessionmodel-note-mapper",
        protocol="openid-connect",
        config={
            "user.session.note": note,
            "claim.name": name,
            "jsonType.label": "String",
            "access.token.claim": "true",
            "id.token.claim": "false",
        },
    )


def clients(wanted: Installation, face: Face) -> tuple[Client, ...]:
    """Return the clients of a realm, those that own roles before those that are given them."""
    provisioning = _account(wanted, PROVISIONING, PROVISIONING_ROLES)
    if face is Face.CONSOLE:
        return (_service_provider(wanted, face), provisioning)
    runtime = _account(wanted, RUNTIME, RUNTIME_ROLES)
    return (
        _service_provider(wanted, face),
        _hub(wanted),
        _portal(wanted),
        *((_portal_login(wanted),) if wanted.portal_redirects else ()),
        provisioning,
        runtime,
    )


def _service_provider(wanted: Installation, face: Face) -> Client:
    acs, sls = (wanted.saml_address(face, place) for place in ("acs", "sls"))
    attributes = {
        MARK: wanted.public_url,
        "saml.server.signature": "true",
        "saml.assertion.signature": "true",
        "saml.client.signature": "true",
        "saml.signing.certificate": wanted.certificate,
        "saml.signature.algorithm": "RSA_SHA256",
        "saml_signature_canonicalization_method": "http://www.w3.org/2001/10/xml-exc-c14n#",
        "saml.force.post.binding": "true",
        "saml.authnstatement": "true",
        "saml.encrypt": "false",
        "saml_name_id_format": "persistent",
        "saml_force_name_id_format": "true",
        "saml_assertion_consumer_url_post": acs,
        "saml_single_logout_service_url_redirect": sls,
        "saml_single_logout_service_url_post": sls,
        "saml.useMetadataDescriptorUrl": "true" if wanted.reads_our_metadata else "false",
    }
    if wanted.reads_our_metadata:
        attributes["saml.metadataDescriptorUrl"] = wanted.saml_address(face, "metadata")
    body = {
        "clientId": wanted.saml_address(face, "metadata"),
        "name": "Parvis" if face is Face.CITIZEN else "Parvis, pages des agents",
        "protocol": "saml",
        "enabled": True,
        "redirectUris": [acs],
        "fullScopeAllowed": False,
        "frontchannelLogout": True,
        "consentRequired": False,
        "attributes": attributes,
    }
    mappers = _citizen_attributes() if face is Face.CITIZEN else _staff_attributes()
    return Client(body=body, mappers=mappers)


def _citizen_attributes() -> tuple[Mapper, ...]:
    return (
        _property("kc_user", "id"),
        _property("email", "email"),
        _property("email_verified", "emailVerified"),
        *(_attribute(name) for name in (*CIVIL_STATUS, PIVOT_SOURCE)),
        _note("fc_acr", "acr"),
        _note("fc_sub", "sub"),
        _note("idp_alias", "identity_provider"),
    )


def _staff_attributes() -> tuple[Mapper, ...]:
    return (_property("kc_user", "id"), _property("username", "username"))


def _property(name: str, of_user: str) -> Mapper:
    return _saml(name, "saml-user-property-mapper", {"user.attribute": of_user})


def _attribute(name: str) -> Mapper:
    return _saml(name, "saml-user-attribute-mapper", {"user.attribute": name})


def _note(name: str, note: str) -> Mapper:
    return _saml(name, "saml-user-session-note-mapper", {"note": note})


def _saml(name: str, kind: str, config: dict[str, str]) -> Mapper:
    named = {"attribute.name": name, "attribute.nameformat": "Basic", "friendly.name": name}
    return Mapper(name=name, kind=kind, protocol="saml", config={**config, **named})


def _oidc(wanted: Installation, name: str, title: str) -> dict[str, Any]:
    return {
        "clientId": name,
        "name": title,
        "protocol": "openid-connect",
        "enabled": True,
        "publicClient": False,
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": False,
        "fullScopeAllowed": False,
        "attributes": {MARK: wanted.public_url},
    }


def _hub(wanted: Installation) -> Client:
    body = _oidc(wanted, HUB_CLIENT, "API de Parvis")
    return Client(body=body, roles=tuple((role, f"Droit {role} de l'API") for role in HUB_ROLES))


def _portal(wanted: Installation) -> Client:
    body = _oidc(wanted, PORTAL, "Portail de la ville") | {"serviceAccountsEnabled": True}
    if wanted.portal_key_address:
        body["clientAuthenticatorType"] = "client-jwt"
        keys = {"use.jwks.url": "true", "jwks.url": wanted.portal_key_address}
        body["attributes"] = {
            **body["attributes"],
            **keys,
            "token.endpoint.auth.signing.alg": "RS256",
        }
    else:
        body["clientAuthenticatorType"] = "client-secret"
    return Client(body=body, scopes=(HUB_SCOPE,), rights=((HUB_CLIENT, HUB_ROLES),))


def _portal_login(wanted: Installation) -> Client:
    body = _oidc(wanted, PORTAL_LOGIN, "Portail de la ville, connexion des usagers")
    body |= {
        "publicClient": True,
        "standardFlowEnabled": True,
        "redirectUris": sorted(wanted.portal_redirects),
        "attributes": {**body["attributes"], "pkce.code.challenge.method": "S256"},
    }
    return Client(body=body, scopes=(HUB_SCOPE,))


def _account(wanted: Installation, name: str, roles: tuple[str, ...]) -> Client:
    title = "Parvis, mise en place" if name == PROVISIONING else "Parvis, en marche"
    body = _oidc(wanted, name, title) | {
        "serviceAccountsEnabled": True,
        "clientAuthenticatorType": "client-secret",
    }
    return Client(body=body, rights=((MANAGEMENT, roles),))


__all__ = [
    "Client",
    "Installation",
    "Mapper",
    "clients",
    "profile_attributes",
    "realm",
    "scopes",
]
