"""A write that is repeated under the same key has one effect and the same answer.

draft-ietf-httpapi-idempotency-key-header-07. A refusal is not kept: nothing happened, so the same key
may be used again once the cause is mended.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.services.ports.idempotency import IdempotencyRows, KeptAnswer
from schemas.errors import (
    IdempotencyKeyInFlightError,
    IdempotencyKeyReusedError,
    MalformedError,
    StoreUnavailableError,
)
from schemas.keys import keyed_digest

_QUOTED: Final = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,128})"')
_BARE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,128}")
_FORM: Final = "« Idempotency-Key » est un texte de 1 à 128 caractères visibles, entre guillemets."


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request that changes something: who makes it, where, under which key, with what."""

    owner: tuple[str, ...]
    method: str
    path: str
    key: str | None = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer, and whether it is an earlier one given again."""

    kept: KeptAnswer
    is_replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """Runs writes once per key; a write without a key simply runs."""

    rows: IdempotencyRows
    digest_key: bytes

    def once(self, write: Write, act: Callable[[], KeptAnswer]) -> Answered:
        """Run ``act`` unless its key was seen, and return the answer.

        Raises:
            IdempotencyKeyReusedError: the key came with another content.
            IdempotencyKeyInFlightError: the first request has not ended.
        """
        if write.key is None:
            return Answered(kept=act(), is_replayed=False)
        parts = (*write.owner, write.method, write.path, write.key)
        digest = keyed_digest(self.digest_key, b"idempotency", *(part.encode() for part in parts))
        fingerprint = self._fingerprint(write)
        seen = self.rows.begin(digest, fingerprint=fingerprint)
        if seen is None:
            return Answered(kept=self._acted(digest, act), is_replayed=False)
        if seen.fingerprint != fingerprint:
            raise IdempotencyKeyReusedError
        if seen.kept is None:
            raise IdempotencyKeyInFlightError
        return Answered(kept=seen.kept, is_replayed=True)

    def _acted(self, digest: bytes, act: Callable[[], KeptAnswer]) -> KeptAnswer:
        try:
            kept = act()
        except BaseException:
            with suppress(StoreUnavailableError):  # it is then taken over a minute later
                self.rows.give_up(digest)
            raise
        self.rows.finish(digest, kept)
        return kept

    def _fingerprint(self, write: Write) -> bytes:
        """Return a digest of the content under a key of ours: codes are short enough to be guessed."""
        body = json.dumps(write.body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return keyed_digest(self.digest_key, b"fingerprint", body.encode())


def key_of(header: str | None) -> str | None:
    """Return the key of a header: a structured-field String, or bare.

    Raises:
        MalformedError: it is there and no such key.
    """
    if header is None:
        return None
    text = header.strip(" ")
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if _BARE.fullmatch(text) is None:
        raise MalformedError(_FORM)
    return text


__all__ = ["Answered", "Idempotency", "KeptAnswer", "Write", "key_of"]
