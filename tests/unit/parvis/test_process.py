import os
import signal
import subprocess
import sys
import time

import psycopg.waiting
import pytest

from parvis.process import COOPERATION_FAILED, run_loops
from tests.plugins.hub import ROOT

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys, time
from types import SimpleNamespace
import gevent
from gevent.event import Event
from parvis.process import Loop, _until_stopped

hub = SimpleNamespace(
    committer=SimpleNamespace(rest=lambda seconds: print("written", flush=True)),
    reader=SimpleNamespace(rest=lambda seconds: print("read", flush=True)),
    database=SimpleNamespace(close=lambda: print("closed", flush=True)),
)
stopped = Event()

def run():
    print("running", flush=True)
    {run}
    stopped.wait()
    print("drained", flush=True)

def stop():
    {stop}
    stopped.set()

sys.exit(_until_stopped(hub, [Loop(name="work", run=run, stop=stop)]))
"""


@pytest.fixture
def process():
    started = []

    def start(run="pass", stop="pass"):
        program = PROGRAM.format(run=run, stop=stop)
        running = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(running)
        assert running.stdout.readline() == "running\n"
        return running

    yield start
    for running in started:
        running.kill()
        running.wait()
        running.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_told_to_stop_finishes_what_it_has_in_hand(process, number):
    running = process(stop="gevent.sleep(0.3)")

    os.kill(running.pid, number)

    assert running.wait(10) == 0
    assert running.stdout.read() == "drained\nwritten\nread\nclosed\n"


def test_a_process_whose_work_dies_of_a_bug_ends_for_its_parent_to_see(process):
    running = process(run="gevent.sleep(0.1); 1 / 0")

    assert running.wait(10) == 1


def test_a_process_whose_work_ends_by_itself_ends_for_its_parent_to_see(process):
    running = process(run="return")

    assert running.wait(10) == 1


def test_a_process_whose_committer_died_ends_at_once_whatever_hangs(process):
    running = process(
        run="gevent.spawn_later(0.1, lambda: hub.committer.on_death())", stop="gevent.sleep(60)"
    )
    begun = time.monotonic()

    assert running.wait(10) == 1
    assert time.monotonic() - begun < 8


def test_a_process_that_was_patched_too_late_does_not_begin(monkeypatch, capsys):
    monkeypatch.setattr(psycopg.waiting, "wait_c", psycopg.waiting.wait, raising=False)
    assert run_loops(lambda _hub: []) == COOPERATION_FAILED
    assert "too late" in capsys.readouterr().err
