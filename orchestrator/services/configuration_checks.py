"""What only the whole city can tell is wrong: names that lead nowhere, systems that cannot do it.

Faults are French sentences with the line of the entry they are about, never a value of a secret.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.engine.journey import PIVOT, Call, Journey, Notify
from orchestrator.engine.retry import RetryPolicy
from orchestrator.services.configuration_entries import POLICIES, ordered, shown
from orchestrator.services.ports.offer import (
    Catalogued,
    Entry,
    EntryKey,
    KnownData,
    Need,
    Requirements,
)
from schemas.errors import ConfigurationError
from schemas.located_yaml import Located, Path
from schemas.shapes import nearest, unknown_key

MESSAGE_KINDS: Final = ("sms", "email")
_MISSING: Final = "valeur absente"  # stands for a secret without a value: its absence is told apart


def needs_of(journeys: Iterable[Journey]) -> tuple[Need, ...]:
    """Return what the journeys ask of the systems behind each kind of service."""
    found: dict[Need, None] = {}
    for journey in journeys:
        for step in journey.steps:
            for kind, capability in _asked_by(step):
                found[Need(kind=kind, journey=journey.name, capability=capability)] = None
    return tuple(found)


def _asked_by(step: object) -> list[tuple[str, str]]:
    if isinstance(step, Call):
        undo = [] if step.undo == PIVOT else [(step.service, step.undo)]
        return [(step.service, step.operation), *undo]
    return [(kind, "send") for kind in MESSAGE_KINDS] if isinstance(step, Notify) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a configuration is checked with: itself once applied, and the world around it."""

    entries: Mapping[EntryKey, Entry]
    paths: Mapping[EntryKey, Path]
    located: Located
    requirements: Requirements
    data: KnownData
    secrets: Mapping[str, str]


def faults_of(checked: Checked) -> tuple[str, ...]:
    """Return everything that keeps a configuration from being applied."""
    found: list[str] = []
    for key in ordered(checked.entries):
        entry = _Entry(key=key, value=checked.entries[key], checked=checked, found=found)
        if key[0] in _CHECKS:
            _CHECKS[key[0]](entry)
    missing = missing_secrets(checked.entries, checked.secrets)
    found.extend(
        f"le secret « {name} » n'a pas de valeur : « parvis secrets set {name} »."
        for name in missing
    )
    return tuple(found)


def missing_secrets(entries: Mapping[EntryKey, Entry], known: Collection[str]) -> tuple[str, ...]:
    """Return the names of secrets that entries refer to and that have no value."""
    return tuple(sorted(set(referred_secrets(entries)).difference(known)))


def referred_secrets(entries: Mapping[EntryKey, Entry]) -> tuple[str, ...]:
    """Return the names of every secret that entries refer to."""
    names: set[str] = set()
    for (kind, _), entry in entries.items():
        values = entry["settings"].values() if kind == "profile" else (entry.get("secret"),)
        names.update(value["secret"] for value in values if isinstance(value, dict))
    return tuple(sorted(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One entry under check."""

    key: EntryKey
    value: Entry
    checked: Checked
    found: list[str]

    def fault(self, sentence: str, *path: str | int, of: str = "value") -> None:
        """Note a fault, with its line when the entry stands in the file."""
        base = self.checked.paths.get(self.key)
        where = self.checked.located.where((*base, *path), of=of) if base is not None else ""
        self.found.append(f"{where}{shown(self.key)} : {sentence}")

    def refer(self, kind: str, member: str) -> Entry | None:
        """Return the entry that a member names, or note that there is none."""
        name = self.value[member]
        entry = self.checked.entries.get((kind, name))
        if entry is None:
            known = [known for found, known in self.checked.entries if found == kind]
            self.fault(f"« {name} » n'existe pas.{nearest(name, known)}", member)
        return entry

    def commune(self, code: str, *path: str | int) -> None:
        """Note a commune that the open data does not know."""
        if code not in self.checked.data.communes:
            hint = "" if self.checked.data.communes else " Chargez-les : « parvis data import »."
            self.fault(f"la commune {code} n'est pas dans les données ouvertes.{hint}", *path)


def _check_policies(entry: _Entry) -> None:
    _check_retry(entry, entry.value["retry"], "retry")
    for name, own in entry.value["profiles"].items():
        profile = entry.checked.entries.get(("profile", name))
        if profile is None:
            known = [known for kind, known in entry.checked.entries if kind == "profile"]
            sentence = f"le profil « {name} » n'existe pas.{nearest(name, known)}"
            entry.fault(sentence, "profiles", name, of="key")
            continue
        _check_retry(entry, own.get("retry"), "profiles", name, "retry")
        connector = entry.checked.requirements.connectors.get(profile["connector"])
        for operation, retry in own.get("operations", {}).items():
            path = ("profiles", name, "operations", operation)
            _check_retry(entry, retry, *path)
            if connector is not None and operation not in connector.operations:
                hint = nearest(operation, connector.operations)
                entry.fault(f"l'opération « {operation} » n'existe pas.{hint}", *path, of="key")


def _check_retry(entry: _Entry, retry: str | None, *path: str) -> None:
    if retry is None:
        return
    try:
        RetryPolicy.read(retry)
    except ConfigurationError as error:
        for fault in error.faults:
            entry.fault(fault, *path)


def _check_territory(entry: _Entry) -> None:
    for index, code in enumerate(entry.value["communes"]):
        entry.commune(code, "communes", index)
    for key, other in entry.checked.entries.items():
        shared = set(other.get("communes", ())).intersection(entry.value["communes"])
        if key[0] == "territory" and key[1] < entry.key[1] and shared:
            codes = ", ".join(sorted(shared))
            entry.fault(f"{codes} est déjà dans le territoire {key[1]}.", "communes")


def _check_profile(entry: _Entry) -> None:
    name, connectors = entry.value["connector"], entry.checked.requirements.connectors
    connector = connectors.get(name)
    if connector is None:
        sentence = f"le connecteur « {name} » n'existe pas.{nearest(name, connectors)}"
        entry.fault(sentence, "connector")
        return
    declared = {item.name: item.is_secret for item in connector.manifest.settings}
    values = {}
    for key, value in entry.value["settings"].items():
        if key not in declared:
            entry.fault(unknown_key(key, declared), key, of="key")
        elif _is_well_kept(entry, key, value, is_secret=declared[key]):
            values[key] = _known(value, entry.checked.secrets)
    _check_values(
        entry, values, refused=set(entry.value["settings"]) - set(values), connector=connector
    )


def _is_well_kept(entry: _Entry, key: str, value: Any, *, is_secret: bool) -> bool:
    if is_secret == isinstance(value, dict):
        return True
    if is_secret:
        sentence = f"« {key} » est un secret : écrivez {{secret: nom}}, jamais la valeur."
    else:
        sentence = f"« {key} » n'est pas un secret : écrivez la valeur."
    entry.fault(sentence, key)
    return False


def _known(value: Any, secrets: Mapping[str, str]) -> Any:
    return secrets.get(value["secret"], _MISSING) if isinstance(value, dict) else value


def _check_values(
    entry: _Entry, values: Mapping[str, Any], *, refused: set[str], connector: Catalogued
) -> None:
    for sentence in connector.manifest.check_settings(values):
        if not any(f"({name})" in sentence for name in refused):  # said already, with its line
            entry.fault(sentence)


def _check_service(entry: _Entry) -> None:
    if entry.value["territory"] is not None:
        entry.refer("territory", "territory")
    elif entry.value["kind"] not in MESSAGE_KINDS:
        entry.fault("« territory » manque : un service aux habitants a un territoire.")
    _check_place(entry)
    profile = entry.refer("profile", "profile")
    name = profile["connector"] if profile else ""
    connector = entry.checked.requirements.connectors.get(name)
    if connector is not None:
        _check_bound(entry, name, connector)


def _check_place(entry: _Entry) -> None:
    place, kind = entry.value["place"], entry.value["kind"]
    if place is None:
        return
    known = entry.checked.data.places
    if place not in known:
        hint = "" if known else " Chargez-les : « parvis data import »."
        entry.fault(f"le lieu {place} n'est pas dans les données ouvertes.{hint}", "place")
    elif known[place] != kind:
        entry.fault(f"le lieu {place} est d'une autre nature ({known[place]}).", "place")
    for key, other in entry.checked.entries.items():
        if key[0] == "service" and key[1] < entry.key[1] and other["place"] == place:
            entry.fault(f"le lieu {place} est déjà celui du service {key[1]}.", "place")


def _check_bound(entry: _Entry, name: str, connector: Catalogued) -> None:
    manifest, kind = connector.manifest, entry.value["kind"]
    kinds = _kinds_of(connector)
    if kind not in kinds:
        entry.fault(f"le connecteur « {name} » ne fait que : {', '.join(sorted(kinds))}.", "kind")
        return
    declared = {item.name for item in manifest.binding}
    binding = entry.value["binding"]
    for key in set(binding) - declared:
        entry.fault(unknown_key(key, declared), "binding", key, of="key")
    for sentence in manifest.check_binding({key: binding[key] for key in declared & set(binding)}):
        entry.fault(sentence, "binding")
    for need in entry.checked.requirements.needs:
        if (
            need.kind == kind
            and need.capability not in manifest.capabilities | connector.operations
        ):
            entry.fault(
                f"le connecteur « {name} » ne sait pas faire « {need.capability} », "
                f"dont le parcours « {need.journey} » a besoin.",
                "profile",
            )


def _kinds_of(connector: Catalogued) -> frozenset[str]:
    """Return the kinds of service; a gateway of messages is of the kind of its channels."""
    manifest = connector.manifest
    return manifest.capabilities if "message" in manifest.kinds else manifest.kinds


def _check_partner(entry: _Entry) -> None:
    known = {key[1] for key in entry.checked.entries if key[0] == "territory"}
    for index, name in enumerate(entry.value["territories"]):
        if name not in known:
            entry.fault(f"« {name} » n'existe pas.{nearest(name, known)}", "territories", index)
    types = entry.checked.requirements.event_types
    for index, name in enumerate(entry.value["allowed_events"]):
        if types and name not in types:
            entry.fault(
                f"l'événement « {name} » n'existe pas.{nearest(name, types)}",
                "allowed_events",
                index,
            )
    _check_keys(entry)


def _check_keys(entry: _Entry) -> None:
    count = sum(
        key[0] == "partner_key" and key[1].startswith(f"{entry.key[1]}/")
        for key in entry.checked.entries
    )
    if count > 2:
        entry.fault(f"{count} clés en service, deux au plus (l'ancienne et la nouvelle).", "keys")


def _check_partner_key(entry: _Entry) -> None:
    if ("partner", entry.key[1].partition("/")[0]) not in entry.checked.entries:
        entry.fault("son partenaire n'existe pas.")


def _check_placement(entry: _Entry) -> None:
    entry.commune(entry.value["commune"], "commune")
    if entry.value["partner"] is not None:
        entry.refer("partner", "partner")


_CHECKS: Final[Mapping[str, Callable[[_Entry], None]]] = {
    POLICIES[0]: _check_policies,
    "territory": _check_territory,
    "profile": _check_profile,
    "service": _check_service,
    "partner": _check_partner,
    "partner_key": _check_partner_key,
    "placement": _check_placement,
}
