import json
import re
from datetime import timedelta

import pytest

from orchestrator import journeys
from orchestrator.engine.journey import Done, End, Journey, Local, Wait
from orchestrator.runtime.replaying import divergences
from orchestrator.services.journey_moves import JourneyMoves, Wanted
from orchestrator.store.notifier import Notifier
from orchestrator.store.versions import VersionTable
from schemas import clock, ids

pytestmark = pytest.mark.postgres


def by_subject(source, subject):
    return f"{source} {subject}"


def local(name):
    return Local(name, lambda _context: Done())


WAIT = Wait("go", timeout=timedelta(days=1), otherwise=End("expired"))
FIRST = local("first")
OLD = Journey(name="j", version=1, starts_on=(), key=by_subject, steps=(FIRST, WAIT))
SAME = Journey(name="j", version=2, starts_on=(), key=by_subject, steps=(local("new"), FIRST, WAIT))
OTHER = Journey(
    name="j",
    version=3,
    starts_on=(),
    key=by_subject,
    steps=(FIRST, Wait("go", timeout=timedelta(days=9), otherwise=End("expired"))),
)
KNOWN = {(it.name, it.version): it for it in (OLD, SAME, OTHER)}


@pytest.fixture
def versions(database):
    return VersionTable(database, Notifier(database))


@pytest.fixture
def moves(versions):
    return JourneyMoves(rows=versions, journeys=KNOWN)


@pytest.fixture
def run(database):
    """A run of the old version that waits after its first step; its id."""

    def make(status="waiting_signal", *, step=1, key=None, ended_at=None):
        run_id = ids.uuid7()
        database.run(
            "INSERT INTO run(id, journey, version, key, status, step, seq, fence, waiting_for,"
            " wake_at, lease_until, ended_at) VALUES (%s, 'j', 1, %s, %s, %s, %s, 5, 'go',"
            " parvis_now() + interval '1 h', parvis_now(), %s)",
            (run_id, key or str(run_id), status, step, step, ended_at),
        )
        for seq in range(1, step + 1):
            database.run(
                "INSERT INTO step(run_id, seq, name, outcome, actor, started_at, ended_at)"
                " VALUES (%s, %s, %s, 'ok', 'worker', parvis_now(), parvis_now())",
                (run_id, seq, OLD.steps[seq - 1].name),
            )
        return run_id

    return make


def row_of(database, run_id):
    return database.one("SELECT * FROM run WHERE id = %s", (run_id,))


def wakes(database):
    return [row["key"] for row in database.all("SELECT key FROM outbox WHERE topic = 'wake'")]


def test_a_run_that_waits_for_the_same_thing_there_goes_on_waiting(moves, run, database, versions):
    run_id = run()
    before = row_of(database, run_id)

    assert moves.move(Wanted(journey="j", old=1, new=2), actor="cli:test").moved == 1

    after = row_of(database, run_id)
    assert (after["version"], after["step"], after["status"]) == (2, 2, "waiting_signal")
    assert (after["waiting_for"], after["wake_at"]) == ("go", before["wake_at"])
    assert (after["fence"], after["seq"]) == (6, 2)
    assert wakes(database) == []
    said = database.one("SELECT * FROM step WHERE run_id = %s AND name = 'journey'", (run_id,))
    assert (said["actor"], said["cause"], said["outcome"]) == (
        "cli:test",
        "moved: v1/1 > v2/2",
        "deferred",
    )
    logs = versions.logs(journey="j", ended_since=None, after=None, most=10)
    assert list(divergences(logs, lambda name, version: KNOWN.get((name, version)))) == []


def test_a_run_whose_wait_changes_looks_at_it_anew_and_one_put_aside_stays(moves, run, database):
    run_id, aside = run(), run("stuck", step=0)

    moves.move(Wanted(journey="j", old=1, new=3), actor="x")

    after = row_of(database, run_id)
    assert (after["version"], after["status"]) == (3, "ready")
    assert (after["waiting_for"], after["wake_at"]) == (None, None)
    assert after["lease_until"] > clock.utcnow()
    assert (row_of(database, aside)["version"], row_of(database, aside)["status"]) == (3, "stuck")
    assert wakes(database) == [run_id]


def test_what_moved_meanwhile_is_left_alone(versions, moves, run, database):
    run_id = run()
    (planned,) = moves.plan(Wanted(journey="j", old=1, new=2))
    database.run("UPDATE run SET fence = fence + 1 WHERE id = %s", (run_id,))

    overtaken = JourneyMoves(rows=Frozen(versions, [planned.run]), journeys=KNOWN)

    done = overtaken.move(Wanted(journey="j", old=1, new=2), actor="x")
    assert [it.id for it in done.overtaken] == [run_id]
    assert row_of(database, run_id)["version"] == 1
    assert database.one("SELECT count(*) AS n FROM step WHERE name = 'journey'")["n"] == 0


class Frozen:
    """The rows as they were read before somebody else wrote."""

    def __init__(self, versions, runs):
        self.move, self._runs = versions.move, runs

    def runs_at(self, _journey, _version, *, after, most):
        return [] if after else self._runs


def test_a_run_under_way_in_a_worker_is_never_moved(moves, run, database):
    made = [run("ready"), run("compensating")]

    done = moves.move(Wanted(journey="j", old=1, new=2), actor="x")

    assert (done.moved, len(done.stayed)) == (0, 2)
    assert [row_of(database, run_id)["version"] for run_id in made] == [1, 1]


def test_runs_are_counted_by_version_and_those_that_ended_are_not(versions, run):
    run()
    run()
    run("stuck")
    run("done", ended_at=clock.utcnow())

    counted = {(it.version, it.status): it.total for it in versions.under_way()}

    assert counted == {(1, "waiting_signal"): 2, (1, "stuck"): 1}


def test_logs_come_by_page_and_with_the_ended_ones_when_asked(versions, run):
    made = [run(), run(), run("done", step=2, ended_at=clock.utcnow() - timedelta(days=2))]
    first = versions.logs(journey="j", ended_since=None, after=None, most=1)
    second = versions.logs(journey="j", ended_since=None, after=first[0].run.id, most=10)
    since = clock.utcnow() - timedelta(days=3)
    every = versions.logs(journey=None, ended_since=since, after=None, most=10)

    assert [log.run.id for log in (*first, *second)] == made[:2]
    assert [log.run.id for log in every] == made
    assert [row.name for row in every[2].rows] == ["first", "wait_go"]


# --- the command line -----------------------------------------------------------------------------


@pytest.fixture
def arrived(database):
    """A run of a journey of this code, waiting for its code."""
    run_id, steps = ids.uuid7(), journeys.journey_for("library.arrival", 1).steps[:5]
    database.run(
        "INSERT INTO run(id, journey, version, key, status, step, seq, waiting_for)"
        " VALUES (%s, 'library.arrival', 1, 'k', 'waiting_signal', 5, 5, 'access_code.redeemed')",
        (run_id,),
    )
    for seq, step in enumerate(steps, 1):
        database.run(
            "INSERT INTO step(run_id, seq, name, outcome, actor, started_at, ended_at)"
            " VALUES (%s, %s, %s, 'ok', 'worker', parvis_now(), parvis_now())",
            (run_id, seq, step.name),
        )
    return run_id


def test_versions_are_listed_and_an_unknown_one_is_said(hub_environment, parvis, arrived, database):
    code, out, _ = parvis("journeys", "list")
    assert code == 0
    assert "library.arrival v1 (en vigueur)" in out
    assert "1 en cours (en attente 1)" in out
    database.run("UPDATE run SET version = 9")
    code, out, _ = parvis("journeys", "list", "--json")
    assert code == 1
    assert {"version": 9, "digest": None}.items() <= json.loads(out)[-2].items()


def test_a_journey_is_shown_and_drawn(parvis, tmp_path):
    code, out, _ = parvis("journeys", "show", "library.arrival")
    assert code == 0
    assert "5. preregister — appel d'un logiciel" in out
    assert parvis("journeys", "diagram", "library.arrival")[1].startswith("flowchart TD")
    drawing = tmp_path / "arrival.svg"
    assert (
        parvis("journeys", "diagram", "--svg", "--output", str(drawing), "library.arrival")[0] == 0
    )
    assert drawing.read_text().startswith("<svg")
    code, _, err = parvis("journeys", "show", "library.departure")
    assert code == 1
    assert "library.arrival" in err


def test_stored_logs_fit_this_code_until_a_step_has_another_name(
    hub_environment, parvis, arrived, database, tmp_path
):
    kept = tmp_path / "logs.jsonl"
    database.run(
        "INSERT INTO step(run_id, seq, name, outcome, cause, actor, started_at, ended_at) VALUES"
        " (%s, 6, 'resume', 'deferred', 'resume: Zébulon called', 'cli:zoe', parvis_now(), parvis_now())",
        (arrived,),
    )
    code, out, _ = parvis("journeys", "check", "--save", str(kept))
    assert (code, out) == (0, "1 journaux rejoués, 0 divergences.\n")
    assert not {"zoe", "called"} & set(re.findall(r"\w+", kept.read_text()))
    database.run("UPDATE step SET name = 'choose_library' WHERE name = 'library'")
    code, out, _ = parvis("journeys", "check")
    assert code == 1
    assert "position 1 : le journal dit « choose_library », ce code dit « library »" in out
    assert parvis("journeys", "check", "--from", str(kept))[0] == 0
    kept.write_text(kept.read_text().replace('"library"', '"choose_library"'))
    code, out, _ = parvis("journeys", "check", "--json", "--from", str(kept))
    told = json.loads(out)
    assert (code, told["checked"], told["divergences"][0]["position"]) == (1, 1, 1)
    before = kept.read_bytes()
    code, _, err = parvis("journeys", "check", "--from", str(kept), "--save", str(kept))
    assert (code, kept.read_bytes()) == (2, before)
    assert "--from" in err


@pytest.mark.parametrize("line", [b"{}", b"[]", b'"\xff"', b'{"run": {"id": 1}, "ended_at": null}'])
def test_a_file_that_holds_no_logs_is_refused_with_its_line(
    hub_environment, parvis, tmp_path, line
):
    kept = tmp_path / "logs.jsonl"
    kept.write_bytes(line + b"\n")
    code, _, err = parvis("journeys", "check", "--from", str(kept))
    assert code == 1
    assert "ligne 1" in err


def test_a_migration_nobody_can_mean_is_refused(hub_environment, parvis, arrived, database):
    code, _, err = parvis("journeys", "migrate", "library.arrival", "--from", "1", "--to", "2")
    assert code == 1
    assert "library.arrival v2" in err
    code, _, err = parvis("journeys", "migrate", "library.arrival", "--from", "1", "--to", "1")
    assert code == 1
    assert "la même" in err
    code, _, err = parvis("journeys", "migrate", "j", "--from", "1", "--to", "2", "--map", "a")
    assert code == 2
    assert "--map ne convient pas : écrivez ancienne=nouvelle" in err
    assert database.one("SELECT version, fence FROM run") == {"version": 1, "fence": 0}


def test_the_steps_that_may_have_acted_are_told_with_a_run(versions, run, database):
    run_id = run("stuck")
    for seq, (name, outcome, cause, kind) in enumerate(
        (
            ("sure", "error", None, "PartnerRejectedError"),
            ("lost", "unknown", None, "PartnerUnavailableError"),
            ("repeated", "error", "in_doubt", "PartnerRejectedError"),
            ("children", "error", None, "RunError"),
        ),
        2,
    ):
        database.run(
            "INSERT INTO step(run_id, seq, name, outcome, cause, error, started_at, ended_at)"
            " VALUES (%s, %s, %s, %s, %s, jsonb_build_object('class', %s::text), parvis_now(), parvis_now())",
            (run_id, seq, name, outcome, cause, kind),
        )
    (found,) = versions.runs_at("j", 1, after=None, most=9)
    assert sorted(found.doubts) == ["children", "lost", "repeated"]
