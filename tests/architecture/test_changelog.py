"""Each change tells its readers what it brings, in a fragment that no other change touches."""

import re
import tomllib

from tests.architecture.tree import ROOT

NAME = re.compile(r"\+[a-z0-9-]+\.(breaking|added|fixed|privacy|security)\.md")


def _fragments():
    return [path for path in (ROOT / "changelog.d").iterdir() if path.name != ".gitkeep"]


def test_a_fragment_is_named_by_its_slug_and_kind():
    assert [path.name for path in _fragments() if not NAME.fullmatch(path.name)] == []


def test_a_fragment_is_one_sentence_or_a_few():
    texts = {path.name: path.read_text(encoding="utf-8").strip() for path in _fragments()}

    assert [name for name, said in texts.items() if not 20 < len(said) < 600] == []


def test_the_kinds_are_those_towncrier_knows():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    kinds = "|".join(kind["directory"] for kind in settings["type"])

    assert f"({kinds})" in NAME.pattern
