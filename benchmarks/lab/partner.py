"""The partner of every measure: answers any request with the same JSON, at once or after a while.

Raw epoll in one process, because a framework would cost more than the engines it serves. The first
segment of the path names a system: ``fast`` and any unknown name answer at once, ``slow`` after
200 ms. ``PUT /_delay/NAME/MILLISECONDS`` changes one, ``GET /_figures`` tells calls in flight now
and, since the last time it was asked, how many there were and the most in flight, per system.

``python -m benchmarks.lab.partner`` prints the port it listens on.
"""

import heapq
import itertools
import json
import select
import socket
import sys
import time
from collections import Counter
from typing import Final

ANSWER: Final = b'{"id":"r-1","status":"created","access_code":"A7K9QX"}'
HEAD: Final = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
CREATED: Final = HEAD % (201, b"Created", len(ANSWER)) + ANSWER
SLOW_SECONDS: Final = 0.2


class Partner:
    """Serves until it is killed."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.settimeout(0)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._received: dict[int, bytes] = {}
        self._delays: dict[bytes, float] = {b"slow": SLOW_SECONDS}
        self._due: list[tuple[float, int, socket.socket, bytes]] = []
        self._order = itertools.count()
        self._calls: Counter[str] = Counter()
        self._in_flight: Counter[bytes] = Counter()
        self._most: Counter[str] = Counter()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Answer for ever."""
        listening = self._listener.fileno()
        while True:
            for descriptor, _ in self._poll.poll(self._patience()):
                if descriptor == listening:
                    self._accept()
                else:
                    self._read(descriptor)
            if self._due:
                self._answer_due()

    def _patience(self) -> float:
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else 3600.0

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except BlockingIOError:
                return
            client.settimeout(0)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients[client.fileno()] = client
            self._received[client.fileno()] = b""
            self._poll.register(client, select.EPOLLIN)

    def _read(self, descriptor: int) -> None:
        client = self._clients.get(descriptor)
        if client is None:
            return  # hung up on in this very round
        try:
            received = client.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._forget(client, descriptor)
            return
        rest = self._served(client, self._received[descriptor] + received)
        if descriptor in self._clients:
            self._received[descriptor] = rest

    def _served(self, client: socket.socket, whole: bytes) -> bytes:
        """Serve the requests that are whole; returns what is left."""
        while True:
            end = whole.find(b"\r\n\r\n")
            if end < 0:
                return whole
            head, size = whole[:end], 0
            told = head.lower().find(b"\r\ncontent-length:")
            if told >= 0:
                size = int(head[told + 17 :].split(b"\r\n", 1)[0])
            if len(whole) < end + 4 + size:
                return whole
            whole = whole[end + 4 + size :]
            self._serve(client, head)

    def _forget(self, client: socket.socket, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        del self._clients[descriptor], self._received[descriptor]
        client.close()

    def _serve(self, client: socket.socket, head: bytes) -> None:
        path = head.split(b" ", 2)[1].split(b"/")
        name = path[1]
        if name.startswith(b"_"):
            self._send(client, self._control(path))
            return
        self._calls[name.decode()] += 1
        delay = self._delays.get(name)
        if delay:
            self._in_flight[name] += 1
            self._most[name.decode()] = max(self._most[name.decode()], self._in_flight[name])
            due = time.monotonic() + delay
            heapq.heappush(self._due, (due, next(self._order), client, name))
        else:
            self._send(client, CREATED)

    def _answer_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, client, name = heapq.heappop(self._due)
            self._in_flight[name] -= 1
            self._send(client, CREATED)

    def _send(self, client: socket.socket, answer: bytes) -> None:
        if client.fileno() < 0:
            return  # the caller hung up meanwhile
        try:
            client.send(answer)
        except OSError:
            self._forget(client, client.fileno())

    def _control(self, path: list[bytes]) -> bytes:
        if path[1] == b"_delay":
            self._delays[path[2]] = int(path[3]) / 1000
            told = b"{}"
        else:
            flying = {name.decode(): count for name, count in self._in_flight.items()}
            figures = {"calls": self._calls, "most_in_flight": self._most, "in_flight": flying}
            told = json.dumps(figures).encode()
            self._calls.clear()
            self._most.clear()
        return HEAD % (200, b"OK", len(told)) + told


if __name__ == "__main__":
    partner = Partner(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(partner.port, flush=True)
    partner.serve()
