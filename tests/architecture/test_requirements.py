"""C9: what is installed is pinned, hashed, and comes from wherever this machine says."""

import re
import subprocess
from importlib import metadata

import pytest

from tests.architecture.tree import ROOT

FOLDER = ROOT / "requirements"
COMPILED = sorted(path.name for path in FOLDER.glob("*.txt"))
WANTED = sorted(path.name for path in FOLDER.glob("*.in"))
ENTRY = re.compile(r"(?P<name>[a-z0-9._-]+)(\[[a-z0-9,._-]+\])?==(?P<version>[^\s;]+)")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def test_each_wish_is_compiled():
    assert [name.removesuffix(".txt") for name in COMPILED] == [
        name.removesuffix(".in") for name in WANTED
    ]


@pytest.mark.parametrize("name", COMPILED)
def test_every_requirement_is_pinned_and_hashed(name):
    entries = _entries(name)

    assert entries
    assert [entry for entry in entries if not ENTRY.match(entry) or not HASH.search(entry)] == []


@pytest.mark.parametrize("name", COMPILED + WANTED)
def test_a_requirement_file_holds_no_address_and_no_option(name):
    content = (FOLDER / name).read_text()

    assert "://" not in content
    assert re.findall(r"^--\S+|^-[^r].*", content, re.MULTILINE) == []


@pytest.mark.parametrize("name", ["main", "demo"])
def test_the_smaller_file_pins_what_the_larger_one_pins(name):
    assert _pins(f"{name}.txt").items() <= _pins("dev.txt").items()


@pytest.mark.parametrize("name", [name for name in WANTED if name != "bootstrap.in"])
def test_everything_wished_for_is_pinned(name):
    wished = [line for line in (FOLDER / name).read_text().split("\n") if line[:1] not in {"", "-"}]
    names = {re.split(r"[\[<>=]", line)[0].lower().replace("_", "-") for line in wished}

    assert names <= _pins(name.replace(".in", ".txt")).keys()


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml"])
def test_files_that_hold_addresses_are_ignored_by_git(name):
    ignored = (ROOT / ".gitignore").read_text().split("\n")

    assert name in ignored
    assert not (ROOT / name).exists() or subprocess.call(
        ["git", "ls-files", "--error-unmatch", name],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_urllib3_is_the_one_everybody_means():
    """Two distributions give this import: the other one would shadow it half."""
    assert metadata.packages_distributions()["urllib3"] == ["urllib3"]


def _entries(name):
    joined = (FOLDER / name).read_text().replace("\\\n", " ")
    return [line for line in joined.split("\n") if line.strip()]


def _pins(name):
    matches = filter(None, map(ENTRY.match, _entries(name)))
    return {match["name"]: match["version"] for match in matches}
