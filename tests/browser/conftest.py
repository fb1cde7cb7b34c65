from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.store.connections import Database
from tests.browser.citizen_hub import PlayedWorker, fill, make_app, serving
from tests.plugins.requirements import chromium

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "RGAAv4", "best-practice"]


@pytest.fixture(scope="session")
def base_url():
    """Every test has a server of its own; the plugin's own fixture is of a form now deprecated."""
    return ""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return browser_type_launch_args | {"executable_path": chromium(), "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return browser_context_args | {"locale": "fr-FR", "timezone_id": "Europe/Paris"}


@pytest.fixture
def citizen_hub(database, database_url, vault, hub_keys):
    """The citizen pages, served; the server has its own view of the database."""
    fill(database)
    own = Database(database_url)
    worker = PlayedWorker(own, hub_keys)
    app = make_app(own, vault, hub_keys, worker)
    with serving(app) as url:
        yield SimpleNamespace(url=url, worker=worker, database=database, app=app, keys=hub_keys)
    own.close()


@pytest.fixture
def axe_faults():
    """Run axe on a page of a context made with ``bypass_csp``; returns what it found."""

    def run(page):
        page.add_script_tag(path=AXE)
        found = page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS
        )
        unsure = {
            each["id"]: [node["html"][:160] for node in each["nodes"]]
            for each in found["incomplete"]
        }
        faults = [
            (each["id"], [node["html"][:160] for node in each["nodes"]])
            for each in found["violations"]
        ]
        return faults, unsure

    return run
