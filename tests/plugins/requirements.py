"""What a test needs from the machine: found, or skipped with the command that brings it.

`PARVIS_REQUIRE_ALL=1` turns every skip into a failure, whoever asked for it, save that of a test for newer
servers than the one there is: older is not absent. Tests that talk to servers of
their own on this machine may open loopback sockets; the others may open none.
"""

import os
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

HINT = re.compile(r"(?P<name>.+) absent : (?P<reason>.+?) ; pour l'avoir : (?P<command>.+)")
LOOPBACK = ["127.0.0.1", "::1"]
# folders whose tests start servers of their own or speak to doubles of systems
TALKING = {
    "browser",
    "connectors",
    "contract",
    "crash",
    "integration",
    "journey",
    "mock_partners",
    "reliability",
    "security",
}
# folders whose files take long: begun first, so that no core waits for the last of them; those that
# wait (kills) beside those that compute (pages)
LONG = {
    "journey": 0,
    "reliability": 0,
    "crash": 0,
    "security": 0,
    "browser": 0,
    "contract": 1,
    "integration": 1,
}
SOCKET_MARKS = ("allow_hosts", "enable_socket", "disable_socket")


def require(name, reason, command):
    """Skip the test that asked: this machine lacks `name`; `command` brings it."""
    pytest.skip(f"{name} absent : {reason} ; pour l'avoir : {command}")


def chromium():
    """The path of Chromium, or the test is skipped."""
    named = os.environ.get("PARVIS_TEST_CHROMIUM")
    programs = [named] if named else ["chromium", "chromium-browser", "google-chrome"]
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None:
        require("Chromium", "les essais de pages", "apt-get install chromium")
    return found


def postgresql_15():
    """The folder of Debian's PostgreSQL 15 programs, or the test is skipped."""
    named = os.environ.get("PARVIS_TEST_POSTGRESQL_15", "/usr/lib/postgresql/15/bin")
    if not (Path(named) / "postgres").exists():
        require(
            "PostgreSQL 15", "les essais sur le serveur de Debian", "apt-get install postgresql-15"
        )
    return Path(named)


def is_everything_required():
    return os.environ.get("PARVIS_REQUIRE_ALL") == "1"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        parts = Path(item.path).relative_to(config.rootpath).parts
        chosen = any(item.get_closest_marker(mark) for mark in SOCKET_MARKS)
        if len(parts) > 1 and parts[1] in TALKING and not chosen:
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
    items.sort(key=lambda item: _rank(Path(item.path).relative_to(config.rootpath)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _strict((yield))


def pytest_terminal_summary(terminalreporter):
    """Say before pytest's own last line what was skipped and what brings it."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    found = {HINT.fullmatch(reason): count for reason, count in reasons.items()}
    hints = [(hint, count) for hint, count in found.items() if hint]
    if not hints:
        return
    terminalreporter.section("ce que cette machine n'a pas")
    for hint, count in hints:
        terminalreporter.write_line(
            f"{count} essais sautés, {hint['name']} est absent ({hint['reason']})."
            f" En root : {hint['command']}"
        )


def _rank(path):
    return min((LONG.get(part, 9) for part in path.parts), default=9)


def _strict(report):
    if report.skipped and is_everything_required() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"PARVIS_REQUIRE_ALL=1: {_reason(report)}"
    return report


def _reason(report):
    detail = report.longrepr
    text = detail[2] if isinstance(detail, tuple) else str(detail)
    return text.removeprefix("Skipped: ")
