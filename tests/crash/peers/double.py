"""The office three calls go to: slow enough to be caught at work, it counts what it did and what it was asked."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CALLS = ("card", "account", "welcome")


class Office:
    """Does each call once per idempotency key, and each call without one as often as it is asked."""

    def __init__(self, *, seconds):
        self._seconds = seconds
        self._lock = threading.Lock()
        self._keys = set()
        self.effects, self.asked = Counter(), Counter()  # by (run, call)
        self._begun = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self):
        """How many calls came so far."""
        with self._lock:
            return self.asked.total()

    def ended(self):
        """The runs all whose calls were made."""
        with self._lock:
            whole = Counter(run for run, _ in self.effects)
        return {run for run, calls in whole.items() if calls == len(CALLS)}

    def under_way(self):
        """The runs of which something was asked and something is not done."""
        ended = self.ended()
        with self._lock:
            return set(self._begun) - ended

    @property
    def doubled(self):
        """How many effects were made beyond the first of a run's call."""
        with self._lock:
            return sum(number - 1 for number in self.effects.values())

    @property
    def asked_again(self):
        """How many times a call came that had come before."""
        with self._lock:
            return sum(number - 1 for number in self.asked.values())

    def close(self):
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def serve(self, run, call, key):
        with self._lock:
            self.asked[run, call] += 1
            self._begun.add(run)
        time.sleep(self._seconds / 2)
        with self._lock:
            if key is None or key not in self._keys:
                self._keys.add(key)
                self.effects[run, call] += 1
        time.sleep(self._seconds / 2)

    def _handler(self):
        office = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1  # head and body leave together

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                told = self.rfile.read(size)
                if len(told) < size:  # the caller was killed while it asked
                    self.close_connection = True
                    return
                body = json.loads(told)
                call = self.path.rpartition("/")[2]
                office.serve(body["run"], call, self.headers.get("Idempotency-Key"))
                answer = json.dumps({"id": f"r-{call}", "access_code": "A7K9QX"}).encode()
                self.send_response(201)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except ConnectionError:  # the caller was killed
                    self.close_connection = True

            def log_message(self, *_):
                """Nothing: what was asked is counted."""

        return Handler
