"""The configuration as plain entries: what a file says and what the tables hold, comparable.

An entry is JSON without defaults left open, so that two configurations are equal when they mean the
same. A partner's keys are entries of their own: a key that a rotation added is not lost because an
older file does not name it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.services.ports.offer import Entry, EntryKey
from schemas.city import CityDocument, Partner, Policies, SecretRef, SystemPolicy
from schemas.located_yaml import Path

KINDS: Final = (
    "city",
    "policies",
    "territory",
    "profile",
    "service",
    "partner",
    "partner_key",
    "placement",
)
"""In the order in which entries may refer to those before them."""
FRENCH: Final[Mapping[str, str]] = {
    "city": "ville",
    "policies": "politiques",
    "territory": "territoire",
    "profile": "profil",
    "service": "service",
    "partner": "partenaire",
    "partner_key": "clé de partenaire",
    "placement": "affiche",
}
_ORDER: Final = (
    *("kind", "name", "domain", "languages", "timezone"),  # city, service, partner
    *("allowed_events", "territory", "territories", "place", "handover", "min_level", "profile"),
    *("binding", "scheme", "secret", "public_key"),  # service, key
    *("poster", "place_name", "commune", "partner", "campaign", "status", "valid_until"),
    *("retry", "profiles", "quiet_hours"),
)
CITY: Final[EntryKey] = ("city", "city")
POLICIES: Final[EntryKey] = ("policies", "policies")


def ordered(keys: Iterable[EntryKey]) -> tuple[EntryKey, ...]:
    """Return keys in the order of their kinds, then by name."""
    return tuple(sorted(keys, key=lambda key: (KINDS.index(key[0]), key[1])))


def shown(key: EntryKey) -> str:
    """Return an entry's name as people read it: ``service lib_alcazar``."""
    return FRENCH[key[0]] if key in {CITY, POLICIES} else f"{FRENCH[key[0]]} {key[1]}"


def entries_of(document: CityDocument) -> dict[EntryKey, Entry]:
    """Return the entries of a document."""
    entries: dict[EntryKey, Entry] = {CITY: _city(document)}
    if document.policies != Policies():
        entries[POLICIES] = _policies(document)
    for territory in document.territories:
        entries["territory", territory.id] = {"communes": sorted(territory.communes)}
    for name, profile in document.profiles.items():
        settings = {key: _value(value) for key, value in profile.settings.items()}
        entries["profile", name] = {"connector": profile.connector, "settings": settings}
    for service in document.services:
        entries["service", service.id] = {
            "kind": service.kind,
            "name": service.name,
            "territory": service.territory,
            "place": service.place,
            "min_level": service.min_level,
            "profile": service.profile,
            "binding": dict(service.binding),
        }
    for partner in document.partners:
        entries.update(_partner(partner))
    entries.update(_placements(document))
    return entries


def paths_of(document: CityDocument) -> dict[EntryKey, Path]:
    """Return where each entry stands in its document."""
    paths: dict[EntryKey, Path] = {CITY: ("city",), POLICIES: ("policies",)}
    for index, territory in enumerate(document.territories):
        paths["territory", territory.id] = ("territories", index)
    for name in document.profiles:
        paths["profile", name] = ("profiles", name)
    for index, service in enumerate(document.services):
        paths["service", service.id] = ("services", index)
    for index, partner in enumerate(document.partners):
        paths["partner", partner.id] = ("partners", index)
        for key_index, key in enumerate(partner.keys):
            path = ("partners", index, "keys", key_index)
            paths["partner_key", f"{partner.id}/{key.id}"] = path
    for index, placement in enumerate(document.placements):
        paths["placement", placement.token] = ("placements", index)
    return paths


def document_of(entries: Mapping[EntryKey, Entry]) -> dict[str, Any]:
    """Return the ``city.yaml`` of the entries, as plain values in the order people expect."""
    document: dict[str, Any] = {"version": 1, "city": _without_none(entries.get(CITY, {}))}
    document["territories"] = [
        {"id": name, "communes": list(entry["communes"])}
        for name, entry in _of("territory", entries)
    ]
    document["profiles"] = {
        name: {"connector": entry["connector"], **entry["settings"]}
        for name, entry in _of("profile", entries)
    }
    document["services"] = [
        {"id": name, **_without_none(entry)} for name, entry in _of("service", entries)
    ]
    document["partners"] = [
        {"id": name, **_without_none(entry), "keys": _keys_of(name, entries)}
        for name, entry in _of("partner", entries)
    ]
    document["placements"] = [
        {"token": name, **_without_none(entry)} for name, entry in _of("placement", entries)
    ]
    if POLICIES in entries:
        document["policies"] = _without_none(entries[POLICIES])
    return {key: value for key, value in document.items() if value not in ({}, [])}


def _of(kind: str, entries: Mapping[EntryKey, Entry]) -> list[tuple[str, Entry]]:
    return sorted((key[1], entry) for key, entry in entries.items() if key[0] == kind)


def _keys_of(partner: str, entries: Mapping[EntryKey, Entry]) -> list[dict[str, Any]]:
    return [
        {"id": name.partition("/")[2], **_without_none(entry)}
        for name, entry in _of("partner_key", entries)
        if name.startswith(f"{partner}/")
    ]


def _without_none(entry: Entry) -> dict[str, Any]:
    """Return what an entry says, in the order people expect whatever table it came from."""
    said = (key for key, value in entry.items() if value is not None and value != {})
    return {key: entry[key] for key in sorted(said, key=_ORDER.index)}


def _value(value: object) -> object:
    return {"secret": value.secret} if isinstance(value, SecretRef) else value


def _city(document: CityDocument) -> Entry:
    city = document.city
    return {
        "name": city.name,
        "domain": city.domain,
        "languages": list(city.languages),
        "timezone": city.timezone,
    }


def _policies(document: CityDocument) -> Entry:
    return {
        "retry": document.policies.retry,
        "profiles": {name: _system_policy(own) for name, own in document.policies.profiles.items()},
        "quiet_hours": dict(document.policies.quiet_hours),
    }


def _system_policy(own: SystemPolicy) -> dict[str, Any]:
    """Return what a system's policy says, and nothing it leaves open."""
    said = {"retry": own.retry, "max_rps": own.max_rps, "operations": dict(own.operations)}
    return {name: value for name, value in said.items() if value}


def _partner(partner: Partner) -> dict[EntryKey, Entry]:
    entries: dict[EntryKey, Entry] = {
        ("partner", partner.id): {
            "name": partner.name,
            "allowed_events": sorted(partner.allowed_events),
            "territories": sorted(partner.territories),
            "handover": partner.handover,
        }
    }
    for key in partner.keys:
        secret = {"secret": key.secret} if key.secret else None
        value = {"scheme": key.scheme, "secret": secret, "public_key": key.public_key}
        entries["partner_key", f"{partner.id}/{key.id}"] = value
    return entries


def _placements(document: CityDocument) -> dict[EntryKey, Entry]:
    return {
        ("placement", placement.token): {
            "poster": placement.poster,
            "place_name": placement.place_name,
            "commune": placement.commune,
            "partner": placement.partner,
            "campaign": placement.campaign,
            "status": placement.status,
            "valid_until": placement.valid_until and placement.valid_until.isoformat(),
        }
        for placement in document.placements
    }
