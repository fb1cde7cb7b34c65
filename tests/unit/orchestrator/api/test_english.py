import ast
from pathlib import Path

import pytest

import schemas
from orchestrator.api import media_types
from orchestrator.api.english import GENERAL, in_english

ROOT = Path(schemas.__file__).parent
SOURCES = (
    *(ROOT / name for name in ("strict_json.py", "cloudevents.py", "fields.py", "strict.py")),
    *sorted((ROOT / "events").glob("*.py")),
    Path(media_types.__file__),
    Path(media_types.__file__).with_name("bodies.py"),
    *(
        Path(media_types.__file__).parents[1] / place
        for place in (
            *("services/intake.py", "services/portal.py", "services/idempotency.py"),
            "store/citizen_space.py",
        )
    ),
)


def sentences(path):
    """Every literal that reads like a French sentence: it ends with a stop and holds a blank."""
    tree = ast.parse(path.read_text("utf-8"))
    documented = {id(doc) for doc in ast.walk(tree) if isinstance(doc, ast.Expr)}
    skipped = {
        id(inner)
        for doc in ast.walk(tree)
        if id(doc) in documented
        for inner in ast.walk(doc)
        if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant)
    }
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in skipped or id(node) in inside:
            continue
        text = _text(node)
        if (text and text.endswith(".") and " " in text and not text.isascii()) or _is_plain(text):
            yield text


def _is_plain(text):
    return (
        bool(text) and text.endswith(".") and text.split(" ")[0] in {"Un", "Une", "Ce", "Le", "NaN"}
    )


def _text(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "7" for part in node.values]
        return "".join(parts)
    return None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_sentence_a_caller_may_read_has_its_english(path):
    assert [text for text in sentences(path) if in_english(text) == GENERAL] == []


def test_the_sentences_are_found():
    assert sum(len(list(sentences(path))) for path in SOURCES) > 50


def test_a_place_behind_a_sentence_stays():
    assert in_english("Ce texte contient un caractère interdit. (#/data/x)").endswith("(#/data/x)")


def test_an_unknown_sentence_becomes_the_general_one():
    assert in_english("Autre chose.") == GENERAL
