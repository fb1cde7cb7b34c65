import pytest

from orchestrator.services.open_data import SOURCES, read_all
from schemas.errors import ImportRefusedError


def test_reading_twice_gives_the_same_data_and_reports(files, read):
    data, reports = read_all(files)
    again, reports_again = read_all(dict(reversed(files.items())))
    assert (data, reports) == (again, reports_again)
    assert [report.file for report in reports] == [source.file for source in SOURCES]
    assert len(data.places) == 709 + 121


def test_a_missing_file_is_refused_by_its_name(files):
    for name in files:
        with pytest.raises(ImportRefusedError, match=f"{name} : le fichier manque"):
            read_all({other: body for other, body in files.items() if other != name})


def test_an_unexpected_file_is_refused(files):
    with pytest.raises(ImportRefusedError, match=r"autre\.csv : ce fichier n'est pas attendu"):
        read_all(files | {"autre.csv": b"x"})


def test_one_refused_file_refuses_everything(files):
    for name, body in files.items():
        with pytest.raises(ImportRefusedError, match=name):
            read_all(files | {name: body[: len(body) // 2].rpartition(b",")[0]})


def test_all_four_files_of_another_encoding_are_refused(files):
    for name, body in files.items():
        with pytest.raises(ImportRefusedError, match="UTF-8"):
            read_all(files | {name: body.decode().encode("cp1252")})
