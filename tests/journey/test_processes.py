import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.journey.driver import ROOT, Demo, descendants, is_alive, until

pytestmark = [pytest.mark.journey, pytest.mark.postgres, pytest.mark.timeout(180)]
UTILITY = "utility.contract_opened.v1"


@pytest.mark.parametrize("name", ["web", "worker", "mocks", "postgres"])
def test_a_process_that_dies_is_restarted_at_the_same_address_and_demo_json_says_so(demo, name):
    before = demo.state

    old, new = demo.kill(name)

    after = demo.state
    assert old != new
    assert is_alive(new)
    assert not is_alive(old)
    assert (before["hub"], before["mocks"], before["database_url"]) == (
        after["hub"],
        after["mocks"],
        after["database_url"],
    )
    assert after["pids"][name] == new


def test_an_event_accepted_while_the_worker_is_dead_is_served_when_it_is_back(demo):
    person = demo.newcomer()
    event = demo.event(UTILITY, "13055", person)
    os.kill(demo.state["pids"]["worker"], signal.SIGKILL)

    answer = demo.post_until_answered(event)

    assert answer.status == 202
    demo.until_run(event, lambda run: run.is_waiting_for_code, "the run did not go on")
    assert len(demo.code_sent_to(person.phone)) == 1


def test_a_second_demonstration_in_the_same_folder_is_refused_with_a_sentence(demo):
    done = subprocess.run(
        [sys.executable, "-m", "parvis", "demo", "--once", "--data", str(demo.folder)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "Une démonstration tourne déjà dans" in done.stderr
    assert str(demo.process.pid) in done.stderr
    assert demo.is_ready()


def test_a_folder_that_is_somebody_elses_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")

    done = subprocess.run(
        [sys.executable, "-m", "parvis", "demo", "--fresh", "--once", "--data", str(tmp_path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "n'est pas celui d'une démonstration" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_port_that_is_taken_is_refused_with_a_sentence(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "parvis.demo", "--once", "--data", place / "d", "--port", port],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert f"Le port {port} est déjà pris" in done.stderr


@pytest.mark.timeout(400)
def test_once_again_on_the_same_folder_then_ctrl_c_then_kill_leave_no_process(place):
    """One folder through its lives: killed without a word, started again, played once, stopped."""
    first = Demo(place / "demo", "--json").start()
    assert first.wait_until_told()["ok"], first.output
    family = [*descendants(first.process.pid), first.process.pid]
    assert len(family) > 6
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(5)
    until(lambda: not any(map(is_alive, family)), "a process outlived the supervisor", 20)
    first.out.unlink()

    again = Demo(place / "demo", "--once", "--json").start()
    assert again.process.wait(90) == 0, again.output
    assert again.wait_until_told()["ok"]
    assert not (place / "demo" / "demo.json").exists()
    again.out.unlink()

    third = Demo(place / "demo").start()
    until(lambda: "Ctrl-C" in third.output, "no addresses", 90, alive=third.process)
    family = descendants(third.process.pid)
    begun = time.monotonic()
    assert third.stop(signal.SIGINT) == 0
    assert time.monotonic() - begun < 15
    assert not any(map(is_alive, family))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_while_it_starts_leaves_no_process(place, number):
    demo = Demo(place / "demo").start()
    until(lambda: len(descendants(demo.process.pid)) > 2, "nothing was started", 30)
    family = descendants(demo.process.pid)

    code = demo.stop(number)

    assert code == 0
    until(lambda: not any(map(is_alive, family)), "a process outlived the supervisor", 20)
