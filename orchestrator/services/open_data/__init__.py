"""Open data of the territory: communes, libraries and museums from their publishers' files.

Pure: bytes in, rows and a report out. Reading the files is the caller's, keeping the rows the
store's.
"""

from orchestrator.services.open_data.centroids import read_centroids
from orchestrator.services.open_data.communes import read_communes
from orchestrator.services.open_data.gazetteer import (
    CommuneIndex,
    commune_with_preposition,
    display_name,
    resolve_commune,
)
from orchestrator.services.open_data.libraries import read_libraries
from orchestrator.services.open_data.museums import read_museums
from orchestrator.services.open_data.nearest import (
    Candidates,
    LibraryFinder,
    NearPlace,
    nearest_places,
)
from orchestrator.services.open_data.reading import OpenData, read_all
from orchestrator.services.open_data.report import Action, Finding, ImportReport, Rule
from orchestrator.services.open_data.rows import CentroidRow, CommuneRow, PlaceKind, PlaceRow
from orchestrator.services.open_data.sources import SHIPPED_DATES, SOURCES, Source
from orchestrator.services.open_data.text import folded

__all__ = [
    "SHIPPED_DATES",
    "SOURCES",
    "Action",
    "Candidates",
    "CentroidRow",
    "CommuneIndex",
    "CommuneRow",
    "Finding",
    "ImportReport",
    "LibraryFinder",
    "NearPlace",
    "OpenData",
    "PlaceKind",
    "PlaceRow",
    "Rule",
    "Source",
    "commune_with_preposition",
    "display_name",
    "folded",
    "nearest_places",
    "read_all",
    "read_centroids",
    "read_communes",
    "read_libraries",
    "read_museums",
    "resolve_commune",
]
