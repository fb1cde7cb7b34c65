"""The catalogue of purposes and of every text ever shown for them, read whole."""

from typing import Final

from orchestrator.services.ports.partners import ConsentCatalogue, PublishedPurpose
from orchestrator.store.connections import Database
from schemas.consent_proof import Notice

_PURPOSES: Final = """
SELECT DISTINCT ON (id) id, version, title, text FROM purpose ORDER BY id, version DESC"""
_NOTICES: Final = "SELECT version, locale, sha256, purposes, recipients FROM notice"


class ConsentTextRows:
    """Reads the catalogue (implements ``ports.partners.ConsentTexts``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def catalogue(self) -> ConsentCatalogue:
        """Return the purposes in their newest version and all notices."""
        purposes = tuple(PublishedPurpose(**row) for row in self._database.all(_PURPOSES))
        notices = {
            (row["version"], row["locale"].lower()): Notice(
                sha256=row["sha256"],
                purposes=frozenset(row["purposes"]),
                recipients=frozenset(row["recipients"]),
            )
            for row in self._database.all(_NOTICES)
        }
        return ConsentCatalogue(purposes=purposes, notices=notices)
