"""``parvis citizens``: what an agent types, and what the command answers."""

import json

import pytest

from schemas import ids
from tests.integration.test_cli import environ  # noqa: F401 - a fixture
from tests.integration.test_merges import Town
from tests.integration.test_sign_in import Desk, franceconnect

pytestmark = pytest.mark.postgres


@pytest.fixture
def town(environ, database, vault, hub_keys):  # noqa: F811
    return Town(Desk(database, vault, hub_keys), vault)


def test_two_people_are_joined_and_parted_by_the_command_line(town, parvis):
    code, out, _ = parvis("citizens", "cases", "--json")
    (case,) = json.loads(out)
    assert (code, case["people"]) == (0, 2)
    assert "une autre identité FranceConnect" in parvis("citizens", "cases")[1]

    code, _, fault = parvis("citizens", "merge", case["id"], "--proof", "card")
    assert (code, "deux preuves" in fault) == (1, True)
    code, out, _ = parvis("citizens", "merge", case["id"], "--proof", "card", "--proof", "document")
    assert (code, "Réunies" in out) == (0, True)
    (merge,) = json.loads(parvis("citizens", "merges", "--json")[1])
    assert merge["proofs"] == ["card", "document"]
    assert "card, document" in parvis("citizens", "merges")[1]

    shown = "".join(parvis("citizens", name)[1] for name in ("cases", "merges"))
    for one in (town.first, town.second, "MARTIN", "sub-", "G-"):
        assert str(one) not in shown

    assert parvis("citizens", "undo", merge["id"])[0] == 0
    code, _, fault = parvis("citizens", "undo", merge["id"])
    assert (code, "déjà été défaite" in fault) == (1, True)
    assert "Aucune réunion" in parvis("citizens", "merges")[1]
    assert json.loads(parvis("citizens", "merges", "--json")[1]) == []


def test_a_case_is_closed_by_the_command_line(town, parvis):
    assert parvis("citizens", "close", str(town.case), "apart")[0] == 0
    assert parvis("citizens", "close", str(town.case), "apart")[0] == 1
    assert parvis("citizens", "close", "x", "apart")[0] == 2
    assert json.loads(parvis("citizens", "cases", "--json")[1]) == []
    assert "Aucun dossier" in parvis("citizens", "cases")[1]


BOTH = ("--proof", "card", "--proof", "document")


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        (("merge", "CASE"), 1, "deux preuves différentes"),
        (("merge", "CASE", *BOTH[:2], *BOTH[:2]), 1, "deux preuves différentes"),
        (("merge", "CASE", "--proof", "passeport"), 2, "--proof ne convient pas"),
        (("merge", "UNKNOWN", *BOTH), 1, "Ce dossier n'est pas ouvert"),
        (("merge", "pas-un-identifiant", *BOTH), 2, "un identifiant entier"),
        (("close", "CASE", "replaced"), 1, "en remplace une autre"),
        (("close", "CASE", "oui"), 2, "apart, replaced, settled"),
        (("close", "UNKNOWN", "apart"), 1, "Ce dossier n'est pas ouvert"),
        (("undo", "UNKNOWN"), 1, "Cette réunion n'existe pas"),
        (("undo", "CASE"), 1, "Cette réunion n'existe pas"),
        (("undo", ""), 2, "un identifiant entier"),
        (("confirm", "PV-9", "document"), 1, "saisit d'abord son code"),
        (("confirm", "", "document"), 1, "saisit d'abord son code"),
        (("confirm", "PV-0", "post"), 2, "document, card"),
    ],
)
def test_what_an_agent_mistypes_changes_nothing_and_is_said_in_french(
    town, parvis, typed, code, sentence
):
    before = town.rows()
    known = {"CASE": str(town.case), "UNKNOWN": str(ids.uuid7())}

    said, out, fault = parvis("citizens", *(known.get(one, one) for one in typed))

    assert (said, out, sentence in fault) == (code, "", True), fault
    assert town.rows() == before
    assert "Traceback" not in fault


def test_what_keeps_two_people_apart_is_said_one_thing_after_the_other(town, parvis):
    case, account = str(town.case), "UPDATE account SET service_id = %s WHERE citizen_id = %s"
    town.database.run(account, ("library_0", town.second))
    assert "un compte dans un même service" in parvis("citizens", "merge", case, *BOTH)[2]
    town.database.run(account, ("library_1", town.second))
    town.add_run(town.second, 9, status="ready")
    assert "réessayez dans une minute" in parvis("citizens", "merge", case, *BOTH)[2]
    town.database.run("UPDATE run SET status = 'waiting_signal'")
    town.database.run("UPDATE citizen SET state = 'closed' WHERE id = %s", (town.second,))
    assert "n'est plus là" in parvis("citizens", "merge", case, *BOTH)[2]
    town.database.run("UPDATE citizen SET state = 'active'")
    assert parvis("citizens", "merge", case, *BOTH)[0] == 0


def test_after_thirty_days_a_merge_stays(town, parvis):
    assert parvis("citizens", "merge", str(town.case), *BOTH)[0] == 0
    (merge,) = json.loads(parvis("citizens", "merges", "--json")[1])
    town.database.run("UPDATE merge SET undo_until = parvis_now()")

    code, _, fault = parvis("citizens", "undo", merge["id"])

    assert (code, "trente jours sont passés" in fault) == (1, True)
    assert "Aucune réunion" in parvis("citizens", "merges")[1]


def test_a_case_about_one_person_is_closed_and_merges_nobody(town, parvis):
    parvis("citizens", "close", str(town.case), "settled")
    town.desk.sign_in(franceconnect(1, fc_sub="another"))
    (case,) = json.loads(parvis("citizens", "cases", "--json")[1])

    code, _, fault = parvis("citizens", "merge", case["id"], *BOTH)

    assert (case["people"], code, "deux personnes" in fault) == (1, 1, True)
    assert parvis("citizens", "close", case["id"], "replaced")[0] == 0


def test_a_proof_at_the_desk_is_noted_by_the_command_line(town, parvis):
    assert "niveau 4" in parvis("citizens", "confirm", " pv-0 ", "document")[1]
    code, _, fault = parvis("citizens", "confirm", "PV-9", "document")
    assert (code, "saisit d'abord son code" in fault) == (1, True)
