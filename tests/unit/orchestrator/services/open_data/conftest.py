"""The shipped files, and small files made row by row."""

import csv
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.services.open_data import (
    SHIPPED_DATES,
    SOURCES,
    CommuneIndex,
    ImportReport,
    OpenData,
    read_all,
    read_communes,
)
from orchestrator.services.open_data.libraries import LAYOUT as LIBRARIES
from schemas.geo import Point

DATA = Path(__file__).parents[5] / "parvis" / "data"

COMMUNES = (
    {"code": "13055", "nom": "Marseille", "typeLiaison": 0, "departement": "13"},
    {"code": "04020", "nom": "Barles", "typeLiaison": 0, "departement": "04"},
    {"code": "05001", "nom": "Abriès-Ristolas", "typeLiaison": 1, "departement": "05"},
    {"code": "84089", "nom": "Aiglun", "typeLiaison": 1, "departement": "84"},
    {"code": "04001", "nom": "Aiglun", "typeLiaison": 1, "departement": "04"},
)
POSTAL_CODES = {
    "13055": ["13001", "13002"],
    "04020": ["04140"],
    "05001": ["05460"],
    "84089": ["84120"],
    "04001": ["04510"],
}
FORMER_CODES = {"05001": ["05120"]}
CENTROIDS = {
    "13055": Point(43.2965, 5.3698),
    "04020": Point(44.2728, 6.2533),
    "05001": Point(44.79, 6.93),
    "84089": Point(43.67, 5.51),
    "04001": Point(44.06, 6.14),
}
LIBRARY = {
    "CP": "13001",
    "Code_bib": "159.0",
    "Surface": "140.0",
    "Amplitude horaire": "20.0",
    "Nom de l'établissement": "Bibliothèque des Essais",
    "Code département": "13",
    "Ville": "Marseille",
    "Code insee commune": "13055",
    "Longitude": "5.37",
    "Latitude": "43.3",
    "Statut": "Bibliothèque municipale",
    "Type adresse": "Bâtiment ouvert",
    "geolocalisation": "43.3, 5.37",
}
MUSEUM = {
    "Identifiant Muséofile": "M0001",
    "Commune": "Marseille",
    "Nom officiel du musée": "musée des essais",
    "Code Postal": "13001",
    "Latitude": "43,3",
    "Longitude": "5,37",
    "REF_Deps": "1305501",
}


@pytest.fixture
def untraced():
    """Measured times are the code's own, not those of a coverage tracer."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    return {source.file: (DATA / source.file).read_bytes() for source in SOURCES}


@pytest.fixture(scope="session")
def read(files) -> tuple[OpenData, Mapping[str, ImportReport]]:
    data, reports = read_all(files, source_dates=SHIPPED_DATES)
    return data, {report.file: report for report in reports}


@pytest.fixture(scope="session")
def data(read) -> OpenData:
    return read[0]


@pytest.fixture(scope="session")
def reports(read) -> Mapping[str, ImportReport]:
    return read[1]


@pytest.fixture(scope="session")
def commune_file():
    def build(*changes: dict) -> bytes:
        common = {"zone": "metro", "region": "93", "type": "commune-actuelle", "population": 10}
        items = [
            common
            | commune
            | {"codesPostaux": POSTAL_CODES[commune["code"]]}
            | {"anciensCodes": FORMER_CODES.get(commune["code"], [])}
            for commune in COMMUNES
        ]
        return json.dumps([*items, *changes], indent=0).encode()

    return build


@pytest.fixture(scope="session")
def communes(commune_file) -> CommuneIndex:
    return CommuneIndex.of(read_communes(commune_file())[0])


@pytest.fixture(scope="session")
def centroids() -> Mapping[str, Point]:
    return CENTROIDS


@pytest.fixture(scope="session")
def library_file():
    def build(*changes: dict, columns=tuple(LIBRARIES.longest)) -> bytes:
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, delimiter=";", restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(LIBRARY | change for change in changes)
        return text.getvalue().encode()

    return build


@pytest.fixture(scope="session")
def museum_file():
    def build(*changes: dict) -> bytes:
        items = [MUSEUM | change for change in changes]
        kept = [{key: value for key, value in item.items() if value is not None} for item in items]
        return json.dumps(kept, ensure_ascii=False, indent=0).encode()

    return build
