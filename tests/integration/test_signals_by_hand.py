"""Signals that people give: heard once, by runs that wait and by those that will, with who and why."""

import io
import json

import pytest

from orchestrator import journeys
from orchestrator.engine.journey import Done, End, Local, Wait
from orchestrator.services.ports.signals import HandSignal
from orchestrator.services.signals import SignalsByHand
from orchestrator.store.operations import RunActTable
from orchestrator.store.signalling import HandSignalTable
from schemas import ids
from schemas.errors import RunErasedError, RunStateError
from tests.fakes.running import LONG, Ground, journey
from tests.integration.test_cli import environ  # noqa: F401 - a fixture

pytestmark = pytest.mark.postgres
WAITS = journey(
    Wait("paid", timeout=LONG, otherwise=End("expired")),
    Wait("moved", timeout=LONG, otherwise=End("expired")),
    Local("last", lambda _context: Done()),
)


class Counter(Ground):
    """Runs that wait, and somebody who tells them."""

    def __init__(self, database, vault, hub_keys):
        super().__init__(database, vault, hub_keys)
        self.knows(WAITS)
        self.hands = HandSignalTable(database, vault, self.notifier)
        self.acts = RunActTable(database, vault, self.notifier)
        self.by_hand = SignalsByHand(
            rows=self.runs,
            hands=self.hands,
            journeys=lambda name, version: self.journeys.get((name, version)),
        )

    def give(self, run_id, name="paid", *, dedup="1", **members):
        given = {"actor": "cli:ana", "reason": "virement vu", **members}
        return self.by_hand.give(run_id, HandSignal(name=name, dedup=dedup, **given))

    def told(self, run_id):
        acts = self.acts.acts(run_id)
        return [(act.name, act.cause, act.actor, act.reason) for act in acts]

    def stored(self):
        return self.database.all("SELECT name, dedup FROM signal ORDER BY id")


@pytest.fixture
def ground(database, vault, hub_keys):
    return Counter(database, vault, hub_keys)


def test_a_run_that_waits_goes_on_by_what_a_person_told_it(ground):
    run_id = ground.start(WAITS)
    heard = ground.give(run_id, payload={"amount": "invented"})
    assert (heard.status, heard.is_new, heard.is_reason_kept) == ("ready", True, True)
    kept = ground.one("SELECT s.output, g.payload FROM step s, signal g WHERE s.actor = 'cli:ana'")
    assert b"virement" not in kept["output"]
    assert b"invented" not in kept["payload"]
    ground.go()
    assert ground.run(run_id).outputs()["wait_paid"] == {"amount": "invented"}
    assert ground.run(run_id).waiting_for == "moved"
    assert ground.told(run_id) == [("paid:signal", "signal", "cli:ana", "virement vu")]


def test_what_is_told_early_is_heard_when_its_step_comes(ground):
    run_id = ground.start(WAITS)
    assert ground.give(run_id, "moved", dedup="early").status == "waiting_signal"
    ground.go()
    assert ground.run(run_id).waiting_for == "paid"
    ground.give(run_id)
    ground.go()
    assert ground.state(run_id) == ("done", None)
    assert [name for name, *_ in ground.told(run_id)] == ["moved:signal", "paid:signal"]


def test_the_same_key_twice_is_one_signal_and_one_row(ground):
    run_id = ground.start(WAITS)
    assert ground.give(run_id).is_new
    again = ground.give(run_id, actor="cli:bob")
    assert (again.is_new, again.status) == (False, "ready")
    assert [row["name"] for row in ground.stored()] == ["paid"]
    assert [actor for _, _, actor, _ in ground.told(run_id)] == ["cli:ana"]
    assert ground.run(run_id).signals == 1
    with pytest.raises(RunStateError, match="déjà servi à donner « paid »"):
        ground.give(run_id, "moved")
    assert len(ground.stored()) == 1


def test_no_key_of_a_person_hides_what_a_program_tells(ground):
    run_id = ground.start(WAITS)
    ground.give(run_id, "moved", dedup="e1")
    ground.runs.signal(run_id, "paid", dedup="e1")
    assert [row["name"] for row in ground.stored()] == ["moved", "paid"]
    ground.go()
    assert ground.state(run_id) == ("done", None)


def test_a_run_in_a_workers_hands_keeps_its_fence_and_both_rows(ground):
    run_id = ground.arrive(WAITS)
    before = ground.run(run_id)
    assert ground.give(run_id).status == "ready"
    assert ground.run(run_id).fence == before.fence
    ground.go()
    assert ground.run(run_id).waiting_for == "moved"
    assert ("wait_paid", "ok") in ground.log(run_id)
    assert len(ground.told(run_id)) == 1


def test_what_is_never_awaited_and_a_run_that_is_over_are_refused_and_nothing_changes(ground):
    run_id = ground.start(WAITS)
    with pytest.raises(RunStateError, match=r"n.attend « booked »"):
        ground.give(run_id, "booked")
    ground.database.run("UPDATE run SET status = 'done', ended_at = parvis_now()")
    with pytest.raises(RunStateError, match="terminée"):
        ground.give(run_id)
    given = HandSignal(name="paid", dedup="1", actor="cli:ana", reason="virement vu")
    assert ground.hands.give(run_id, given) is None  # as of a run that ended meanwhile
    assert ground.hands.give(ids.uuid7(), given) is None
    assert (ground.stored(), ground.told(run_id)) == ([], [])


def test_a_run_whose_key_is_gone_keeps_no_reason_and_takes_nothing_along(ground):
    run_id = ground.start(WAITS)
    ground.database.run("DELETE FROM data_key")
    with pytest.raises(RunErasedError):
        ground.give(run_id, payload={"amount": "invented"})
    assert ground.stored() == []
    heard = ground.give(run_id)
    assert (heard.is_new, heard.is_reason_kept) == (True, False)
    assert ground.told(run_id) == [("paid:signal", "signal", "cli:ana", None)]
    assert "virement" not in str(ground.database.all("SELECT * FROM step"))


# --- from the command line ------------------------------------------------------------------------


@pytest.fixture
def arrival(environ, ground):  # noqa: F811 - the fixture
    run_id = ground.start(WAITS)
    ground.database.run(
        "UPDATE run SET journey = 'library.arrival', version = %s, waiting_for = %s, message_id = NULL"
        " WHERE id = %s",
        (journeys.newest("library.arrival").version, "access_code.redeemed", run_id),
    )
    return run_id


def signal(parvis, run_id, *words, name="access_code.redeemed"):
    reason = ("--reason", "code lu au guichet")
    return parvis("runs", "signal", str(run_id), name, *reason, *words)


def test_a_signal_is_given_once_from_the_command_line_and_its_key_is_told(arrival, ground, parvis):
    code, out, err = signal(parvis, arrival, "--yes")
    assert (code, "signal donné ; en cours." in out) == (0, True), err
    key = out.strip().rpartition("Clé : ")[2].rstrip(".")
    code, out, _ = signal(parvis, arrival, "--dedup", key, "--yes")
    assert (code, f"déjà donné sous la clé {key}, rien n'a changé" in out) == (0, True)
    assert [row["dedup"] for row in ground.stored()] == [f"hand:{key}"]
    shown = parvis("runs", "show", str(arrival))[1]
    assert shown.count("signal donné par cli:") == 1
    assert "(access_code.redeemed:signal) : code lu au guichet" in shown


def test_what_a_file_brings_is_kept_and_what_it_cannot_be_is_told(
    arrival, ground, parvis, tmp_path
):
    brought = tmp_path / "brought.json"
    for content in ('["invented"]', "invented", '{"a": "' + "x" * 65_536 + '"}'):
        brought.write_text(content)
        code, out, err = signal(parvis, arrival, "--payload-file", str(brought), "--yes")
        assert (code, out) == (2, "")
        assert "un objet JSON de 64 Kio au plus" in err
        assert "invented" not in err
    assert ground.stored() == []
    brought.write_text('{"desk": "invented"}')
    code, out, _ = signal(
        parvis, arrival, "--payload-file", str(brought), "--dedup", "k1", "--yes", "--json"
    )
    assert (code, json.loads(out)) == (
        0,
        {
            "run_id": str(arrival),
            "act": "signal",
            "signal": "access_code.redeemed",
            "dedup": "k1",
            "status": "ready",
            "is_new": True,
            "is_reason_kept": True,
        },
    )
    (pending,) = ground.run(arrival).pending
    assert pending.payload == {"desk": "invented"}


def test_the_command_refuses_what_nobody_hears_and_who_did_not_agree(
    arrival, ground, parvis, monkeypatch
):
    refusals = (
        (signal(parvis, arrival, "--yes", name="card.printed"), "n'attend « card.printed »"),
        (signal(parvis, ids.uuid7(), "--yes"), "Cette exécution n'existe pas."),
        (signal(parvis, arrival, "--dedup", "ana@example.org", "--yes"), "Une clé tient en"),
    )
    for (code, out, err), said in refusals:
        assert (code, out, said in err) == (1, "", True), err
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert signal(parvis, arrival)[0] == 130
    ground.database.run("UPDATE run SET status = 'done', ended_at = parvis_now()")
    code, _, err = signal(parvis, arrival, "--yes")
    assert (code, "terminée" in err) == (1, True)
    assert ground.stored() == []


def test_the_command_says_that_a_reason_is_not_kept(arrival, ground, parvis):
    ground.database.run("DELETE FROM data_key")
    code, out, _ = signal(parvis, arrival, "--yes")
    assert (code, "Le motif n'est pas gardé" in out) == (0, True)
    code, out, _ = parvis("runs", "cancel", str(arrival), "--reason", "doublon", "--yes")
    assert (code, "Le motif n'est pas gardé" in out) == (0, True)
    code, out, _ = parvis("runs", "show", str(arrival))
    assert (code, "doublon" in out, "code lu" in out) == (0, False, False)
