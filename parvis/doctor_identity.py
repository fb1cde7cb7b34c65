"""Is signing in well? Each thing that is set up wrongly is said with what to do about it.

What can be proved from here: our keys, the realms' descriptions and clocks, what was refused lately, the
roles and the applications. Given an account that may read Keycloak, also what its realms hold.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from identity.keycloak import PROVISIONING, AdminApi, Change, Provisioning, client_known
from identity.keycloak import Finding as Drift
from identity.saml import is_pair
from identity.saml.descriptors import address_of, fetch, judge, signing_keys, time_at
from orchestrator.services.ports.api_clients import ApiClient
from orchestrator.services.ports.staff import Role
from orchestrator.store.api_clients import ApiClientTable
from orchestrator.store.journal_reading import refused_lately
from orchestrator.store.staff_roles import StaffRoleTable
from parvis import identity_setup
from parvis.bootstrap import Hub
from parvis.findings import Finding, fault, remark, well
from parvis.identity_keys import CERTIFICATE, KEY
from parvis.realm_accounts import ACCOUNT_SECRET
from parvis.sign_in import FACES, realm_of
from schemas import clock
from schemas.errors import (
    ConfigurationError,
    IdentityUnavailableError,
    ParvisError,
    SamlRefusedError,
)
from schemas.logins import Face

SOON: Final = timedelta(days=30)
MOST_SKEW_SECONDS: Final = 60
_APPLY: Final = "lancez « parvis identity apply »"
_REALM: Final = {Face.CITIZEN: "royaume des usagers", Face.CONSOLE: "royaume des agents"}
_DESCRIPTION: Final[Mapping[str, tuple[str, str]]] = {
    "entity_id": (
        "sa description porte un autre nom que le sien",
        "corrigez PARVIS_IDP_URL, ou l'adresse publique de Keycloak (KC_HOSTNAME) : ils doivent être égaux",
    ),
    "endpoint": (
        "sa description renvoie vers un autre hôte",
        "corrigez l'adresse publique de Keycloak (KC_HOSTNAME)",
    ),
    "no_key": (
        "sa description n'a aucune clé de signature",
        "activez une clé RS256 dans ce royaume",
    ),
}
_STRANGE: Final = (
    "ce qu'il répond n'est pas la description d'un royaume",
    "vérifiez PARVIS_IDP_URL et le nom du royaume",
)
_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "attributes": ("un attribut manque ou est en double : un mappeur manque", _APPLY),
    "username": ("le nom de compte manque : un mappeur manque", _APPLY),
    "unsigned": ("un message de déconnexion n'était pas signé", _APPLY),
    "algorithm": ("un message était signé par un algorithme refusé", _APPLY),
    "audience": ("une réponse était pour un autre destinataire que nous", _APPLY),
    "destination": (
        "une réponse visait une autre adresse que la nôtre",
        "vérifiez PARVIS_PUBLIC_URL, puis " + _APPLY,
    ),
    "recipient": (
        "une réponse visait une autre adresse que la nôtre",
        "vérifiez PARVIS_PUBLIC_URL, puis " + _APPLY,
    ),
    "issuer": ("une réponse venait d'un autre royaume", "vérifiez PARVIS_IDP_URL et le royaume"),
    "signature": (
        "une signature n'était pas du royaume",
        "si ses clés viennent de changer, attendez une minute ; sinon vérifiez PARVIS_IDP_URL",
    ),
    "issue_instant": ("une réponse était d'une autre heure", "réglez les deux machines par NTP"),
    "lifetime": ("une réponse était d'une autre heure", "réglez les deux machines par NTP"),
    "stale": ("une déconnexion était d'une autre heure", "réglez les deux machines par NTP"),
    "name_id": ("l'identifiant persistant manque", _APPLY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the look at one realm needs."""

    hub: Hub
    face: Face
    address: str
    entity_id: str

    @property
    def subject(self) -> str:
        return _REALM[self.face]


def examined_identity(hub: Hub, environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return every finding about signing in; raises StoreUnavailableError without a database."""
    if hub.settings.idp_url is None:
        detail = "PARVIS_IDP_URL manque : personne ne se connecte par Keycloak"
        return (remark("connexion", detail, "donnez l'adresse de Keycloak"), *_clients(hub, None))
    findings = [*_addresses(hub), *_key_pair(hub)]
    for face in FACES:
        realm = realm_of(hub.settings, face) or ""
        findings += _realm(_Seen(hub=hub, face=face, address=address_of(realm), entity_id=realm))
    apis, said = _administration(hub, environ)
    findings += [*_refusals(hub), *_untold(hub), *_staff(hub)]
    return (*findings, *said, *_clients(hub, apis))


def _addresses(hub: Hub) -> Iterator[Finding]:
    settings = hub.settings
    for name, url in (
        ("PARVIS_PUBLIC_URL", settings.public_url),
        ("PARVIS_IDP_URL", settings.idp_url or ""),
    ):
        if settings.is_production and urlsplit(url).scheme != "https":
            detail = f"{name} est en http : les mots de passe et les cookies passent en clair"
            yield fault("adresses", detail, "mettez-la en https")


# --- ours -------------------------------------------------------------------------------------------


def _key_pair(hub: Hub) -> Iterator[Finding]:
    values = hub.secrets.values((KEY, CERTIFICATE))
    if KEY not in values or CERTIFICATE not in values:
        remedy = "lancez « parvis identity keys », puis « parvis identity apply »"
        yield fault("clé SAML", "Parvis n'a pas encore de paire de clés", remedy)
        return
    if not is_pair(values[KEY].encode(), values[CERTIFICATE].encode()):
        remedy = (
            "remettez la bonne paire, ou lancez « parvis identity keys --rotate » puis « --switch »"
        )
        yield fault("clé SAML", "le certificat n'est pas celui de la clé", remedy)
        return
    ends = x509.load_pem_x509_certificate(values[CERTIFICATE].encode()).not_valid_after_utc
    remedy = "lancez « parvis identity keys --rotate » et suivez docs/how-to/connect-keycloak.md"
    yield _ending("clé SAML", "notre certificat", ends, remedy)


def _ending(subject: str, what: str, ends: datetime, remedy: str) -> Finding:
    left = ends - clock.utcnow()
    if left <= timedelta():
        return fault(subject, f"{what} a expiré le {ends:%d/%m/%Y}", remedy)
    if left < SOON:
        return remark(subject, f"{what} expire dans {left.days} jours", remedy)
    return well(subject, f"{what} est bon jusqu'au {ends:%d/%m/%Y}")


# --- the realms ---------------------------------------------------------------------------------------


def _realm(seen: _Seen) -> Iterator[Finding]:
    ca_file = seen.hub.settings.idp_ca_file
    try:
        now = time_at(seen.address, ca_file=ca_file)
        xml = judge(fetch(seen.address, ca_file=ca_file), seen.entity_id)
    except IdentityUnavailableError:
        remedy = (
            "vérifiez PARVIS_IDP_URL, le nom du royaume, le pare-feu et l'autorité du certificat "
            "(PARVIS_IDP_CA_FILE)"
        )
        yield fault(seen.subject, "il ne répond pas, ou ce royaume n'existe pas", remedy)
        return
    except SamlRefusedError as error:
        yield fault(seen.subject, *_DESCRIPTION.get(error.code, _STRANGE))
        return
    yield from _clock(seen, now)
    ends = max(key.expires_at for key in signing_keys(xml))
    remedy = "renouvelez la clé du royaume dans Keycloak avant cette date"
    yield _ending(seen.subject, "son certificat", ends, remedy)


def _clock(seen: _Seen, now: datetime | None) -> Iterator[Finding]:
    skew = abs((now - clock.utcnow()).total_seconds()) if now else 0.0
    if skew > MOST_SKEW_SECONDS:
        detail = f"son horloge est à {skew:.0f} s de la nôtre : ses réponses seront refusées"
        yield fault(seen.subject, detail, "réglez les deux machines par NTP")


def _refusals(hub: Hub) -> Iterator[Finding]:
    for (face, code), count in sorted(refused_lately(hub.database, hub.vault).items()):
        told = _REFUSED.get(code)
        if told is not None:
            detail = f"{count} refus depuis un jour : {told[0]} ({code})"
            yield fault(_REALM[Face(face)], detail, told[1])


def _untold(hub: Hub) -> Iterator[Finding]:
    """Look at the logins taken away whose effect a person must help along, told by their reasons."""
    if ACCOUNT_SECRET not in hub.secrets.names():
        detail = (
            "le compte parvis-runtime n'est pas rangé : une connexion retirée reste dans Keycloak"
        )
        yield remark(
            "Keycloak",
            detail,
            f"lancez « parvis identity client-secret parvis-runtime --store {ACCOUNT_SECRET} »",
        )
    waiting = Counter(
        each.fault or "" for each in hub.realm_effects.rows.open() if each.status != "waiting"
    )
    for reason, count in sorted(waiting.items()):
        detail = f"{count} connexion(s) retirée(s) restent dans Keycloak : {reason}"
        yield fault("Keycloak", detail, "corrigez, puis « parvis identity effects --resume »")


# --- Keycloak by an account of its own ----------------------------------------------------------------


def _administration(
    hub: Hub, environ: Mapping[str, str]
) -> tuple[dict[str, AdminApi] | None, list[Finding]]:
    try:
        apis = identity_setup.apis(hub.settings, environ)
    except ConfigurationError:
        detail = "ses clients, mappeurs et version n'ont pas été lus"
        remedy = f"donnez le compte {PROVISIONING} ou l'administrateur, comme à « parvis identity apply »"
        return None, [remark("Keycloak", detail, remedy)]
    try:
        return apis, [*_version(hub, apis), *_drift(hub, apis)]
    except ParvisError as error:
        remedy = "vérifiez le compte donné et ses droits"
        return None, [fault("Keycloak", error.detail or error.title, remedy)]


def _version(hub: Hub, apis: Mapping[str, AdminApi]) -> Iterator[Finding]:
    for sentence in identity_setup.remarks(hub.settings, apis):
        what, _, remedy = sentence.partition(" : ")
        yield fault("Keycloak", what, remedy)


def _drift(hub: Hub, apis: Mapping[str, AdminApi]) -> Iterator[Finding]:
    """Look at our own two clients and their mappers; the rest is told by ``identity apply --check``."""
    if CERTIFICATE not in hub.secrets.names():
        return
    ours = f"client {hub.settings.public_url}/"
    for one in min((_differing(hub, apis, is_read=is_read) for is_read in (False, True)), key=len):
        if one.what.startswith(ours):
            word = "manque" if one.change is Change.CREATED else "n'est pas comme il faut"
            details = f" ({' ; '.join(one.details)})" if one.details else ""
            yield fault("Keycloak", f"{one.realm} : {one.what} {word}{details}", _APPLY)


def _differing(hub: Hub, apis: Mapping[str, AdminApi], *, is_read: bool) -> Sequence[Drift]:
    """Return what differs when the realm reads our description (``is_read``) or was given our certificate."""
    wishes = identity_setup.Wishes(reads_our_metadata=is_read)
    ours = identity_setup.installation(
        hub.settings, hub.secrets, wishes, digest_key=hub.keys.provider_secret
    )
    report = Provisioning(ours, apis).check()
    if report.stopped is not None:
        raise report.stopped.error
    return report.of(Change.CREATED, Change.CHANGED)


# --- who may --------------------------------------------------------------------------------------------


def _staff(hub: Hub) -> Iterator[Finding]:
    granted = StaffRoleTable(database=hub.database, vault=hub.vault).granted()
    if not any(row.role is Role.ADMIN and not row.is_over for row in granted):
        remedy = "lancez « parvis users grant NOM admin »"
        yield remark("agents", "personne n'est administrateur de la console", remedy)


def _clients(hub: Hub, apis: Mapping[str, AdminApi] | None) -> Iterator[Finding]:
    table = ApiClientTable(database=hub.database, vault=hub.vault)
    for client in table.clients():
        if client.disabled_at is None:
            yield from _client(hub, apis, client)


def _client(hub: Hub, apis: Mapping[str, AdminApi] | None, client: ApiClient) -> Iterator[Finding]:
    remedy = f"lancez « parvis api-clients disable {client.client_id} » s'il ne sert plus"
    if hub.settings.idp_url is None:
        yield fault("applications", f"{client.client_id} ne sert à rien sans Keycloak", remedy)
        return
    api = (apis or {}).get(hub.settings.idp_realm)
    if api is not None and not client_known(api, hub.settings.idp_realm, client.client_id):
        detail = f"{client.client_id} n'existe pas dans le royaume des usagers"
        yield fault("applications", detail, remedy)


__all__ = ["MOST_SKEW_SECONDS", "SOON", "examined_identity"]
