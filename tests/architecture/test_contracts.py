"""C1: who may import whom, as pyproject.toml writes it down."""

import os
import subprocess
import sys

from tests.architecture.tree import ROOT


def test_every_import_goes_downwards():
    program = "from importlinter.cli import lint_imports_command as c; c()"
    ran = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'partner_sdk/src'}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
