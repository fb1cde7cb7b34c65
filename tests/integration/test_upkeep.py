from datetime import UTC, datetime

import gevent
import pytest

from orchestrator.runtime.periodic import Beat, Periodic
from orchestrator.runtime.upkeep import Rarely
from orchestrator.services.ports.running import ServiceRef
from orchestrator.store import partitions
from orchestrator.store.exchanges import ExchangeLog
from orchestrator.store.forgetting import forget
from orchestrator.store.library import SignupTable
from schemas import clock, ids
from schemas.errors import PartnerUnavailableError
from schemas.receipts import Exchange, Receipt

pytestmark = pytest.mark.postgres


def test_this_month_and_the_next_two_get_their_partitions_once(database):
    made = partitions.make_ahead(database)
    assert len(made) == 9
    assert partitions.make_ahead(database) == []


def test_a_new_row_goes_to_its_month_and_an_old_one_to_the_default(database):
    partitions.make_ahead(database)
    old = f"{int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000):012x}"
    for row_id in (ids.uuid7(), f"{old[:8]}-{old[8:]}-7000-8000-000000000000"):
        database.run(
            "INSERT INTO message(id, source, event_id, type) VALUES (%s, 's', 'e', 't')", (row_id,)
        )
    assert database.one("SELECT count(*) AS n FROM message_default")["n"] == 1
    assert database.one("SELECT count(*) AS n FROM message")["n"] == 2


def test_a_month_whose_rows_lie_in_the_default_partition_stays_there(database):
    database.run(
        "INSERT INTO message(id, source, event_id, type) VALUES (%s, 's', 'e', 't')",
        (ids.uuid7(),),
    )
    assert not [name for name in partitions.make_ahead(database) if name.endswith(_this_month())]


def _this_month():
    return f"message_{clock.utcnow():%Y_%m}"


class Desk:
    """A gateway that keeps what it was asked."""

    def __init__(self, error=None):
        self.asked, self.error = [], error

    def call(self, service, command, log_to):
        now = clock.utcnow()
        self.asked.append(command.operation)
        log_to.append(
            Exchange(
                profile=service.profile,
                operation=command.operation,
                address="folder",
                asked_at=now,
                ended_at=now,
                outcome="ok",
            )
        )
        if self.error:
            raise self.error
        return Receipt()


@pytest.mark.parametrize("error", [None, PartnerUnavailableError("drop", "close_window")])
def test_what_a_connector_does_by_the_clock_is_done_and_logged(database, error):
    service = ServiceRef(
        id="lib", kind="library", name="L", profile="drop", connector="desk_drop", settings={}
    )
    beat = Beat(service=service, operation="close_window", every_seconds=0.05)
    desk = Desk(error)
    chore = Periodic(beats=lambda: [beat], gateway=desk, kept=ExchangeLog(database))
    chore()
    assert desk.asked == []
    gevent.sleep(0.06)
    chore()
    gevent.sleep(0.1)
    assert desk.asked == ["close_window"]
    assert database.one("SELECT operation FROM exchange")["operation"] == "close_window"


def test_a_rare_chore_is_done_at_start_and_then_at_its_pace():
    done = []
    chore = Rarely("done", lambda: len(done.append(1) or done), every_seconds=3600)
    chore()
    chore()
    assert done == [1]


def test_what_is_over_is_forgotten_and_the_rest_stays(database, vault):
    for source, days in (("old", 36), ("fresh", 34)):
        database.run(
            "INSERT INTO inbox(source, event_id, body_sha, message_id, seen_at)"
            " VALUES (%s, 'e', 'x', gen_random_uuid(), parvis_now() - make_interval(days => %s))",
            (source, days),
        )
    for day in ("interval '26 months'", "interval '24 months'"):
        database.run(
            "INSERT INTO scan_counter(placement, day, language, browser, total)"
            f" VALUES ('AB12CD34', (parvis_now() - {day})::date, 'fr', 'x', 7)"
        )
    signups = SignupTable(database=database, vault=vault)
    signups.open(b"token", placement="AB12CD34", body={"age_band": "26_64"})
    assert forget(database, vault) == 2
    database.run("UPDATE signup SET expires_at = parvis_now() - interval '1 day'")
    assert forget(database, vault) >= 1
    assert database.one("SELECT count(*) AS n FROM data_key")["n"] == 0
    assert [row["source"] for row in database.all("SELECT source FROM inbox")] == ["fresh"]
    assert database.one("SELECT count(*) AS n FROM scan_counter")["n"] == 1
