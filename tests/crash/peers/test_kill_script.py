"""The same kills for Parvis, DBOS and Celery on the same journey: ours is clean, the others are figures."""

import os
import subprocess
import sys

import pytest

from benchmarks.lab.ground import ground
from benchmarks.peers.places import python_of
from tests.crash.peers.contestants import Celery, Dbos, Parvis
from tests.crash.peers.double import Office
from tests.crash.peers.kill_script import under_kills
from tests.plugins.requirements import require
from tests.reliability.sizes import sized
from tools.rabbitmq import programs

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
]
KILLS = int(os.environ.get("PARVIS_TEST_PEER_KILLS") or 15)
EVENTS_A_KILL = 30
CALL_SECONDS = 0.1
COLUMNS = ("attempt", "acknowledged", "ok", "lost", "duplicated", "recovered", "unexpected")


@pytest.fixture(scope="module")
def servers():
    if programs() is None:
        require("RabbitMQ", "la comparaison sous pannes", "apt-get install rabbitmq-server")
    for name in ("celery", "dbos"):
        try:
            python_of(name)
        except subprocess.CalledProcessError:
            require(name, "la comparaison sous pannes", f"python -m benchmarks.peers.places {name}")
    with ground() as place:
        yield place
    place.partner.stdout.close()


def test_parvis_loses_and_doubles_nothing_where_others_are_counted(servers, seed):
    kills = sized(KILLS, least=2)
    reports = {}
    for kind in (Parvis, Dbos, Celery):
        office = Office(seconds=CALL_SECONDS)
        servers.partner_url = office.url
        contestant = kind(servers)
        try:
            reports[contestant.name] = under_kills(
                contestant, office, events=EVENTS_A_KILL * kills, kills=kills, seed=seed
            )
        finally:
            contestant.stop()
            office.close()
    sys.stdout.write(_table(reports))

    ours = reports["parvis"]
    assert ours.is_clean
    assert ours.ok == ours.acknowledged == ours.attempt
    assert ours.more["kills"] == kills
    assert ours.recovered
    assert {report.acknowledged for report in reports.values()} == {ours.acknowledged}


def _table(reports):
    """Return the reports side by side."""
    rows = [("", *COLUMNS, "asked again")]
    for name, report in reports.items():
        counts = [str(getattr(report, column)) for column in COLUMNS]
        rows.append((name, *counts, str(report.more["calls asked again"])))
    return "\n" + "\n".join("".join(f"{cell:>14}" for cell in row) for row in rows) + "\n"
