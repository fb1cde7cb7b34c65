"""``parvis citizens``: what an agent types, and what the command answers."""

import json

import pytest

from tests.integration.test_cli import environ  # noqa: F401 - a fixture
from tests.integration.test_merges import Town
from tests.integration.test_sign_in import Desk

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

    assert parvis("citizens", "undo", merge["id"])[0] == 0
    code, _, fault = parvis("citizens", "undo", merge["id"])
    assert (code, "trente jours" in fault) == (1, True)
    assert json.loads(parvis("citizens", "merges", "--json")[1]) == []


def test_a_case_is_closed_by_the_command_line(town, parvis):
    assert parvis("citizens", "close", str(town.case), "apart")[0] == 0
    assert parvis("citizens", "close", str(town.case), "apart")[0] == 1
    assert parvis("citizens", "close", "x", "apart")[0] == 2
    assert json.loads(parvis("citizens", "cases", "--json")[1]) == []


def test_a_proof_at_the_desk_is_noted_by_the_command_line(town, parvis):
    assert "niveau 4" in parvis("citizens", "confirm", "PV-0", "document")[1]
    code, _, fault = parvis("citizens", "confirm", "PV-9", "document")
    assert (code, "saisit d'abord son code" in fault) == (1, True)
