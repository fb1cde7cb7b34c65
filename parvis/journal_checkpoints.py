"""Checkpoints of the journal: signed with a key of its own, written where somebody takes them elsewhere.

The signing key is made once and kept among the secrets, so that a change of the master key does not
change whose signature the city made known.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.store.journal_chain import Head, JournalRows
from orchestrator.store.secrets import SecretRows
from schemas import chain, clock
from schemas.chain import Checkpoint
from schemas.errors import ConfigurationError

KEY: Final = "journal_key"
FOLDER: Final = "journal"
DAY_SECONDS: Final = 86_400
MOST_BETWEEN: Final = 10_000
ACTOR: Final = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """Makes checkpoints; keeps the daily ones in a folder of the data directory."""

    rows: JournalRows
    secrets: SecretRows
    origin: str
    folder: Path

    def make(self) -> Checkpoint:
        """Return a checkpoint of the journal as it is, what waited for its seal included."""
        self.rows.seal()
        return self._signed(self.rows.head())

    def key_id(self) -> str:
        """Return what our signing key is called, to be made known."""
        return chain.key_id(self._key().public_key().public_bytes_raw())

    def write_due(self) -> int:
        """Write a checkpoint when the last one is a day or 10,000 entries old; returns 1 then."""
        last, head = self.last(), self.rows.head()
        if last is not None and not self._is_due(last, head):
            return 0
        made = self._signed(head)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        path = self.folder / f"checkpoint-{made.at[:10]}-{made.size:012d}.json"
        beside = path.with_suffix(".new")
        beside.write_text(text_of(made), encoding="utf-8")
        beside.replace(path)
        return 1

    def last(self) -> Checkpoint | None:
        """Return the newest checkpoint of the folder that can be read, or None."""
        return next(self._kept(), None)

    def age_seconds(self) -> float | None:
        """Return how old the newest checkpoint is, or None when there is none."""
        last = self.last()
        return None if last is None else _age(last)

    def _kept(self) -> Iterator[Checkpoint]:
        for path in sorted(self.folder.glob("checkpoint-*.json"), reverse=True):
            try:
                yield read(path)
            except ConfigurationError:
                continue

    def _is_due(self, last: Checkpoint, head: Head) -> bool:
        return _age(last) >= DAY_SECONDS or head.size - last.size >= MOST_BETWEEN

    def _signed(self, head: Head) -> Checkpoint:
        at = chain.moment(clock.utcnow())
        return Checkpoint.signed(
            self._key(), origin=self.origin, size=head.size, head=head.hash, at=at
        )

    def _key(self) -> Ed25519PrivateKey:
        known = self.secrets.values((KEY,)).get(KEY)
        if known is None:
            if KEY in self.secrets.names():
                fault = f"Le secret {KEY} ne s'ouvre pas avec la clé maîtresse de ce processus."
                raise ConfigurationError(fault)
            fresh = Ed25519PrivateKey.generate().private_bytes_raw().hex()
            self.secrets.put(KEY, fresh, actor=ACTOR)
            known = fresh
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(known))


def text_of(checkpoint: Checkpoint) -> str:
    """Return the content of a checkpoint's file."""
    return json.dumps(checkpoint.as_json(), indent=1) + "\n"


def read(path: Path) -> Checkpoint:
    """Read a checkpoint's file; raises ConfigurationError when it holds none."""
    try:
        return Checkpoint.read(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        fault = f"{path} n'est pas un point de contrôle du journal."
        raise ConfigurationError(fault) from error


def _age(checkpoint: Checkpoint) -> float:
    return max(0.0, (clock.utcnow() - chain.parsed(checkpoint.at)).total_seconds())
