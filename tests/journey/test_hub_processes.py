"""Processes of a hub as they are started in production: several, one after the other, ended in order."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from orchestrator.store.locks import TIMERS, WAKER
from tests.journey.driver import descendants, is_alive
from tests.plugins.hub import until

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]
HELD = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
   AND (classid::bigint << 32 | objid::bigint) = %s"""
LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


@pytest.fixture
def facts(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda sql, *values: connection.execute(sql, values or None).fetchone()[0]


def ended(process, seconds=20):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        pytest.fail(f"still running after {seconds} s: {process.log.read_text()}")


# --- workers --------------------------------------------------------------------------------------


def test_workers_are_kept_running_and_end_together(process, facts):
    parent = process("worker", "--processes", "2", "--greenlets", "8")
    first = until(lambda: workers_of(parent, 2), "two workers")
    until(lambda: facts(HELD, WAKER) and facts(HELD, TIMERS), "a worker and its timers")

    os.kill(first[0], signal.SIGKILL)
    second = until(lambda: workers_of(parent, 2, but=first[0]), "a worker in its place")
    until(lambda: facts(HELD, WAKER) and facts(HELD, TIMERS), "a worker and its timers again")
    begun = time.monotonic()
    parent.send_signal(signal.SIGTERM)

    assert ended(parent) == 0, parent.log.read_text()
    assert time.monotonic() - begun < 10
    assert "worker.restarted" in parent.log.read_text()
    assert not any(map(is_alive, second))
    until(lambda: facts(LISTENING) == 1, "every connection closed")


def test_workers_outlive_their_parent_by_a_drain_only(process):
    parent = process("worker", "--processes", "2", "--no-timers")
    workers = until(lambda: workers_of(parent, 2), "two workers")
    until(lambda: all(map(catches_the_end, workers)), "workers that heed signals")

    os.kill(parent.pid, signal.SIGKILL)

    until(lambda: not any(map(is_alive, workers)), "their end")


def workers_of(parent, count, but=None):
    found = [pid for pid in descendants(parent.pid) if is_alive(pid) and is_worker(pid)]
    return found if len(found) == count and but not in found else None


def is_worker(pid):
    try:
        return b"parvis.worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def catches_the_end(pid):
    """Whether a process handles SIGTERM, by what the kernel says of it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (signal.SIGTERM - 1) & 1


# --- scheduler ------------------------------------------------------------------------------------


def test_a_second_scheduler_takes_over_from_a_killed_one_within_seconds(process, facts):
    first = process("scheduler")
    until(lambda: facts(HELD, TIMERS), "an active scheduler")
    second = process("scheduler")
    until(lambda: catches_the_end(second.pid), "a second one")
    facts("SELECT 1")

    first.kill()
    begun = time.monotonic()
    until(lambda: "timers.active" in second.log.read_text(), "the standby's turn", seconds=5)

    assert time.monotonic() - begun < 5
    second.send_signal(signal.SIGTERM)
    assert ended(second) == 0, second.log.read_text()
    assert facts(HELD, TIMERS) == 0


# --- web ------------------------------------------------------------------------------------------


@pytest.fixture
def web(process):
    """A web server that serves on for a second once told to stop; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = process(
        "serve", PARVIS_BIND=f"127.0.0.1:{port}", PARVIS_WEB_PROCESSES="1", PARVIS_DRAIN_SECONDS="2"
    )
    until(lambda: status(port, "/readyz") == 200, "a web server that is ready", seconds=30)
    return running, port


def status(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except OSError:
        return None
    else:
        return answer.status
    finally:
        connection.close()


def test_a_web_server_says_that_it_leaves_serves_what_comes_and_waits_for_no_idle_client(web):
    running, port = web
    idle = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    idle.request("GET", "/livez")
    assert idle.getresponse().read()
    slow = socket.create_connection(("127.0.0.1", port), timeout=20)
    slow.sendall(b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{")

    begun = time.monotonic()
    running.send_signal(signal.SIGTERM)
    until(lambda: status(port, "/readyz") == 503, "unready", seconds=2)
    late = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    late.request("GET", "/livez")
    answer = late.getresponse()

    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    time.sleep(max(0.0, begun + 2.5 - time.monotonic()))
    slow.sendall(b"}")
    assert slow.recv(200).startswith(b"HTTP/1.1 4")
    assert idle.sock.recv(1) == b""
    assert ended(running) == 0, running.log.read_text()
    assert time.monotonic() - begun < 10
    for client in (idle, late, slow):
        client.close()


def test_a_client_that_reads_nothing_and_asks_nothing_does_not_delay_the_end(web):
    running, port = web
    mute = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(5)]
    half = socket.create_connection(("127.0.0.1", port), timeout=20)
    half.sendall(b"GET /livez HT")

    begun = time.monotonic()
    running.send_signal(signal.SIGTERM)

    assert ended(running) == 0, running.log.read_text()
    assert time.monotonic() - begun < 8
    for client in (*mute, half):
        client.close()
