"""C8: what the documents name exists, and their Python runs."""

import doctest
import importlib
import re

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from parvis.settings import NAMES
from tests.architecture.tree import ROOMS, ROOT, files, name_of, text

ROOM_NAMES = {room.split("/", maxsplit=1)[0] for room in ROOMS} | {"parvis_partner"}
TOPS = ROOM_NAMES | {"tests", "docs", "tools", "requirements", "changelog.d", "benchmarks", ".ci"}
DOCUMENTS = [
    path
    for path in [*files("docs"), *ROOT.glob("*.md"), *ROOT.glob("*/CONTRIBUTING.md")]
    if path.suffix == ".md"
]
RUNNING = [path for path in DOCUMENTS if "```python" in text(path)]
DOCTEST = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(/[\w.*-]+)+/?")
DOTTED = re.compile(r"[a-z_]+(\.\w+)+")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
MAKE = re.compile(r"\bmake ([a-z][a-z-]+)")
COMMAND = re.compile(r"\bparvis ((?:[a-z]+ ?)+(?:-[a-z-]+)?)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SETTING = re.compile(r"\bPARVIS_[A-Z_]*[A-Z]\b")


def _spans(path):
    return CODE.findall(FENCE.sub("", text(path)))


def _ids(path):
    return name_of(path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_ids)
def test_every_path_named_exists(document):
    named = {span for span in _spans(document) if PATH.fullmatch(span)}
    ours = {span for span in named if span.split("/")[0] in TOPS}

    assert sorted(span for span in ours if not list(ROOT.glob(span.rstrip("/")))) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_ids)
def test_every_link_leads_somewhere(document):
    links = LINK.findall(text(document))

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_ids)
def test_every_name_of_the_code_exists(document):
    named = {span for span in _spans(document) if DOTTED.fullmatch(span)}
    ours = {span for span in named if span.split(".")[0] in ROOM_NAMES}

    assert sorted(name for name in ours if not _is_known(name)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_ids)
def test_every_make_target_named_exists(document):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    fenced = "\n".join(FENCE.findall(text(document)))
    named = {target for span in [*_spans(document), fenced] for target in MAKE.findall(span)}

    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_ids)
def test_every_command_named_exists(document):
    named = {found for span in _spans(document) for found in COMMAND.findall(span)}

    assert sorted(words for words in named if not _is_command(words.split())) == []


def test_every_setting_named_is_read_by_the_hub_and_each_is_explained():
    explained = set(SETTING.findall(text(ROOT / "docs/operations.md")))
    others = {"PARVIS_DATABASE_URL_FILE", "PARVIS_BROKER_URL_FILE", "PARVIS_REQUIRE_ALL"}

    assert explained - others == set(NAMES)


@pytest.mark.parametrize("document", RUNNING, ids=_ids)
def test_the_python_of_a_document_runs(document):
    read = Sybil(parsers=[PythonCodeBlockParser(doctest_optionflags=DOCTEST)]).parse(document)
    examples = list(read.examples())

    for example in examples:
        example.evaluate()
    assert examples


def _is_known(name):
    """Tell whether a dotted name is a module, or something reached from one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def _is_command(words):
    command = importlib.import_module("parvis.cli.main").cli
    for word in words:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return False
    return True
