"""What the hub knows of people by reference: who a sender spoke of, what a service sees of somebody."""

from typing import Final
from uuid import UUID

from orchestrator.engine.world import KnownPreregistration
from orchestrator.store.connections import Database

_KNOWN: Final = """
SELECT id, citizen_id, state, our_ref FROM preregistration WHERE source = %s AND subject = %s"""
_PSEUDONYM: Final = "SELECT pseudonym FROM pseudonym WHERE citizen_id = %s AND service = %s"


class PeopleReader:
    """Reads only; rows change in the statements that move runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def preregistration_of(self, source: str, subject: str) -> KnownPreregistration | None:
        """Return what an earlier event of the same sender about the same subject made."""
        row = self._database.one(_KNOWN, (source, subject))
        return KnownPreregistration(**row) if row else None

    def pseudonym_of(self, citizen_id: UUID, service: str) -> str | None:
        """Return what a service sees of a person, or None when it never saw them."""
        row = self._database.one(_PSEUDONYM, (citizen_id, service))
        return row["pseudonym"] if row else None
