"""A server of raw bytes: a script says what each connection answers to each request."""

import socket
import threading
from contextlib import contextmanager

CLOSE = object()


class RawServer:
    """``script`` is called with (connection number, request number) and returns bytes or CLOSE."""

    def __init__(self, script, *, tls=None):
        self._script = script
        self._tls = tls
        self.connections = 0
        self.requests = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.open = []

    @contextmanager
    def running(self):
        accepting = threading.Thread(target=self._accept, daemon=True)
        accepting.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            accepting.join()
            for each in self.open:
                each.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(client)
            threading.Thread(
                target=self._serve, args=(client, self.connections), daemon=True
            ).start()

    def _serve(self, client, number):
        try:
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self.open.append(client)
            count = 0
            while True:
                request = self._read(client)
                if request is None:
                    break
                count += 1
                self.requests.append(request)
                answer = self._script(number, count)
                if answer is CLOSE:
                    break
                client.sendall(answer)
        except OSError:
            pass
        finally:
            client.close()

    def _read(self, client):
        data = b""
        while b"\r\n\r\n" not in data:
            more = client.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(body) < length:
            body += client.recv(65536)
        return head + b"\r\n\r\n" + body


def answer(body=b'{"ok": true}', *, status="200 OK", headers=(), length=None):
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
