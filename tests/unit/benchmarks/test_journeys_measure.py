from importlib import import_module

import pytest

from benchmarks import floor_work, journey_figures, journeys, report
from benchmarks.engines import STEPS, Pass
from benchmarks.lab.accounts import Account, cpu_seconds
from benchmarks.lab.herd import EngineFailedError
from benchmarks.lab.progress import Progress
from benchmarks.peers.places import HERE, PYTHON_PEERS
from orchestrator.engine.journey import Call

CPU = {
    "workers": 1.0,
    "relay": 0.1,
    "scheduler": 0.1,
    "postgres": 0.5,
    "broker": 0.3,
    "partner": 9.0,
    "intake": 9.0,
}
NAMES = {
    "ratio_camel",
    "ratio_floor",
    "ratio_threads",
    "ratio_celery",
    "ratio_dbos",
    "slow_rate",
    "cpu_ms",
    "commits",
    "wal_kb",
    "idle_p50_ms",
    "idle_p99_ms",
}


def a_pass(engine="hub", rate=1000.0):
    return Pass(
        engine=engine,
        runs=1000,
        per_second=rate,
        p50_ms=1.0,
        p99_ms=2.0,
        busy_before=0.0,
        spent=Account(cpu=CPU, commits=400, wal_bytes=5_000_000),
        extra={"intake_cpu_ms": 0.3},
    )


def test_the_partner_and_the_sender_are_no_cost_of_the_engine():
    assert a_pass().cpu_ms == pytest.approx(2.0)
    assert a_pass().commits == 0.4
    assert a_pass().wal_kb == 5.0


def test_the_figures_bear_the_promised_names():
    told = journey_figures.told_of(
        {"hub": [a_pass()], "floor": [a_pass("floor", 1250.0)]},
        {"hub": [a_pass(rate=900.0)]},
        {"hub": [4.0, 5.0, 6.0], "hub, no broker": [3.0]},
        hertz=20,
    ).figures

    assert told.keys() >= NAMES
    assert (told["ratio_floor"], told["ratio_camel"], told["slow_rate"]) == (0.8, None, 900.0)
    assert (told["idle_p50_ms"], told["idle_p99_ms"], told["idle_embedded_p50_ms"]) == (5, 6, 3)
    assert told["postgres_cpu_ms"] == 0.5


def test_every_figure_of_the_report_is_one_that_is_made():
    made = journey_figures.told_of({}, {}, {}, hertz=20).figures
    asked = {goal.figure for goal in report.GOALS if goal.measure == "journeys"}

    assert asked <= made.keys()


def test_every_round_begins_with_another_engine():
    names = ["hub", "floor", "camel"]

    assert {next(journeys.turned(names, number)) for number in range(3)} == set(names)
    assert sorted(journeys.turned(names, 1)) == sorted(names)


class Standing:
    """An engine that does nothing, and in its second round fails if told to."""

    def __init__(self, name, fails):
        self.name, self.fails, self.calls, self.herd = name, fails, [], self

    def start(self):
        self.calls.append("start")

    def stop(self):
        self.calls.append("stop")

    def hold(self):
        self.calls.append("hold")

    def warm(self, count):
        self.calls.append("warm")

    def measure(self, _size):
        if self.fails and self.calls.count("measure"):
            raise EngineFailedError(self.name)
        self.calls.append("measure")
        return a_pass(self.name)


ENGINES = ("hub", "floor", "camel", "celery", "dramatiq")


@pytest.fixture
def course():
    return journeys.Course(None, journeys.SMALL, Progress(minutes=1), rounds=3)


def standing(monkeypatch, failing):
    made = {name: Standing(name, name == failing) for name in ENGINES}
    monkeypatch.setattr(journeys, "_made", lambda name, *_args, **_options: made[name])
    return made


def test_a_peer_that_fails_is_left_out_and_the_others_go_on(monkeypatch, capsys, course):
    made = standing(monkeypatch, "camel")

    course.fast(ENGINES, ["fast"])

    counted = {name: len(ones) for name, ones in course.passes.items()}
    assert counted == {"hub": 3, "floor": 3, "camel": 1, "celery": 3, "dramatiq": 3}
    assert all(engine.calls[-1] == "stop" for engine in made.values())
    assert "camel is left out" in capsys.readouterr().err


def test_what_polls_is_held_and_what_cannot_be_held_is_started_anew(monkeypatch, course):
    made = standing(monkeypatch, None)

    course.fast(ENGINES, ["fast"])

    once = ["start", "warm", "measure", "stop"]
    assert made["dramatiq"].calls == [*once * 3, "stop"]
    assert made["celery"].calls == ["start", "warm", "hold", *["measure", "hold"] * 3, "stop"]


def test_without_the_product_or_its_floor_there_is_no_measure(monkeypatch, course):
    made = standing(monkeypatch, "floor")

    with pytest.raises(EngineFailedError):
        course.fast(ENGINES, ["fast"])

    assert all(engine.calls[-1] == "stop" for engine in made.values())


def test_what_comes_last_gets_what_is_left_of_the_time():
    assert Progress(minutes=10).share(60, least=0.4) == 1.0
    assert Progress(minutes=1).share(120, least=0.4) == pytest.approx(0.5, abs=0.1)
    assert Progress(minutes=0).share(60, least=0.4) == 0.4
    assert journeys.SMALL.of_slow("camel", 0.5) == journeys.SMALL.slow // 4


def test_an_account_is_what_was_spent_since_another():
    before = Account(cpu={"workers": 1.0}, commits=10, wal_bytes=100)
    after = Account(cpu={"workers": 3.5, "relay": 1.0}, commits=15, wal_bytes=400)

    spent = after.since(before)

    assert spent.cpu == {"workers": 2.5, "relay": 1.0}
    assert (spent.commits, spent.wal_bytes) == (5, 300)


def test_a_process_that_is_gone_has_used_nothing():
    assert cpu_seconds(2**22 + 1) == 0.0


def test_the_product_is_asked_for_the_calls_of_the_floor():
    made = import_module("benchmarks.hub.journeys.bench_three_calls")
    calls = [step for step in made.THREE_CALLS.steps if isinstance(step, Call)]

    assert tuple(step.name for step in calls) == floor_work.CALLS
    assert len(made.THREE_CALLS.steps) == STEPS


@pytest.mark.parametrize("peer", PYTHON_PEERS)
def test_a_peer_is_pinned(peer):
    wanted = (HERE / f"{peer}.txt").read_text().splitlines()

    assert wanted
    assert [line for line in wanted if "==" not in line] == []
