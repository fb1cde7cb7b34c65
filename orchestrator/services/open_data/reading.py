"""Reads the four files together, in the order that their joins need."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from orchestrator.services.open_data.centroids import read_centroids
from orchestrator.services.open_data.communes import read_communes
from orchestrator.services.open_data.files import refused
from orchestrator.services.open_data.gazetteer import CommuneIndex
from orchestrator.services.open_data.libraries import read_libraries
from orchestrator.services.open_data.museums import read_museums
from orchestrator.services.open_data.report import ImportReport, shown
from orchestrator.services.open_data.rows import CentroidRow, CommuneRow, PlaceRow
from orchestrator.services.open_data.sources import (
    CENTROIDS,
    COMMUNES,
    LIBRARIES,
    MUSEUMS,
    SOURCES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenData:
    """Everything the four files say."""

    communes: tuple[CommuneRow, ...]
    centroids: tuple[CentroidRow, ...]
    libraries: tuple[PlaceRow, ...]
    museums: tuple[PlaceRow, ...]

    @property
    def places(self) -> tuple[PlaceRow, ...]:
        """Return libraries and museums, the rows of one table."""
        return self.libraries + self.museums


def read_all(
    files: Mapping[str, bytes], *, source_dates: Mapping[str, date] | None = None
) -> tuple[OpenData, tuple[ImportReport, ...]]:
    """Read the files (name to bytes) in the order of their joins: all of them, or nothing.

    Raises:
        ImportRefusedError: a file is missing, unexpected, or refused by its importer.
    """
    _check_names(files)
    dates = source_dates or {}
    communes, first = read_communes(files[COMMUNES.file], source_date=dates.get(COMMUNES.file))
    index = CommuneIndex.of(communes)
    centroids, second = read_centroids(
        files[CENTROIDS.file], index, source_date=dates.get(CENTROIDS.file)
    )
    points = {row.commune: row.point for row in centroids}
    libraries, third = read_libraries(
        files[LIBRARIES.file], index, points, source_date=dates.get(LIBRARIES.file)
    )
    museums, fourth = read_museums(
        files[MUSEUMS.file], index, points, source_date=dates.get(MUSEUMS.file)
    )
    data = OpenData(communes=communes, centroids=centroids, libraries=libraries, museums=museums)
    return data, (first, second, third, fourth)


def _check_names(files: Mapping[str, bytes]) -> None:
    expected = {source.file for source in SOURCES}
    for name in sorted(expected.difference(files)):
        raise refused(name, "le fichier manque", "Placez-le avec les trois autres.")
    for name in sorted(set(files).difference(expected)):
        remedy = f"Fichiers attendus : {', '.join(sorted(expected))}."
        raise refused(shown(name), "ce fichier n'est pas attendu", remedy)
