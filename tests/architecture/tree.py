"""The files of the project, as the checks of this folder read them."""

import ast
import os
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("schemas", "connectors", "identity", "orchestrator", "web", "parvis")
ROOMS = (*PRODUCT, "mock_partners", "partner_sdk/src")
GENERATED = {
    "__pycache__",
    "build",
    "dist",
    "htmlcov",
    "node_modules",
    "vendor",
}
TEXT = {".py", ".sql", ".md", ".toml", ".yaml", ".yml", ".json", ".html", ".css", ".js", ".txt"}
TEXT |= {".in", ".csv", ".po", ".svg", ".mako", ".cfg", ".xml", ""}


@cache
def files(*tops):
    """Every file under these paths (all of the project without any), our own text only."""
    starts = [ROOT / top for top in tops] if tops else _tops()
    found = []
    for start in starts:
        if start.is_file():
            found.append(start)
        for folder, names, leaves in os.walk(start):
            names[:] = [name for name in names if not _is_generated(name)]
            found += [Path(folder) / leaf for leaf in leaves]
    return sorted(path for path in found if path.suffix in TEXT)


def python(*tops):
    return [path for path in files(*tops) if path.suffix == ".py"]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@cache
def text(path):
    return path.read_text(encoding="utf-8")


@cache
def syntax(path):
    return ast.parse(text(path), filename=str(path))


def _tops():
    kept = {".ci", ".gitignore"}
    return [
        path
        for path in ROOT.iterdir()
        if path.name in kept or not (path.name.startswith(".") or _is_generated(path.name))
    ]


def _is_generated(name):
    return name in GENERATED or name.endswith(".egg-info") or name in {".git", ".venv"}
