"""What the realms say of themselves: the last good description of each, one row shared by all processes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from orchestrator.services.ports.sign_in import Descriptor
from orchestrator.store.connections import Database
from schemas import clock
from schemas.errors import IdentityUnavailableError, SamlRefusedError
from schemas.logins import Face

ASKED_AGAIN_SECONDS: Final = 10.0
_CURRENT: Final = """
SELECT xml, digest, fetched_at FROM idp_descriptor WHERE face = %s AND xml IS NOT NULL"""
_TRY: Final = """
INSERT INTO idp_descriptor(face, tried_at) VALUES (%s, parvis_now())
ON CONFLICT (face) DO UPDATE SET tried_at = parvis_now()
 WHERE idp_descriptor.tried_at <= parvis_now() - interval '1 minute' RETURNING fault"""
_KEEP: Final = """
UPDATE idp_descriptor SET xml = %(xml)s, digest = %(digest)s, fetched_at = parvis_now(), fault = NULL
 WHERE face = %(face)s"""
_FAULT: Final = "UPDATE idp_descriptor SET fault = %s WHERE face = %s"
_log = structlog.get_logger()


class Answering:
    """Whether somebody answered when last asked, for ten seconds."""

    def __init__(self) -> None:
        self._asked_at = -ASKED_AGAIN_SECONDS
        self._is_there = True

    def now(self, ask: Callable[[], bool]) -> bool:
        """Return what was found, asking again when it is old."""
        now = clock.monotonic()
        if now - self._asked_at >= ASKED_AGAIN_SECONDS:
            self._asked_at = now
            self._is_there = ask()
        return self._is_there


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorRows:
    """Implements ``ports.sign_in.Descriptors``; ``fetch`` returns a description found good."""

    database: Database
    face: Face
    fetch: Callable[[], bytes] = field(repr=False)
    answering: Answering = field(default_factory=Answering, repr=False)

    def current(self) -> Descriptor | None:
        """Return the last good description, or None."""
        row = self.database.one(_CURRENT, (self.face,))
        if row is None:
            return None
        return Descriptor(xml=row["xml"], digest=bytes(row["digest"]), fetched_at=row["fetched_at"])

    def refresh(self) -> Descriptor | None:
        """Fetch it anew unless somebody did within a minute; what cannot be had changes nothing."""
        tried = self.database.one(_TRY, (self.face,))
        if tried is not None:
            self._fetch(tried["fault"])
        return self.current()

    def is_there(self) -> bool:
        """Tell whether the realm answers now; asked at most every ten seconds in one process."""
        return self.answering.now(self._answers)

    def _answers(self) -> bool:
        try:
            self.fetch()
        except (IdentityUnavailableError, SamlRefusedError):
            return False
        return True

    def _fetch(self, known_fault: str | None) -> None:
        try:
            xml = self.fetch()
        except (IdentityUnavailableError, SamlRefusedError) as error:
            fault = error.code if isinstance(error, SamlRefusedError) else "unreachable"
            if fault != known_fault:
                _log.error("identity.descriptor_refused", face=self.face, reason=fault)
            self.database.run(_FAULT, (fault, self.face))
            return
        values = {"xml": xml.decode(), "digest": hashlib.sha256(xml).digest(), "face": self.face}
        self.database.run(_KEEP, values)
