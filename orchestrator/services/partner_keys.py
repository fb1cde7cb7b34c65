"""Who signed: the partner that ``Parvis-Key-Id`` names, proved by one of its live keys.

The name proves nothing by itself. An unknown one is verified all the same, with no key, so that the
answer and its time tell nothing about which partners exist.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from orchestrator.services.ports.partners import Partner, PartnerBook
from orchestrator.services.snapshots import Snapshot
from schemas import clock
from schemas.errors import SignatureVerificationError
from schemas.signatures import verify

_NAME: Final = re.compile(r"([a-z][a-z0-9_]{1,39})/([a-z][a-z0-9_]{0,39})")


class PartnerKeys:
    """Partners and their keys, at most a second old: a revoked key stops within that second."""

    def __init__(
        self, book: PartnerBook, *, monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        self._partners = Snapshot(book.partners, monotonic=monotonic)

    def authenticate(
        self, raw: bytes, headers: Mapping[str, str], *, key_name: str, now: datetime
    ) -> Partner:
        """Return the partner that signed these bytes.

        Raises:
            SignatureVerificationError: no such key, or none of the partner's live keys signed.
        """
        partner = self._named(key_name)
        verify(raw, headers, partner.keys.values() if partner else (), now)
        if partner is None:
            raise SignatureVerificationError("no_match")
        return partner

    def _named(self, key_name: str) -> Partner | None:
        name = _NAME.fullmatch(key_name)
        partner = self._partners.get().get(name[1]) if name else None
        return partner if name and partner and name[2] in partner.keys else None
