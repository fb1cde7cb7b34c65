"""The project names no machine of its makers: no package registry, no path of a private place."""

import re

import pytest

from tests.architecture.tree import files, name_of, text

REGISTRIES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry.npmjs" + ".org",
    "npmjs" + ".com",
    "artifact" + "registry",
    "pkg.dev" + "/",
    "proxy.golang" + ".org",
    "maven" + ".",  # its hosts; properties that look like one are written as configuration
    "index-url" + " =",
    "jsdelivr" + ".net",
    "unpkg" + ".com",
    "cdnjs" + ".cloudflare",
)
PRIVATE = (
    r"(?<![\w.])/wor" + r"k(/|\b)",
    r"/root" + r"/",
    r"/home" + r"/(?!newcomer|parvis)\w+",
    r"/var/t" + r"mp/\w+",
    r"\bhand" + r"book\b",
    r"\bissue" + r" #?\d+\b",
)

# the addresses of museums and libraries, as published
PUBLISHED = "parvis/data/"


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_file_names_a_package_registry(host):
    assert [name_of(path) for path in files() if host in text(path).lower()] == []


@pytest.mark.parametrize("pattern", PRIVATE)
def test_no_file_names_a_place_of_its_makers(pattern):
    found = re.compile(pattern, re.IGNORECASE)

    ours = [path for path in files() if not name_of(path).startswith(PUBLISHED)]

    assert [name_of(path) for path in ours if found.search(text(path))] == []
