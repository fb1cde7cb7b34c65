"""The command line for people who look after runs: what it prints, what it refuses, its exit codes."""

import io
import json
import os

import gevent
import pytest

from orchestrator import journeys
from parvis.bootstrap import open_hub
from parvis.settings import Settings
from schemas import ids
from tests.integration.kept_database import database_url, kept  # noqa: F401 - fixtures
from tests.integration.test_cli import environ  # noqa: F401 - a fixture
from tests.integration.test_replays import Ward

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("environ")]


class City(Ward):
    """Runs of a journey that the program itself knows."""

    def __init__(self, database, vault):
        super().__init__(database, vault)
        names = [step.name for step in journeys.newest("library.arrival").steps]
        self.place = names.index("preregister")

    def _ours(self, run_id):
        self.database.run(
            "UPDATE run SET journey = 'library.arrival', version = %s, step = %s WHERE id = %s",
            (journeys.newest("library.arrival").version, self.place, run_id),
        )
        return run_id

    def stuck(self, *named, **error):
        return self._ours(super().stuck(*named, **error))

    def over(self, *named):
        return self._ours(super().over(*named))


@pytest.fixture
def ward(database, vault):
    return City(database, vault)


@pytest.fixture
def cli(parvis):
    def call(*words):
        return parvis(*(str(word) for word in words))

    return call


@pytest.fixture
def told(cli):
    """Calls with --json and returns what was told."""

    def call(*words):
        code, out, err = cli(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    return call


def test_runs_are_listed_and_narrowed(ward, told, cli):
    stuck, under_way = ward.stuck(), ward.arrive("e2", "s2")
    assert [line["id"] for line in told("runs", "list")] == [str(under_way), str(stuck)]
    (line,) = told("runs", "list", "--status", "stuck", "--since", "1h")
    assert (line["id"], line["error_code"], line["attempts"]) == (str(stuck), "rejected", 2)
    assert told("runs", "list", "--limit", "1")[0]["id"] == str(under_way)
    assert "en rebut (rejected)" in cli("runs", "list")[1]
    assert cli("runs", "list", "--journey", "nobody")[1] == "Aucune exécution.\n"


def test_every_attempt_and_every_act_is_shown_with_its_actor(ward, told, cli):
    run_id = ward.stuck(detail="HTTP 422")
    cli("runs", "skip", run_id, "--reason", "saisi à la main", "--yes")
    shown = told("runs", "show", run_id)
    (act,) = shown["acts"]
    assert [(row["name"], row["outcome"], row["actor"]) for row in shown["log"]] == [
        ("library", "ok", "worker"),
        ("preregister", "error", "worker"),
        ("preregister", "skipped", act["actor"]),
    ]
    assert (act["reason"], shown["ahead"][-1]) == ("saisi à la main", "activate")
    _, out, _ = cli("runs", "show", run_id)
    assert f"étape sautée par {act['actor']} (preregister) : saisi à la main" in out
    assert "PartnerRejectedError : HTTP 422" in out


def test_nothing_of_the_person_is_shown(ward, cli):
    run_id = ward.stuck()
    for words in (("runs", "list"), ("runs", "show", run_id), ("dead-letters", "list")):
        for json_too in ((), ("--json",)):
            code, out, _ = cli(*words, *json_too)
            assert (code, "s1" in out, "/partners/p" in out) == (0, False, False)


def test_a_run_put_aside_is_retried_by_the_account_of_this_machine(ward, told, database):
    run_id = ward.stuck()
    assert told("runs", "retry", run_id) == {
        "run_id": str(run_id),
        "act": "retry",
        "status": "ready",
        "new_run_id": None,
        "is_reason_kept": True,
    }
    (act,) = ward.rows.acts(run_id)
    assert act.actor.startswith("cli:")


def test_each_act_is_told_in_french(ward, cli):
    skipped = ward.stuck()
    code, out, _ = cli("runs", "skip", skipped, "--reason", "fait au guichet", "--yes")
    assert (code, "étape sautée ; en cours." in out) == (0, True)
    code, out, _ = cli("runs", "cancel", skipped, "--yes")
    assert (code, "arrêt demandé" in out) == (0, True)
    again = ward.stuck("e2", "s2")
    code, out, _ = cli("runs", "restart", again, "--yes")
    assert (code, "Nouvelle exécution : " in out) == (0, True)
    put_away = ward.stuck("e3", "s3")
    code, out, _ = cli("runs", "discard", put_away, "--reason", "doublon", "--yes")
    assert (code, "écartée ; annulation en cours." in out) == (0, True)
    over = ward.over("e4", "s4")
    code, out, _ = cli("runs", "fork", over, "--from", "1", "--same-effect", "--yes")
    assert (code, "reprise d'une étape ; abandonnée." in out) == (0, True)
    new_run_id = out.strip().rpartition(" ")[2].rstrip(".")
    assert f"Suite de l'exécution {over}." in cli("runs", "show", new_run_id)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fork", "RUN", "--from", "1", "--yes"), "exécution finie"),
        (("retry", "RUN"), "pas en rebut"),
        (("skip", "RUN", "--reason", "sans objet", "--yes"), "pas en rebut"),
        (("resume", "RUN"), "nouvelle tentative"),
        (("restart", "RUN", "--yes"), "pas finie"),
    ],
)
def test_an_act_that_does_not_fit_is_refused_and_changes_nothing(ward, cli, words, said):
    run_id = ward.arrive()
    before = ward.row(run_id)
    code, out, err = cli("runs", *(run_id if word == "RUN" else word for word in words))
    assert (code, out) == (1, "")
    assert said in err
    assert "elle est en route" in err
    assert ward.row(run_id) == before


def test_a_run_nobody_knows_is_told(cli):
    for verb in ("show", "retry", "resume"):
        code, _, err = cli("runs", verb, ids.uuid7())
        assert code == 1
        assert "Cette exécution n'existe pas." in err


def test_what_is_mistyped_is_told(cli):
    run_id = ids.uuid7()
    for words, said in (
        (("runs", "skip", run_id), "Il manque --reason : pourquoi, en quelques mots"),
        (("runs", "show", "12"), "EXÉCUTION ne convient pas"),
        (("runs", "list", "--since", "hier"), "une durée s'écrit 90min, 12h ou 3d"),
        (("runs", "list", "--status", "lost"), "--status ne convient pas : ready, waiting_timer"),
        (("replay", "plan", "--rate", "0"), "--rate ne convient pas : de 1 à 200."),
        (("journeys", "show", "library.arrival", "--version", "0"), "un nombre à partir de 1"),
        (
            ("journeys", "diagram", "library.arrival", "--output", "/no/x"),
            "« /no/x » ne s'écrit pas",
        ),
        (("journeys", "check", "--save", "/no/x"), "« /no/x » ne s'écrit pas"),
        (("replay",), "Met un rejeu en marche"),
        (("tasks", "decide", run_id), "Il manque DÉCISION"),
    ):
        code, _, err = cli(*words)
        assert (code, said in err) == (2, True), err


def test_a_reason_with_a_person_in_it_is_refused(ward, cli):
    run_id = ward.stuck()
    code, _, err = cli("runs", "skip", run_id, "--reason", "voir anne@example.org", "--yes")
    assert code == 1
    assert "ni adresse ni numéro" in err
    assert "anne" not in err
    assert ward.row(run_id)["status"] == "stuck"


def test_nothing_is_done_before_somebody_agreed(ward, cli, monkeypatch):
    run_id = ward.stuck()
    for words in (
        ("runs", "discard", run_id, "--reason", "doublon"),
        ("runs", "restart", run_id),
        ("dead-letters", "retry", ward.letters.failures()[0].fingerprint),
    ):
        monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
        assert cli(*words)[0] == 130
    assert ward.row(run_id)["status"] == "stuck"
    assert ward.replays.latest() == []


def test_a_group_is_counted_then_replayed(ward, told, cli):
    ward.many(3)
    (group,) = told("dead-letters", "list")
    assert (group["runs"], group["step"], group["detail"]) == (3, "preregister", "HTTP 422")
    fingerprint = group["fingerprint"]
    assert len(told("dead-letters", "show", fingerprint)["run_ids"]) == 3
    assert told("dead-letters", "retry", fingerprint, "--dry-run")["runs"] == 3
    assert ward.replays.latest() == []
    begun = told("dead-letters", "retry", fingerprint, "--rate", "5", "--yes")
    assert (begun["total"], begun["rate"]) == (3, 5)
    assert ward.replays.advance() == 3
    status = told("replay", "status", begun["replay_id"])
    assert (status["state"], status["done"]) == ("done", 3)
    _, out, _ = cli("replay", "status", begun["replay_id"])
    assert "fini : relancer 3 exécutions ; faites 3, laissées 0, à faire 0" in out
    assert cli("dead-letters", "list")[1] == "Aucun rebut.\n"


def test_a_group_is_put_away_with_a_reason(ward, told):
    ward.many(2, step=0, name="library")
    fingerprint = ward.letters.failures()[0].fingerprint
    told("dead-letters", "discard", fingerprint, "--reason", "essai du prestataire", "--yes")
    ward.replays.advance()
    assert ward.statuses() == {"failed": 2}


def test_messages_without_a_run_are_put_away(ward, told, cli, database):
    database.run(
        "INSERT INTO dead_letter(id, source, reason, detail) VALUES (%s, 'broker', 'rejected', '{}')",
        (ids.uuid7(),),
    )
    fingerprint = ward.letters.letters()[0].fingerprint
    assert "message de broker : rejected" in cli("dead-letters", "show", fingerprint)[1]
    code, _, err = cli("dead-letters", "retry", fingerprint, "--yes")
    assert (code, "qu'être écartés" in err) == (1, True)
    closed = told("dead-letters", "discard", fingerprint, "--reason", "essai", "--yes")
    assert closed == {"closed": 1}


def test_a_replay_is_planned_started_once_stopped_and_told(ward, told, cli):
    ward.many(4)
    planned = told("replay", "plan", "--step", "preregister", "--rate", "2")
    assert (planned["state"], planned["total"]) == ("planned", 4)
    replay_id = planned["id"]
    assert told("replay", "start", replay_id, "--yes")["state"] == "running"
    code, out, _ = cli("replay", "start", replay_id)
    assert (code, "rien n'a changé" in out) == (0, True)
    ward.replays.advance()
    stopped = told("replay", "stop", replay_id)
    assert (stopped["state"], stopped["done"], stopped["pending"]) == ("stopped", 2, 2)
    assert cli("replay", "stop", replay_id)[0] == 1
    assert [each["id"] for each in told("replay", "status")] == [replay_id]


def test_a_replay_of_nothing_is_refused(ward, cli):
    code, _, err = cli("replay", "plan", "--step", "nowhere")
    assert code == 1
    assert "Rien ne correspond" in err
    assert cli("replay", "status")[1] == "Aucun rejeu.\n"
    assert cli("replay", "start", ids.uuid7(), "--yes")[0] == 1


def test_a_decision_is_given_once(ward, told, cli, database):
    run_id = ward.arrive()
    database.run(
        "UPDATE run SET status = 'waiting_human', waiting_for = 'decision:check' WHERE id = %s",
        (run_id,),
    )
    task_id = ids.uuid7()
    database.run(
        "INSERT INTO human_task(id, run_id, step, kind, question, decisions)"
        " VALUES (%s, %s, 'check', 'decision', 'same_person', '{yes,no}')",
        (task_id, run_id),
    )
    (task,) = told("tasks", "list")
    assert (task["id"], task["decisions"]) == (str(task_id), ["yes", "no"])
    assert "réponses : yes, no" in cli("tasks", "list")[1]
    code, _, err = cli("tasks", "decide", task_id, "perhaps")
    assert (code, "yes, no" in err) == (1, True)
    assert told("tasks", "decide", task_id, "yes")["decision"] == "yes"
    assert ward.row(run_id)["status"] == "ready"
    code, _, err = cli("tasks", "decide", task_id, "no")
    assert (code, "déjà tranchée : « yes » par cli:" in err) == (1, True)
    assert cli("tasks", "list")[1] == "Aucune décision n'est attendue.\n"
    assert cli("tasks", "decide", ids.uuid7(), "yes")[0] == 1


def test_a_task_that_only_an_act_settles_says_so(ward, cli, database):
    run_id, task_id = ward.stuck(), ids.uuid7()
    database.run(
        "INSERT INTO human_task(id, run_id, step, kind, question, decisions)"
        " VALUES (%s, %s, 'preregister:undo', 'undo_failed', 'undo_failed', '{}')",
        (task_id, run_id),
    )
    code, _, err = cli("tasks", "decide", task_id, "yes")
    assert (code, "parvis runs retry" in err) == (1, True)
    assert "l'annulation a échoué" in cli("tasks", "list")[1]


def test_the_process_that_holds_the_timers_moves_replays(ward):
    for number in range(3):
        ward.stuck(f"e{number}", f"s{number}")
    ward.many(1)  # of a journey that this program does not know
    replay_id = ward.begun()
    hub = open_hub(Settings.read(os.environ))
    timers = gevent.spawn(hub.timers.run)
    with gevent.Timeout(10):
        while ward.replays.state(replay_id).state != "done":
            gevent.sleep(0.05)
    hub.timers.stop()
    timers.join(timeout=5)
    hub.database.close()
    state = ward.replays.state(replay_id)
    assert (state.done, list(state.skipped.values())) == (3, [1])
    assert timers.successful()


def test_who_says_yes_in_french_is_heard_and_the_answer_stays_alone(ward, cli, monkeypatch):
    run_id = ward.stuck()
    monkeypatch.setattr("sys.stdin", io.StringIO("oui\n"))
    code, out, err = cli("runs", "discard", run_id, "--reason", "doublon", "--json")
    assert (code, json.loads(out)["act"]) == (0, "discard")
    assert "Écarter cette exécution ? [o/N]" in err


def test_moments_are_told_to_programs_as_rfc_3339(ward, told):
    ward.stuck()
    (line,) = told("runs", "list")
    assert line["created_at"].endswith("Z")
    assert "T" in line["created_at"]


@pytest.mark.parametrize(
    ("waiting_for", "said"),
    [("timer:rest", "en pause"), ("system:koha", "attend le système koha"), (None, "tentative")],
)
def test_a_run_that_waits_for_an_hour_says_which(ward, cli, database, waiting_for, said):
    run_id = ward.arrive()
    database.run(
        "UPDATE run SET status = 'waiting_timer', waiting_for = %s WHERE id = %s",
        (waiting_for, run_id),
    )
    assert said in cli("runs", "list")[1]
