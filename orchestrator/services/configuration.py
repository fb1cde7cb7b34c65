"""The city's configuration: planned, applied as one, exported.

A file says what the city wants; nothing is ever retired because a file is silent about it, unless
that is asked for. Applying twice changes nothing the second time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import yaml

from orchestrator.services.configuration_checks import Checked, faults_of, referred_secrets
from orchestrator.services.configuration_entries import (
    CITY,
    POLICIES,
    document_of,
    entries_of,
    ordered,
    paths_of,
    shown,
)
from orchestrator.services.ports.offer import (
    ConfigurationStore,
    Entry,
    EntryKey,
    Requirements,
    SecretStore,
    Writing,
)
from schemas.city import CityDocument, city_of, read_city
from schemas.errors import ConfigurationError
from schemas.located_yaml import Located


class Absent(Enum):
    """What becomes of entries in force that the file does not name."""

    KEPT = "kept"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry before and after; ``members`` are the names of what differs."""

    key: EntryKey
    members: tuple[str, ...]

    def sentence(self) -> str:
        """Return the French line of the plan; members only, never a value."""
        return f"{shown(self.key)} ({', '.join(self.members)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What applying would do; ``faults`` keep it from being applied."""

    create: tuple[EntryKey, ...]
    change: tuple[Change, ...]
    retire: tuple[EntryKey, ...]
    keep: tuple[EntryKey, ...]
    faults: tuple[str, ...] = ()
    revision: int = 0
    wanted: Mapping[EntryKey, Entry] = field(default_factory=dict, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.create or self.change or self.retire)

    def sentences(self) -> tuple[str, ...]:
        """Return the plan as French lines."""
        lines = [f"+ créer {shown(key)}" for key in self.create]
        lines += [f"~ modifier {change.sentence()}" for change in self.change]
        lines += [f"- retirer {shown(key)}" for key in self.retire]
        lines += [f"  garder {shown(key)} (absent du fichier)" for key in self.keep]
        return tuple(lines) if not self.is_empty else (*lines, "Aucun changement.")

    def summary(self) -> dict[str, Any]:
        """Return the plan as JSON: names only."""
        return {
            "create": ["/".join(key) for key in self.create],
            "change": {"/".join(change.key): list(change.members) for change in self.change},
            "retire": ["/".join(key) for key in self.retire],
            "keep": ["/".join(key) for key in self.keep],
            "faults": list(self.faults),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an ``apply`` did; without a change the revision is the one already in force."""

    plan: Plan
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Use cases of the configuration."""

    store: ConfigurationStore
    secrets: SecretStore
    requirements: Requirements

    def plan(
        self, document: CityDocument | Mapping[str, Any] | str, absent: Absent = Absent.KEPT
    ) -> Plan:
        """Return what applying a file (text, parsed, or read) would do, faults included.

        Raises:
            ConfigurationError: the document is no configuration at all.
        """
        read = _read(document)
        state = self.store.state()
        wanted = entries_of(read)
        plan = _compared(state.entries, wanted, absent)
        entries = _without({**state.entries, **wanted}, plan.retire)
        return replace(
            plan, faults=self._faults(entries, read), revision=state.revision, wanted=entries
        )

    def apply(
        self,
        document: CityDocument | Mapping[str, Any] | str,
        *,
        actor: str,
        absent: Absent = Absent.KEPT,
    ) -> Applied:
        """Apply a file: all of it as one revision, or nothing.

        Raises:
            ConfigurationError: every fault that keeps it from being applied.
            ConflictError: somebody else applied a configuration meanwhile; plan again.
        """
        return self._applied(self.plan(document, absent), actor)

    def amend(
        self, put: Mapping[EntryKey, Entry], *, actor: str, retire: Sequence[EntryKey] = ()
    ) -> Applied:
        """Change a few entries of the configuration in force, checked like a file.

        Raises:
            ConfigurationError, ConflictError: as ``apply``.
        """
        state = self.store.state()
        wanted = _without({**state.entries, **put}, retire)
        compared = _compared(state.entries, wanted, Absent.RETIRED)
        faults = self._faults(wanted)
        plan = replace(compared, faults=faults, revision=state.revision, wanted=wanted)
        return self._applied(plan, actor)

    def entries(self) -> Mapping[EntryKey, Entry]:
        """Return the configuration in force, entry by entry."""
        return self.store.state().entries

    def export(self) -> str:
        """Return the configuration in force as a ``city.yaml`` that applies without a change."""
        return dumped(document_of(self.store.state().entries))

    def _faults(
        self, entries: Mapping[EntryKey, Entry], document: CityDocument | None = None
    ) -> tuple[str, ...]:
        checked = Checked(
            entries=entries,
            paths=paths_of(document) if document else {},
            located=document.located if document else Located(value=None),
            requirements=self.requirements,
            data=self.store.known_data(),
            secrets=self.secrets.values(referred_secrets(entries)),
        )
        return faults_of(checked)

    def _applied(self, plan: Plan, actor: str) -> Applied:
        if plan.faults:
            raise ConfigurationError(*plan.faults)
        if plan.is_empty:
            return Applied(plan=plan, revision=plan.revision)
        return Applied(plan=plan, revision=self._write(plan, actor))

    def _write(self, plan: Plan, actor: str) -> int:
        touched = {*plan.create, *(change.key for change in plan.change)}
        return self.store.write(
            Writing(
                revision=plan.revision,
                actor=actor,
                put={key: plan.wanted[key] for key in ordered(touched)},
                retire=tuple(reversed(plan.retire)),
                document=document_of(plan.wanted),
                changes=plan.summary(),
            )
        )


def dumped(document: Mapping[str, Any]) -> str:
    """Return a configuration as YAML."""
    return yaml.safe_dump(
        dict(document), allow_unicode=True, sort_keys=False, default_flow_style=None, width=100
    )


def _read(document: CityDocument | Mapping[str, Any] | str) -> CityDocument:
    if isinstance(document, CityDocument):
        return document
    return read_city(document) if isinstance(document, str) else city_of(document)


def _without(entries: Mapping[EntryKey, Entry], gone: Sequence[EntryKey]) -> dict[EntryKey, Entry]:
    return {key: entry for key, entry in entries.items() if key not in gone}


def _compared(
    current: Mapping[EntryKey, Entry], wanted: Mapping[EntryKey, Entry], absent: Absent
) -> Plan:
    gone = ordered(key for key in current if key not in wanted and key != CITY)
    both = ordered(key for key in current if key in wanted and current[key] != wanted[key])
    return Plan(
        create=ordered(key for key in wanted if key not in current),
        change=tuple(Change(key=key, members=_members(current[key], wanted[key])) for key in both),
        retire=gone if absent is Absent.RETIRED else (),
        keep=tuple(key for key in gone if absent is Absent.KEPT and key != POLICIES),
    )


def _members(before: Entry, after: Entry) -> tuple[str, ...]:
    names = sorted(set(before) | set(after))
    return tuple(name for name in names if before.get(name) != after.get(name))
