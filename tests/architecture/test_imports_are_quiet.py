"""Importing a room does nothing: no connector registers itself, no setting is read, nothing is opened."""

import json
import subprocess
import sys

import pytest

from tests.architecture.tree import PRODUCT, ROOT, name_of, python, text

LISTED = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def test_the_face_of_the_connectors_imports_no_connector():
    loaded = json.loads(_ran(f"import connectors; {LISTED}"))
    ours = [name for name in loaded if name.startswith("connectors.")]

    assert [name for name in ours if not name.startswith("connectors.kit")] == []


@pytest.mark.parametrize("room", PRODUCT)
def test_importing_a_room_needs_no_setting_and_opens_no_connection(room):
    names = [_module(path) for path in python(room) if not _is_entry(path)]
    names = [name for name in names if not name.endswith("__main__")]
    assert names
    refused = (
        "import os, socket\n"
        "for name in [n for n in os.environ if n.startswith('PARVIS_')]: del os.environ[name]\n"
        "def refuse(*a, **k): raise SystemExit('a connection at import')\n"
        "socket.socket.connect = refuse\n"
    )

    _ran(refused + "\n".join(f"import {name}" for name in names))


def _is_entry(path):
    """Programs and migrations are run, not imported; a program patches before it imports the rest."""
    return "/migrations/" in name_of(path) or "monkey.patch_all()" in text(path)


def _module(path):
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _ran(program):
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
