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

FILE: Final = Path(__file__).with_name("city.yaml")
KOHA, GATEWAY, DROP, MAIL = "koha", "sms_ovh", "desk_drop", "mail"
SENDERS: Final = "senders"
IDENTITY: Final = "keycloak"
REALMS: Final = {"parvis": "", "parvis-staff": "/console"}
DOUBLES: Final = frozenset({KOHA, GATEWAY})
DROP_EVERY: Final = "2s"
POSTERS_LAST: Final = timedelta(days=365)
CREDITS: Final = 1_000_000
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """The city's document with the ports of its systems and the values of its secrets."""

    document: Document
    ports: Mapping[str, int]
    secrets: Mapping[str, str]

    def address(self, name: str) -> str:
        """Return the address of a mock."""
        return f"http://{HOST}:{self.ports[name]}"

    @property
    def mocks(self) -> dict[str, str]:
        """Return the address of every double, by the profile it stands behind."""
        return {name: self.address(name) for name in mock_names(self.document)}

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


def mock_names(document: Document) -> list[str]:
    """Return the systems that have a double of ours behind a port."""
    profiles = document["profiles"]
    return [name for name in profiles if profiles[name]["connector"] in DOUBLES] + [
        SENDERS,
        IDENTITY,
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


def secret_kinds(document: Document) -> dict[str, str]:
    """Return every secret the city needs, with its kind: ``v1``, ``v1a`` or ``word``."""
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
    return words | keys


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


def mock_settings(city: City, *, hub: str, notice: Mapping[str, str], seed: int) -> dict[str, Any]:
    """Return the settings of the process that stands for every system and every sender."""
    profiles = city.document["profiles"]
    mocks = {
        name: _mock(name, profile, city)
        for name, profile in profiles.items()
        if profile["connector"] in DOUBLES
    }
    rows = [{**each, "communes": []} for each in city.partners]
    senders = {"hub_url": hub, "notice": dict(notice), "seed": seed, "senders": rows}
    mocks[SENDERS] = {"kind": SENDERS, "port": city.ports[SENDERS], "settings": senders}
    mocks[IDENTITY] = _identity(city, hub=hub)
    return {"mocks": mocks}


def _identity(city: City, *, hub: str) -> dict[str, Any]:
    """Return the settings of the double of Keycloak: both realms, and the hub as their one service."""
    realms = {
        name: {
            "entity_id": f"{hub}{below}/saml/metadata",
            "acs": f"{hub}{below}/saml/acs",
            "sls": f"{hub}{below}/saml/sls",
        }
        for name, below in REALMS.items()
    }
    settings = {"base": city.address(IDENTITY), "realms": realms}
    return {"kind": IDENTITY, "port": city.ports[IDENTITY], "settings": settings}


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


def _mock(name: str, profile: Mapping[str, Any], city: City) -> dict[str, Any]:
    settings = _library(name, profile, city) if profile["connector"] == KOHA else None
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
