"""CPU of one POST through the connectors' HTTP transport, against plain http.client and requests.Session.

Usage: ``python -m benchmarks.transport [--calls 2000] [--rounds 5]``. The partner is another process on
the loopback, so only our side is counted. Figures are process CPU (user and system) per call, the best of
the rounds, which alternate so that a busy machine disturbs all alike.
"""

import argparse
import http.client
import json
import multiprocessing
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import requests

from benchmarks.lab.figures import keep
from connectors.kit.adapter import LeanAdapter, Outgoing, Timeouts
from connectors.kit.addresses import Address
from connectors.kit.http import Call, HttpProfile, PartnerHttp
from connectors.kit.redaction import Redactor
from schemas import clock

if TYPE_CHECKING:
    from schemas.receipts import Exchange

KIT = "kit (recorded, judged)"
BODY = {"surname": "Exemple", "firstname": "Camille", "library_id": "ALC", "category_id": "PREINS"}
ANSWER = json.dumps({**BODY, "patron_id": 42}).encode()
HEAD = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Date: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Length: "
    + str(len(ANSWER)).encode()
    + b"\r\n\r\n"
)


def serve(pipe: Connection) -> None:
    """Answer every request with the same bytes, one connection after another."""
    listener = socket.create_server(("127.0.0.1", 0))
    pipe.send(listener.getsockname()[1])
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        while True:
            received = client.recv(65536)
            if not received:
                break
            buffer += received
            head, found, rest = buffer.partition(b"\r\n\r\n")
            if not found:
                continue
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(rest) >= length:
                buffer = rest[length:]
                client.sendall(HEAD + ANSWER)


def contenders(port: int) -> dict[str, Callable[[], object]]:
    """Return one function per way to post the same JSON."""
    plain = http.client.HTTPConnection("127.0.0.1", port)
    session = requests.Session()
    url = f"http://127.0.0.1:{port}"
    adapter = LeanAdapter(
        Address("127.0.0.1", port, allow_private=True), tls=None, timeouts=Timeouts()
    )
    shared = HttpProfile(
        profile="bench",
        base_url=url,
        adapter=adapter,
        redactor=Redactor(["a-secret-nobody-sends"]),
        errors_by_status={},
    )

    def with_http_client() -> object:
        plain.request(
            "POST", "/patrons", body=json.dumps(BODY), headers={"Content-Type": "application/json"}
        )
        return json.loads(plain.getresponse().read())

    def with_session() -> object:
        return session.post(f"{url}/patrons", json=BODY, timeout=(3.05, 10)).json()

    def with_adapter() -> object:
        body = json.dumps(BODY).encode()
        outgoing = Outgoing("POST", f"{url}/patrons", target="/patrons", body=body)
        outgoing.headers["Content-Type"] = "application/json"
        return json.loads(adapter.send(outgoing).content)

    def with_kit() -> object:
        log: list[Exchange] = []
        call = Call(operation="bench", key="run:1", asked_at=clock.utcnow(), log=log)
        return PartnerHttp(shared, call).post("/patrons", json=BODY).fields()

    return {
        "http.client": with_http_client,
        "requests.Session": with_session,
        "adapter alone": with_adapter,
        KIT: with_kit,
    }


def cpu_per_call(post: Callable[[], object], calls: int) -> float:
    """Return the CPU microseconds of one call."""
    post()
    start = time.process_time()
    for _ in range(calls):
        post()
    return (time.process_time() - start) / calls * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    best = measured(options.calls, options.rounds)
    plain, session = best["http.client"], best["requests.Session"]
    for name, figure in best.items():
        compared = f"{figure / plain:.2f} x http.client, {figure / session:.2f} x Session"
        print(f"{name} {figure:.0f} us, {compared}")
    kit = best[KIT]
    figures = {
        "kit_us": round(kit, 1),
        "kit_to_http_client": round(kit / plain, 2),
        "kit_to_session": round(kit / session, 2),
    }
    keep("transport", {"figures": figures, "is_try": options.calls < 2000})
    print(json.dumps(figures))


def measured(calls: int, rounds: int) -> dict[str, float]:
    """Return each contender's best figure, in microseconds of processor."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name in ("http.client", "requests.Session", "adapter alone", KIT):
            figure = _alone(name, calls)
            best[name] = min(best.get(name, figure), figure)
    return best


def _alone(name: str, calls: int) -> float:
    """Measure one contender against a partner of its own."""
    ours, theirs = multiprocessing.Pipe()
    partner = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    partner.start()
    try:
        return cpu_per_call(contenders(ours.recv())[name], calls)
    finally:
        partner.terminate()
        partner.join()


if __name__ == "__main__":
    main()
