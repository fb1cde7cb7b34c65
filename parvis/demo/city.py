"""The demonstration city brought to life: its file filled in, its systems' doubles described.

``city.yaml`` is read as any city's is; only what depends on this machine and this folder is put in
place of what the file says: addresses, folders, public keys, last days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from parvis.demo.folder import HOST, DemoFolder, public_key_of
from parvis.realm_accounts import ACCOUNT_SECRET

FILE: Final = Path(__file__).with_name("city.yaml")
KOHA, GATEWAY, DROP, MAIL = "koha", "sms_ovh", "desk_drop", "mail"
SENDERS: Final = "senders"
IDENTITY: Final = "keycloak"
REALMS: Final = {"parvis": "", "parvis-staff": "/console"}
FRANCECONNECT: Final = "franceconnect"
FRANCECONNECT_ALIAS: Final = "france-connect"
FRANCECONNECT_CLIENT: Final = "ville-de-demonstration"
FRANCECONNECT_SECRET: Final = "franceconnect_client"  # noqa: S105 - a name, no secret
PROVIDER_FILE: Final = "franceconnect.json"
DOUBLES: Final = frozenset({KOHA, GATEWAY})
DROP_EVERY: Final = "2s"
POSTERS_LAST: Final = timedelta(days=365)
CREDITS: Final = 1_000_000
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """The city's document with the ports of its systems and the values of its secrets.

    ``keycloak`` is the address of a real server; None: its double signs people in.
    """

    document: Document
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    keycloak: str | None = None

    def address(self, name: str) -> str:
        """Return the address of a mock."""
        return f"http://{HOST}:{self.ports[name]}"

    @property
    def mocks(self) -> dict[str, str]:
        """Return the address of every double, by the profile it stands behind."""
        names = mock_names(self.document, is_real_keycloak=self.keycloak is not None)
        return {name: self.address(name) for name in names}

    @property
    def identity_url(self) -> str:
        """Return where people prove who they are."""
        return self.keycloak or self.address(IDENTITY)

    @property
    def partners(self) -> list[dict[str, Any]]:
        """Return what a sender needs to speak for each partner."""
        return [
            {
                "id": partner["id"],
                "source": f"/partners/{partner['id']}",
                "key_id": f"{partner['id']}/{key['id']}",
                "scheme": key["scheme"],
                "secret": self.secrets[key_secret(partner["id"], key)],
                "allowed_events": list(partner["allowed_events"]),
            }
            for partner in self.document["partners"]
            for key in partner["keys"]
        ]


def read_city() -> Document:
    """Read the file of the demonstration city."""
    document: Document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return document


def mock_names(document: Document, *, is_real_keycloak: bool = False) -> list[str]:
    """Return the systems that have a double of ours behind a port."""
    profiles = document["profiles"]
    return [
        *(name for name in profiles if profiles[name]["connector"] in DOUBLES),
        SENDERS,
        FRANCECONNECT if is_real_keycloak else IDENTITY,
    ]


def mail_profile(document: Document) -> str:
    """Return the profile that sends e-mails."""
    found: str = next(
        name for name, each in document["profiles"].items() if each["connector"] == MAIL
    )
    return found


def key_secret(partner: str, key: Mapping[str, Any]) -> str:
    """Return the name of the secret behind a partner's key."""
    return str(key["secret"]["secret"]) if "secret" in key else f"{partner}_{key['id']}"


def secret_kinds(document: Document, *, is_real_keycloak: bool = False) -> dict[str, str]:
    """Return every secret the city needs, with its kind: ``v1``, ``v1a`` or ``word``.

    A real Keycloak makes the secret of our account itself.
    """
    words = {
        str(value["secret"]): "word"
        for profile in document["profiles"].values()
        for value in profile.values()
        if isinstance(value, dict)
    }
    keys = {
        key_secret(partner["id"], key): str(key["scheme"])
        for partner in document["partners"]
        for key in partner["keys"]
    }
    identity = {FRANCECONNECT_SECRET if is_real_keycloak else ACCOUNT_SECRET: "word"}
    return words | keys | identity


def filled(city: City, folder: DemoFolder, *, today: date) -> dict[str, Any]:
    """Return the document to apply: this machine's addresses, folders, keys and days in place."""
    document = dict(city.document)
    document["profiles"] = {
        name: {**profile, **_placed(name, profile, city=city, folder=folder)}
        for name, profile in document["profiles"].items()
    }
    document["partners"] = [
        {**partner, "keys": [_key(partner["id"], key, city) for key in partner["keys"]]}
        for partner in document["partners"]
    ]
    document["placements"] = [
        {**each, "valid_until": max(each["valid_until"], today + POSTERS_LAST)}
        for each in document["placements"]
    ]
    return document


def mock_settings(
    city: City,
    *,
    hub: str,
    notice: Mapping[str, str],
    seed: int,
    keys: Path | None = None,
    records_from: int = 1,
) -> dict[str, Any]:
    """Return the settings of the process that stands for every system and every sender.

    ``keys`` is where the double of Keycloak keeps its own, so that a hub started again knows them;
    ``records_from`` is the first number of a library's records, since no real one gives a number twice.
    """
    profiles = city.document["profiles"]
    mocks = {
        name: _mock(name, profile, city, records_from)
        for name, profile in profiles.items()
        if profile["connector"] in DOUBLES
    }
    rows = [{**each, "communes": []} for each in city.partners]
    senders = {"hub_url": hub, "notice": dict(notice), "seed": seed, "senders": rows}
    mocks[SENDERS] = {"kind": SENDERS, "port": city.ports[SENDERS], "settings": senders}
    if city.keycloak is None:
        mocks[IDENTITY] = _identity(city, hub=hub, keys=keys)
    else:
        mocks[FRANCECONNECT] = _franceconnect(city)
    return {"mocks": mocks}


def _identity(city: City, *, hub: str, keys: Path | None) -> dict[str, Any]:
    """Return the settings of the double of Keycloak: both realms, and the hub as their one service."""
    realms: dict[str, dict[str, Any]] = {
        name: {
            "entity_id": f"{hub}{below}/saml/metadata",
            "acs": f"{hub}{below}/saml/acs",
            "sls": f"{hub}{below}/saml/sls",
        }
        for name, below in REALMS.items()
    }
    account = {"secret": city.secrets[ACCOUNT_SECRET], "roles": ["view-users", "manage-users"]}
    realms["parvis"]["applications"] = {"parvis-runtime": account}
    settings: dict[str, Any] = {"base": city.address(IDENTITY), "realms": realms}
    if keys is not None:
        settings["keys"] = str(keys)
    return {"kind": IDENTITY, "port": city.ports[IDENTITY], "settings": settings}


def provider(city: City) -> dict[str, str]:
    """Return FranceConnect's double as the realm is told of it, in the words of a city's own file."""
    issuer = f"{city.address(FRANCECONNECT)}/api/v2"
    return {
        "alias": FRANCECONNECT_ALIAS,
        "title": "FranceConnect",
        "issuer": issuer,
        "authorization_url": f"{issuer}/authorize",
        "token_url": f"{issuer}/token",
        "userinfo_url": f"{issuer}/userinfo",
        "jwks_url": f"{issuer}/jwks",
        "logout_url": f"{issuer}/session/end",
        "client_id": FRANCECONNECT_CLIENT,
        "secret": FRANCECONNECT_SECRET,
        "scopes": "openid identite_pivot email",
        "acr_values": "eidas1",
    }


def _franceconnect(city: City) -> dict[str, Any]:
    """Return the settings of FranceConnect's double: the citizens' realm is its one client."""
    back = f"{city.keycloak}/realms/parvis/broker/{FRANCECONNECT_ALIAS}/endpoint"
    client = {
        "name": city.document["city"]["name"],
        "secret": city.secrets[FRANCECONNECT_SECRET],
        "redirect_uris": [back],
        "post_logout_redirect_uris": [f"{back}/logout_response"],
    }
    settings = {"levels": ["eidas1"], "clients": {FRANCECONNECT_CLIENT: client}}
    return {"kind": FRANCECONNECT, "port": city.ports[FRANCECONNECT], "settings": settings}


def _placed(
    name: str, profile: Mapping[str, Any], *, city: City, folder: DemoFolder
) -> dict[str, Any]:
    match profile["connector"]:
        case "koha" | "sms_ovh":
            return {"base_url": city.address(name)}
        case "desk_drop":
            return {"directory": str(drop_folder(folder, name)), "every": DROP_EVERY}
        case "mail":
            return {"host": HOST, "port": city.ports[name]}
        case _:
            return {}


def drop_folder(folder: DemoFolder, profile: str) -> Path:
    """Return where a desk's files are dropped."""
    return folder.drop / profile


def drop_folders(document: Document, folder: DemoFolder) -> Sequence[Path]:
    """Return the folders of all desks."""
    profiles = document["profiles"].items()
    return [drop_folder(folder, name) for name, each in profiles if each["connector"] == DROP]


def _key(partner: str, key: Mapping[str, Any], city: City) -> dict[str, Any]:
    if key["scheme"] != "v1a":
        return dict(key)
    return {**key, "public_key": public_key_of(city.secrets[key_secret(partner, key)])}


def _mock(name: str, profile: Mapping[str, Any], city: City, records_from: int) -> dict[str, Any]:
    settings = _library(name, profile, city) if profile["connector"] == KOHA else None
    if settings is not None:
        settings["first_patron_id"] = records_from
    return {
        "kind": profile["connector"],
        "port": city.ports[name],
        "settings": settings or _gateway(profile, city),
    }


def _library(name: str, profile: Mapping[str, Any], city: City) -> dict[str, Any]:
    bound = [row for row in city.document["services"] if row["profile"] == name]
    bindings = [row["binding"] for row in bound]
    names = {row["binding"]["library_id"]: row["name"] for row in bound}
    categories = {each[kind] for each in bindings for kind in ("provisional_category", "category")}
    return {
        "client_id": profile["client_id"],
        "client_secret": city.secrets[profile["client_secret"]["secret"]],
        "libraries": names,
        "categories": sorted(categories),
    }


def _gateway(profile: Mapping[str, Any], city: City) -> dict[str, Any]:
    account = {"credits": CREDITS, "senders": [profile["sender"]]}
    keys = ("application_key", "application_secret", "consumer_key")
    return {
        **{name: city.secrets[profile[name]["secret"]] for name in keys},
        "services": {profile["service_name"]: account},
    }
