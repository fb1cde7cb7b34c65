"""Each import contract is broken once on a toy tree: a contract that cannot fail is decoration."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
VERDICT = re.compile(r"^(.+?) (KEPT|BROKEN)\b.*$", re.MULTILINE)  # a warning may follow
NAMES = [contract["name"] for contract in CONFIGURATION["contracts"]]
MODULES = (
    "parvis.cli",
    "web.layout.forms",
    "web.citizen.pages",
    "web.console.pages",
    "orchestrator.api.intake",
    "orchestrator.runtime.worker",
    "orchestrator.store.runs",
    "orchestrator.broker.relay",
    "orchestrator.services.ports",
    "orchestrator.journeys.arrival",
    "orchestrator.engine.steps",
    "connectors.kit.http",
    "connectors.koha",
    "connectors.mail",
    "identity.consent",
    "identity.saml",
    "identity.keycloak",
    "schemas.clock",
    "parvis_partner.client",
    "mock_partners.koha",
)
ALLOWED = {
    "parvis.cli": ("web", "orchestrator.runtime.worker", "connectors"),
    "web.citizen.pages": ("web.layout.forms", "orchestrator.services.ports"),
    "orchestrator.runtime.worker": ("orchestrator.store.runs", "connectors", "flask"),
    "orchestrator.services.ports": ("orchestrator.engine.steps", "identity.consent"),
    "connectors.koha": ("connectors.kit.http", "schemas.clock", "requests"),
    "connectors": ("connectors.kit.http",),
}
OFFENCES = [
    ("Packages depend downwards only", "schemas.clock", "identity.consent"),
    ("Packages depend downwards only", "connectors.kit.http", "orchestrator"),
    ("Packages depend downwards only", "identity.consent", "connectors"),
    ("Packages depend downwards only", "web.citizen.pages", "parvis.cli"),
    ("The two faces share their layout only", "web.citizen.pages", "web.console.pages"),
    ("The two faces share their layout only", "web.layout.forms", "web.citizen.pages"),
    ("The faces call services", "web.console.pages", "orchestrator.store.runs"),
    ("The orchestrator is an onion", "orchestrator.engine.steps", "orchestrator.store.runs"),
    ("The orchestrator is an onion", "orchestrator.api.intake", "orchestrator.runtime.worker"),
    (
        "Use cases, journeys, engine and schemas know no machinery",
        "orchestrator.services.ports",
        "psycopg",
    ),
    (
        "Use cases, journeys, engine and schemas know no machinery",
        "orchestrator.services.ports",
        "identity.saml",
    ),
    ("Connectors and identity know no framework", "connectors.koha", "flask"),
    ("Connectors and identity know no framework", "identity.consent", "psycopg"),
    ("Connectors do not know each other", "connectors.koha", "connectors.mail"),
    (
        "Connectors are reached through their public face",
        "orchestrator.runtime.worker",
        "connectors.koha",
    ),
    ("The SDK and the mocks stand alone", "mock_partners.koha", "schemas.clock"),
    ("The SDK and the mocks stand alone", "parvis_partner.client", "schemas.clock"),
]


def test_the_toy_tree_without_an_offence_keeps_every_contract(tmp_path):
    verdicts = _verdicts(_tree(tmp_path, {}))

    assert verdicts == dict.fromkeys(NAMES, "KEPT")


@pytest.mark.parametrize(("name", "importer", "imported"), OFFENCES)
def test_an_offence_breaks_its_contract(tmp_path, name, importer, imported):
    verdicts = _verdicts(_tree(tmp_path, {importer: (imported,)}))

    assert verdicts[name] == "BROKEN"


def test_every_contract_has_an_offence():
    assert {name for name, _, _ in OFFENCES} == set(NAMES)


def _tree(folder: Path, offences):
    packages = {parent for module in MODULES for parent in _parents(module)}
    for package in packages:
        path = folder / package.replace(".", "/") / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_imports(package, offences))
    for module in set(MODULES) - packages:
        path = folder / (module.replace(".", "/") + ".py")
        path.write_text(_imports(module, offences))
    return folder


def _parents(module):
    names = module.split(".")[:-1]
    return {".".join(names[: length + 1]) for length in range(len(names))}


def _imports(module, offences):
    names = ALLOWED.get(module, ()) + offences.get(module, ())
    return "".join(f"import {name}\n" for name in names)


def _verdicts(folder):
    """The contract names of one run of import-linter in a folder, each with its verdict."""
    program = "import sys; from importlinter.cli import lint_imports_command as c; c()"
    ran = subprocess.run(
        [sys.executable, "-c", program, "--config", str(ROOT / "pyproject.toml"), "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = dict(VERDICT.findall(ran.stdout))
    assert found, ran.stdout + ran.stderr
    return found
