from datetime import date

import pytest

from orchestrator.services.open_data import CommuneIndex, read_centroids, read_communes, rules
from schemas.errors import ImportRefusedError

HEADER = "code_insee,nom,departement,siren,population,codes_postaux,lat,lon"
ROWS = (
    "13055,Marseille,13,,10,13001 13002,43.2965,5.3698",
    "04020,Barles,04,,10,04140,44.2728,6.2533",
    "05001,Abriès-Ristolas,05,,10,05460,44.79,6.93",
    "84089,Aiglun,84,,10,84120,43.67,5.51",
    "04001,Aiglun,04,,10,04510,44.06,6.14",
)


def body(*rows: str) -> bytes:
    return "\r\n".join((HEADER, *rows, "")).encode()


def test_each_commune_gets_its_centroid(communes, centroids):
    rows, report = read_centroids(body(*ROWS), communes, source_date=date(2026, 1, 1))
    assert {row.commune: row.point for row in rows} == centroids
    assert report.findings == ()
    assert rows[0].source_date == date(2026, 1, 1)


def test_a_file_cut_between_two_rows_is_refused(communes):
    with pytest.raises(ImportRefusedError, match="2 communes n'ont pas de centroïde"):
        read_centroids(body(*ROWS[:3]), communes)


def test_a_commune_newer_than_the_outlines_is_told_and_the_others_kept(files, data):
    newer = CommuneIndex.of(data.communes)
    lines = files["communes_paca_centroides.csv"].splitlines(keepends=True)
    rows, report = read_centroids(b"".join(lines[:-2]), newer)
    assert len(rows) == 944
    assert [f.before for f in report.of(rules.CENTROID_MISSING)] == ["84150", "84151"]


@pytest.mark.parametrize(
    ("row", "slug"),
    [
        ("99999,Nulle-Part,99,,1,99999,43.0,5.0", "commune-unknown"),
        (ROWS[0], "key-repeated"),
        ("13055,Marseille,13,,10,13001 13002,,", "location-missing"),
        ("13055,Marseille,13,,10,13001 13002,430,5", "coordinates-invalid"),
    ],
)
def test_a_row_that_gives_no_new_centroid_is_refused_and_told(communes, row, slug):
    rows, report = read_centroids(body(*ROWS, row), communes)
    assert len(rows) == 5
    refused = [f for f in report.findings if f.rule.slug == slug]
    assert [f.line for f in refused] == [7]


def test_what_differs_from_the_communes_is_noted(communes):
    other = "13055,Massilia,13,210400016,11,13001 13002,43.2965,5.3698"
    rows, report = read_centroids(body(other, *ROWS[1:]), communes)
    assert len(rows) == 5
    assert [f.column for f in report.of(rules.CENTROID_DIFFERS)] == ["nom", "siren", "population"]


def test_a_former_code_gives_its_commune_a_centroid(communes):
    row = ROWS[2].replace("05001", "05120")
    rows, report = read_centroids(body(*ROWS[:2], row, *ROWS[3:]), communes)
    assert "05001" in {row.commune for row in rows}
    assert report.counts() == {"former-code-mapped": 1}


def test_the_file_of_other_communes_is_refused(files, commune_file):
    few = CommuneIndex.of(read_communes(files["communes_paca.json"])[0])
    with pytest.raises(ImportRefusedError, match="le fichier paraît coupé"):
        read_centroids(body(*ROWS), few)
