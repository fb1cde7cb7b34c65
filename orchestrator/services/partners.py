"""Partners from the command line: announced, given keys, their keys changed without a gap.

A key's secret is told once, to whoever made it, and kept sealed; of an Ed25519 pair the hub keeps
the public half only.
"""

import base64
import hashlib
import re
import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.services.configuration import Configuration
from orchestrator.services.ports.offer import Entry, EntryKey
from schemas.errors import ConfigurationError
from schemas.shapes import CONFIG_ID, ID_RULE, nearest

_NUMBERED: Final = re.compile(r"k([0-9]+)")
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key just made; ``secret`` is shown once and kept nowhere in clear."""

    name: str
    scheme: str
    secret: str = field(repr=False)
    retired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A partner to create."""

    id: str
    name: str
    allowed_events: tuple[str, ...]
    territories: tuple[str, ...]
    scheme: str = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """Use cases of partners and their keys."""

    configuration: Configuration

    def create(self, wanted: Announced, *, actor: str) -> NewKey:
        """Create a partner with its first key.

        Raises:
            ConfigurationError: it exists, or something it names does not; nothing is written.
        """
        if not CONFIG_ID.fullmatch(wanted.id):
            fault = f"{ID_RULE[0].upper()}{ID_RULE[1:]}."
            raise ConfigurationError(fault)
        if ("partner", wanted.id) in self.configuration.entries():
            fault = f"Le partenaire « {wanted.id} » existe déjà : « parvis partners rotate-key »."
            raise ConfigurationError(fault)
        partner = {
            "name": wanted.name,
            "allowed_events": sorted(wanted.allowed_events),
            "territories": sorted(wanted.territories),
            "handover": "none",
        }
        made = {("partner", wanted.id): partner}
        return self._with_key(made, wanted.id, number=1, scheme=wanted.scheme, actor=actor)

    def rotate_key(self, partner: str, *, actor: str) -> NewKey:
        """Add a key beside the newest one, which stays good; an older one is retired.

        Raises:
            ConfigurationError: there is no such partner.
        """
        entries = self.configuration.entries()
        if ("partner", partner) not in entries:
            known = [name for kind, name in entries if kind == "partner"]
            fault = f"Le partenaire « {partner} » n'existe pas.{nearest(partner, known)}"
            raise ConfigurationError(fault)
        live = _keys_of(partner, entries)
        older = live[:-1]
        number = 1 + max((_number(name) for name in live), default=0)
        scheme = entries["partner_key", live[-1]]["scheme"] if live else "v1"
        return self._with_key({}, partner, number=number, scheme=scheme, actor=actor, retire=older)

    def keys(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of every partner's live keys, oldest first."""
        entries = self.configuration.entries()
        partners = sorted(name for kind, name in entries if kind == "partner")
        return {partner: _keys_of(partner, entries) for partner in partners}

    def _with_key(
        self,
        entries: Mapping[EntryKey, Entry],
        partner: str,
        *,
        number: int,
        scheme: str,
        actor: str,
        retire: Sequence[str] = (),
    ) -> NewKey:
        name = f"{partner}/k{number}"
        shown, public = _made(scheme)
        secret = None if public else {"secret": _secret_name(partner, number)}
        key = {"scheme": scheme, "secret": secret, "public_key": public}
        if secret:
            self.configuration.secrets.put(secret["secret"], shown, actor=actor)
        self.configuration.amend(
            {**entries, ("partner_key", name): key},
            actor=actor,
            retire=[("partner_key", old) for old in retire],
        )
        return NewKey(name=name, scheme=scheme, secret=shown, retired=tuple(retire))


def _keys_of(partner: str, entries: Mapping[EntryKey, Entry]) -> tuple[str, ...]:
    names = [
        name for kind, name in entries if kind == "partner_key" and name.startswith(f"{partner}/")
    ]
    return tuple(sorted(names, key=lambda name: (_number(name), name)))


def _number(name: str) -> int:
    found = _NUMBERED.fullmatch(name.partition("/")[2])
    return int(found[1]) if found else 0


def _secret_name(partner: str, number: int) -> str:
    """Return the name of a key's secret: the key's own, shortened when it would be too long."""
    name = f"{partner}_k{number}"
    if CONFIG_ID.fullmatch(name):
        return name
    return f"{partner[:24]}_{hashlib.sha256(partner.encode()).hexdigest()[:8]}_k{number}"


def _made(scheme: str) -> tuple[str, str | None]:
    """Return what is shown once, and the public half of a pair."""
    if scheme == "v1":
        return f"whsec_{_base64(random.token_bytes(_SECRET_BYTES))}", None
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    return f"whsk_{_base64(private.private_bytes_raw() + public)}", f"whpk_{_base64(public)}"


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
