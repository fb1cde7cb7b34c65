"""Each decision says what enforces it: a test, a contract or a rule that exists."""

import re
import tomllib

import pytest

from tests.architecture.tree import ROOT, text

DECISIONS = sorted((ROOT / "docs/adr").glob("*.md"))
PARTS = (
    "**Context.**",
    "**Decision.**",
    "**Consequences.**",
    "**Alternatives.**",
    "**References.**",
)
CONTRACTS = {
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}


def _references(path):
    return " ".join(text(path).partition("**References.**")[2].split())


def test_decisions_are_numbered_without_a_gap():
    numbers = [int(path.name[:4]) for path in DECISIONS]

    assert numbers == list(range(1, len(DECISIONS) + 1))
    assert [text(path).split(".")[0] for path in DECISIONS] == [f"# {number}" for number in numbers]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_five_parts_in_order(path):
    places = [text(path).find(part) for part in PARTS]

    assert places == sorted(places)
    assert -1 not in places


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_one_line_to_quote(path):
    decision = text(path).partition("**Decision.**")[2].partition("**Consequences.**")[0]

    assert re.search(r"\*[^*]{40,}\*", decision, re.DOTALL)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_names_a_test_that_enforces_it(path):
    tests = re.findall(r"`(tests/[^`]+)`", _references(path))

    assert tests
    assert [test for test in tests if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_contract_that_a_decision_names_exists(path):
    named = set(re.findall(r'contract "([^"]+)"', _references(path)))

    assert named <= CONTRACTS
