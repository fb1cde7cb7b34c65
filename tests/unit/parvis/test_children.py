import itertools
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from parvis.children import Crew, Program
from schemas.errors import ConfigurationError


class Fake:
    def __init__(self, name, log=None):
        self.name = name
        self.pid = None
        self.starts = 0
        self.log = [] if log is None else log
        self.fault = None

    def start(self):
        self.starts += 1
        if self.fault:
            raise self.fault
        self.pid = 1000 + self.starts

    def ask(self):
        self.log.append(f"ask {self.name}")

    def stop(self):
        self.log.append(f"stop {self.name}")
        self.pid = None


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_child_that_dies_is_started_again_at_once_and_named():
    child, crew = Fake("web"), Crew(monotonic=Clock())
    crew.start(child)
    child.pid = None

    assert crew.mend() == ("web",)
    assert crew.pids == {"web": 1002}
    assert crew.mend() == ()


def test_a_child_that_keeps_dying_is_started_less_and_less_often():
    clock, child = Clock(), Fake("web")
    crew = Crew(monotonic=clock)
    crew.start(child)

    starts = []
    for _ in range(3000):
        child.pid = None
        if crew.mend():
            starts.append(clock.now)
        clock.now += 0.01
    pauses = [later - sooner for sooner, later in itertools.pairwise(starts)]

    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(5.0, abs=0.05)


def test_a_child_that_was_steady_is_forgiven():
    clock, child = Clock(), Fake("web")
    crew = Crew(monotonic=clock)
    crew.start(child)
    for _ in range(5):
        child.pid = None
        crew.mend()
        clock.now += 10
    clock.now += 31
    crew.mend()
    child.pid = None

    assert crew.mend() == ("web",)


def test_a_child_that_cannot_be_started_now_is_tried_again_later():
    clock, child = Clock(), Fake("postgres")
    crew = Crew(monotonic=clock)
    crew.start(child)
    child.pid, child.fault = None, ConfigurationError("busy")

    assert crew.mend() == ()
    child.fault = None
    clock.now += 6

    assert crew.mend() == ("postgres",)


def test_everything_stops_in_the_order_asked_for_then_backwards():
    log = []
    crew = Crew()
    for name in ("mocks", "postgres", "web", "worker"):
        crew.start(Fake(name, log))

    crew.stop(("worker", "mocks"), asked_first=("worker", "web"))

    assert log == [
        "ask worker",
        "ask web",
        *(f"stop {name}" for name in ("worker", "mocks", "web", "postgres")),
    ]
    assert crew.pids == {}


def test_a_child_whose_start_failed_is_stopped_as_well():
    log, child = [], Fake("postgres")
    child.log, child.fault = log, ConfigurationError("no")
    crew = Crew()

    with pytest.raises(ConfigurationError):
        crew.start(child)
    crew.stop(())

    assert log == ["stop postgres"]


def program(tmp_path, code, **more):
    return Program(
        name="child",
        command=[sys.executable, "-c", code],
        environment=lambda: {"PATH": os.environ["PATH"], "WORD": "told"},
        folder=tmp_path,
        log=tmp_path / "child.log",
        **more,
    )


def awaited(path, text):
    end = time.monotonic() + 10
    while text not in (path.read_text() if path.exists() else ""):
        assert time.monotonic() < end, path
        time.sleep(0.01)


def test_a_program_runs_in_a_session_of_its_own_and_writes_its_log(tmp_path):
    child = program(
        tmp_path,
        "import os, time; print(os.environ['WORD'], os.getsid(0) == os.getpid(), flush=True); time.sleep(60)",
    )
    child.start()
    awaited(child.log, "told True")
    pid = child.pid

    child.stop()

    assert child.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_will_not_stop_is_ended_with_its_whole_group(tmp_path):
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "print('child', child, flush=True) if child else None\n"
        "time.sleep(60)\n"
    )
    stubborn = program(tmp_path, code, patience_seconds=0.2)
    stubborn.start()
    awaited(stubborn.log, "child")
    grandchild = int(stubborn.log.read_text().split()[1])

    stubborn.stop()

    assert stubborn.pid is None
    assert_gone(grandchild)


def test_starting_again_ends_what_the_dead_one_left(tmp_path):
    code = (
        "import os, time\n"
        "child = os.fork()\n"
        "print('child', child, flush=True) if child else None\n"
        "time.sleep(60)\n"
    )
    child = program(tmp_path, code)
    child.start()
    awaited(child.log, "child")
    first, grandchild = child.pid, int(child.log.read_text().split()[1])
    os.kill(first, signal.SIGKILL)
    while child.pid is not None:
        time.sleep(0.01)

    child.start()

    assert child.pid != first
    assert_gone(grandchild)
    child.stop()


def assert_gone(pid):
    """Ended; somebody else's to bury."""
    end = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_program_started_again_after_it_was_stopped_is_asked_again_before_it_is_ended(tmp_path):
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    child = program(tmp_path, code, patience_seconds=10)
    for turn in (1, 2):
        child.start()
        awaited(child.log, turn * "ready\n")
        child.stop()
        assert child.ended_with == 7
