import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"parvis", "web", "orchestrator", "connectors", "identity", "schemas", "parvis_partner"}
SOURCES = sorted((ROOT / "mock_partners").rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_mock_imports_nothing_of_ours(path):
    assert OURS.isdisjoint(imported(path))


def test_the_sources_were_found():
    assert len(SOURCES) > 20
