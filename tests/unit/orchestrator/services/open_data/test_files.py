"""What makes a whole file be refused, and what is tolerated."""

import json

import pytest

from orchestrator.services.open_data import read_communes, read_libraries, read_museums, rules
from orchestrator.services.open_data.files import MAX_BYTES
from orchestrator.services.open_data.libraries import LAYOUT
from schemas.errors import ImportRefusedError

COLUMNS = tuple(LAYOUT.longest)


@pytest.fixture
def libraries(communes, centroids):
    return lambda body: read_libraries(body, communes, centroids)


@pytest.fixture
def museums(communes, centroids):
    return lambda body: read_museums(body, communes, centroids)


def refusal(read, body: bytes) -> str:
    with pytest.raises(ImportRefusedError) as caught:
        read(body)
    return str(caught.value)


# --- tolerated -----------------------------------------------------------------------------------


def test_a_byte_order_mark_changes_nothing(libraries, library_file):
    body = library_file({})
    assert libraries(b"\xef\xbb\xbf" + body)[0] == libraries(body)[0]


def test_a_reordered_header_changes_nothing(libraries, library_file):
    reordered = library_file({}, columns=tuple(reversed(COLUMNS)))
    assert libraries(reordered)[0] == libraries(library_file({}))[0]


def test_the_trailing_space_of_a_column_may_be_there_or_not(libraries, library_file):
    body = library_file({})
    with_space = body.replace(b"Type adresse;", b"Type adresse ;")
    assert with_space != body
    assert libraries(with_space)[0] == libraries(body)[0]


def test_bare_line_feeds_change_nothing(libraries, library_file):
    body = library_file({})
    assert libraries(body.replace(b"\r\n", b"\n"))[0] == libraries(body)[0]


def test_a_blank_line_is_noted_and_left_out(libraries, library_file):
    rows, report = libraries(library_file({}) + b"\r\n")
    assert len(rows) == 1
    assert [finding.line for finding in report.of(rules.BLANK_LINE)] == [3]


def test_a_quoted_cell_over_two_lines_keeps_the_line_numbers_right(libraries, library_file):
    body = library_file({"Adresse": "Hôtel\nde ville"}, {"Code_bib": "160.0", "CP": "99999"})
    rows, report = libraries(body)
    assert rows[0].address == "Hôtel de ville"
    assert [finding.line for finding in report.of(rules.POSTAL_CODE_IMPOSSIBLE)] == [4]


# --- refused: any file ---------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"\r\n", b"   \n"])
def test_an_empty_file_is_refused(libraries, museums, body):
    for read in (libraries, museums, read_communes):
        assert "le fichier est vide" in refusal(read, body)


def test_an_outsized_file_is_refused_before_it_is_decoded(libraries, museums):
    body = b"\xff" * (MAX_BYTES + 1)
    for read in (libraries, museums, read_communes):
        assert "dépasse 32 Mio" in refusal(read, body)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_another_encoding_is_refused_with_its_line_and_the_way_out(
    libraries, library_file, encoding
):
    body = library_file({}).decode().encode(encoding)
    text = refusal(libraries, body)
    assert text.startswith("bibliotheques_paca.csv, ligne 1 : le fichier n'est pas en UTF-8")
    assert "Enregistrez-le à nouveau en UTF-8" in text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_wide_encodings_are_refused(libraries, library_file, encoding):
    body = library_file({}).decode().encode(encoding)
    assert "n'est pas du texte en UTF-8" in refusal(libraries, body)


def test_accents_lost_by_an_earlier_conversion_are_refused(libraries, museums, library_file):
    twice = library_file({}).decode().encode().decode("latin-1").encode()
    lost = library_file({"Ville": "B\N{REPLACEMENT CHARACTER}nac"})
    for read, body in ((libraries, twice), (libraries, lost), (museums, twice)):
        assert "accents ont été abîmés" in refusal(read, body)


# --- refused: CSV --------------------------------------------------------------------------------


def test_a_new_column_is_refused_by_its_name(libraries, library_file):
    body = library_file({}).replace(b"geolocalisation", b"geolocalisation;Portail", 1)
    text = refusal(libraries, body)
    assert "ligne 1 : colonne inconnue « Portail »" in text
    assert "mettez Parvis à jour" in text


def test_a_missing_column_is_refused_by_its_name(libraries, library_file):
    body = library_file({}, columns=[name for name in COLUMNS if name != "Statut"])
    assert "colonne absente « Statut »" in refusal(libraries, body)


def test_a_column_named_twice_is_refused(libraries, library_file):
    body = library_file({}, columns=[*COLUMNS, "Ville"])
    assert "une colonne apparaît deux fois" in refusal(libraries, body)


def test_another_separator_is_refused(libraries, library_file):
    assert "colonne inconnue" in refusal(libraries, library_file({}).replace(b";", b","))


def test_a_hostile_column_name_is_shown_without_its_control_characters(libraries, library_file):
    body = library_file({}).replace(b"geolocalisation", b"\x1b[31mrouge\x07", 1)
    text = refusal(libraries, body)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[31mrouge" in text


def test_a_file_cut_anywhere_inside_its_last_row_is_refused(libraries, library_file):
    body = library_file({}, {"Code_bib": "160.0"})
    last_row = body.rindex(b"\n", 0, len(body) - 1) + 1
    for end in range(last_row + 1, len(body)):
        assert "coupée" in refusal(libraries, body[:end])


def test_a_file_cut_inside_a_row_and_closed_by_a_line_end_is_refused(libraries, library_file):
    body = library_file({}, {"Code_bib": "160.0"})
    text = refusal(libraries, body[:-40] + b"\r\n")
    assert "ligne 3 : " in text
    assert "la ligne est coupée" in text


def test_a_row_with_too_many_cells_is_refused(libraries, library_file):
    body = library_file({}).replace(b"43.3, 5.37\r\n", b"43.3, 5.37;1\r\n")
    assert "24 cellules au lieu de 23" in refusal(libraries, body)


def test_a_header_without_rows_is_refused(libraries, library_file):
    assert "aucune ligne après l'en-tête" in refusal(libraries, library_file())


def test_a_quote_never_closed_is_refused(libraries, library_file):
    body = library_file({}).replace(b"13001;", b'"13001;')
    assert "ligne 2 : guillemets mal fermés" in refusal(libraries, body)


def test_a_cell_beyond_any_measure_is_refused(libraries, library_file):
    body = library_file({"Adresse": "a" * 200_000})
    assert "cellule démesurée" in refusal(libraries, body)


@pytest.mark.parametrize("column", COLUMNS)
def test_each_column_has_a_longest_text(libraries, library_file, column):
    text = refusal(libraries, library_file({column: "9" * (LAYOUT.longest[column] + 1)}))
    assert f"ligne 2 : « {column} » dépasse {LAYOUT.longest[column]} caractères" in text


# --- refused: JSON -------------------------------------------------------------------------------


def test_a_json_file_cut_anywhere_is_refused(museums, museum_file):
    body = museum_file({}, {"Identifiant Muséofile": "M0002"})
    for end in range(1, len(body)):
        try:
            body[:end].decode()
        except UnicodeDecodeError:
            continue
        assert "coupé ou abîmé" in refusal(museums, body[:end])


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"null",
        b"[{}] []",
        b"[{},]",
        b"[{} {}]",
        b"[,{}]",
        b'[{"Commune": NaN}]',
        b'[{"Commune": "Nice", "Commune": "Nice"}]',
        b'[{"Code Postal": ' + b"9" * 5000 + b"}]",
        b"[" * 100_000,
        b'[{"Commune": "a\nb"}]',
    ],
    ids=lambda body: body[:20].decode(),
)
def test_what_is_not_one_array_of_objects_is_refused(museums, body):
    assert "coupé ou abîmé" in refusal(museums, body)


def test_an_empty_array_is_refused(museums):
    assert "le tableau JSON est vide" in refusal(museums, b"[ ]")


@pytest.mark.parametrize("item", [b"1", b'"M0001"', b"[]", b"null"])
def test_an_item_that_is_no_object_is_refused(museums, item):
    assert "un objet JSON est attendu" in refusal(museums, b"[" + item + b"]")


def test_an_unknown_key_is_refused_with_the_line_its_object_begins_on(museums, museum_file):
    body = museum_file({}, {"Identifiant Muséofile": "M0002", "Portail": "x"})
    line = body.decode().splitlines().index("{", 2) + 1
    assert f"ligne {line} : colonne inconnue « Portail »" in refusal(museums, body)


@pytest.mark.parametrize("value", [True, [], {}, ["x"]])
def test_a_value_of_another_type_is_refused(museums, museum_file, value):
    assert "valeur inattendue dans « URL »" in refusal(museums, museum_file({"URL": value}))


def test_an_outsized_json_text_is_refused(museums, museum_file):
    assert "« URL » dépasse 500 caractères" in refusal(museums, museum_file({"URL": "a" * 501}))
    assert "« Code Postal » dépasse 10" in refusal(museums, museum_file({"Code Postal": 10**11}))


def test_json_layout_does_not_matter(museums, museum_file):
    body = museum_file({}, {"Identifiant Muséofile": "M0002"})
    compact = json.dumps(json.loads(body)).encode()
    assert museums(compact)[0] == museums(b"\n " + body + b" \r\n\t")[0] == museums(body)[0]
