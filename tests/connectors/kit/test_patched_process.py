"""The same transport in a gevent-patched process, where the workers live."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.connectors.kit.raw_server import RawServer, answer

pytestmark = pytest.mark.enable_socket
ROOT = Path(__file__).parents[3]
PROGRAM = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
import gevent
from connectors.kit.adapter import LeanAdapter, Timeouts
from connectors.kit.addresses import Address
from connectors.kit.http import Call, HttpProfile, PartnerHttp
from connectors.kit.redaction import Redactor
from schemas import clock
from schemas.errors import PartnerError

port, calls, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
adapter = LeanAdapter(Address("127.0.0.1", port, allow_private=True), tls=None,
                      timeouts=Timeouts(connect=0.3, read=0.5))
shared = HttpProfile(profile="essai", base_url=adapter.origin, adapter=adapter,
                     redactor=Redactor([]), errors_by_status={})

def one(_number):
    call = Call(operation="try", key="run:1", asked_at=clock.utcnow(), log=[])
    try:
        PartnerHttp(shared, call).post(path, json={})
    except PartnerError as error:
        return type(error).__name__, error.outcome_unknown
    return "ok", False

def hangs(*_args, **_options):
    time.sleep(30)

if path == "/hanging-name":
    import socket
    socket.getaddrinfo = hangs
started = time.monotonic()
jobs = [gevent.spawn(one, number) for number in range(calls)]
gevent.joinall(jobs)
print(json.dumps({"results": [job.value for job in jobs], "took": time.monotonic() - started}))
"""


def run(port, calls, path="/x"):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(port), str(calls), path],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        timeout=25,
        check=True,
    )
    return json.loads(done.stdout)


def slow(_connection, _request):
    import time

    time.sleep(0.2)
    return answer()


def test_a_slow_system_holds_no_other_greenlet():
    with RawServer(slow).running() as server:
        seen = run(server.port, 40)
        assert seen["results"] == [["ok", False]] * 40
        assert seen["took"] < 4
        assert server.connections <= 40


def drip(server):
    def script(_connection, _request):
        import time

        for byte in answer():
            server[0].open[0].sendall(bytes([byte]))
            time.sleep(0.1)
        return b""

    return script


def test_a_dripping_answer_ends_at_the_total_deadline():
    holder = []
    with RawServer(drip(holder)).running() as server:
        holder.append(server)
        seen = run(server.port, 1)
        assert seen["results"] == [["PartnerUnavailableError", True]]
        assert 0.5 < seen["took"] < 2


def test_a_resolution_that_hangs_ends_at_the_total_deadline():
    with RawServer(lambda *_: answer()).running() as server:
        seen = run(server.port, 3, "/hanging-name")
        assert seen["results"] == [["PartnerUnavailableError", False]] * 3
        assert seen["took"] < 3
