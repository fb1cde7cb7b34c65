import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.services.open_data.records import Record
from orchestrator.services.open_data.report import Ledger
from orchestrator.services.open_data.sources import LIBRARIES
from orchestrator.services.open_data.text import READABLE, changes, folded, french_title


def read(text: str):
    ledger = Ledger(b"", LIBRARIES, None)
    value = Record(7, {"Nom": text}, ledger).text("Nom")
    return value, [f.rule.slug for f in ledger.closed(rows_read=1, rows_kept=1).findings]


@pytest.mark.parametrize(
    ("before", "after", "slugs"),
    [
        ("Bibliothèque  municipale", "Bibliothèque municipale", ["spaces-collapsed"]),
        (" Médiathèque\u00a0Colette ", "Médiathèque Colette", ["spaces-collapsed"]),
        ("Bibliothe\u0300que", "Bibliothèque", ["unicode-form"]),
        ("Bibliothe\u200b\u0300que", "Bibliothèque", ["invisible-removed", "unicode-form"]),
        ("Bibliotheque de Cabris", "Bibliothèque de Cabris", ["accent-restored"]),
        ("mediatheque d'Auron", "médiathèque d'Auron", ["accent-restored"]),
        ("LUDOTHEQUE MUNICIPALE", "Ludothèque Municipale", ["capitals-lowered", "accent-restored"]),
        ("04 - MEDIATHEQUE des Alpes", "04 - MÉDIATHÈQUE des Alpes", ["accent-restored"]),
        ("Bmvr  Alcazar", "Bmvr Alcazar", ["spaces-collapsed"]),
        ("BMVR DE NICE - DIRECTION", "Bmvr de Nice - Direction", ["capitals-lowered"]),
        ("Bibliothèque \\", "Bibliothèque", ["backslash-removed"]),
        ("Le\x00 \u202eCastellet\u200b", "Le Castellet", ["invisible-removed"]),
        ("Le\tCastellet\r\n", "Le Castellet", ["spaces-collapsed"]),
        ("Médiatheque municipale", "Médiatheque municipale", []),  # guessed would be wrong
        ("Bibliotheques", "Bibliotheques", []),
        ("Médiathèque de Barles", "Médiathèque de Barles", []),
        ("<script>alert(1)</script>", "<script>alert(1)</script>", []),  # escaped where shown
        ("- - -", None, ["empty-text"]),
        ("\u200b", None, ["invisible-removed", "empty-text"]),
        ("", None, []),
        ("   ", None, ["spaces-collapsed"]),
    ],
)
def test_text_for_people_is_tidied_and_every_change_is_told(before, after, slugs):
    assert read(before) == (after, slugs)


@pytest.mark.parametrize("cell", ["=1+1", "+33 oubli", "-1 rue", "@Sum(A1)"])
def test_a_cell_that_looks_like_a_formula_is_data_and_is_noted(cell):
    assert read(cell) == (cell, ["formula-like"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("60 CHEMIN DE L'HUBAC", "60 Chemin de l'Hubac"),
        ("BD FRANÇOIS-SUAREZ", "Bd François-Suarez"),
        ("5 BIS BOULEVARD LA COLLE BELLE", "5 bis Boulevard la Colle Belle"),
        ("LA DURANCE", "La Durance"),
        ("L'ESCALE", "L'Escale"),
        (
            "AVENUE D\N{RIGHT SINGLE QUOTATION MARK}ARLES",
            "Avenue d\N{RIGHT SINGLE QUOTATION MARK}Arles",
        ),
        ("DES BOUCHES-DU-RHÔNE", "Des Bouches-du-Rhône"),
        ("447 AVENUE DU 15E CORPS", "447 Avenue du 15e Corps"),
        ("40 AV. FR. ROOSVELT", "40 Av. Fr. Roosvelt"),
        ("RD 2085 LE PLAN", "RD 2085 le Plan"),
        ("BP 99", "BP 99"),
        ("IMMEUBLE D", "Immeuble D"),
        ("«LES LAURIERS» (MAIRIE)", "«Les Lauriers» (Mairie)"),
    ],
)
def test_capitals_become_a_french_title(before, after):
    assert french_title(before) == after


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Église Saint-Œdipe  d'Èze", "eglise saint oedipe d eze"),
        ("Hors les murs", "hors les murs"),
        ("«Les lauriers roses»", "les lauriers roses"),
        ("ÉOURRES", "eourres"),
        ("\N{PARENTHESIZED LATIN CAPITAL LETTER A}", "a"),
        ("...", ""),
    ],
)
def test_folding_leaves_words_without_accent_or_case(text, expected):
    assert folded(text) == expected


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text):
    steps = list(changes(text, READABLE))
    once = steps[-1][2] if steps else text
    assert list(changes(once, READABLE)) == []


@given(st.text())
def test_clean_text_can_be_stored_and_printed_on_one_line(text):
    clean, _ = read(text)
    assert clean is None or (clean.isprintable() and "\x00" not in clean and clean.strip() == clean)


@given(st.text())
def test_folding_is_stable(text):
    assert folded(folded(text)) == folded(text)
