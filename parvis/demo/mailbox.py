"""A small SMTP server: what the hub mails is kept in the demonstration's folder, and goes no further."""

import os
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

from parvis.demo.folder import HOST

MOST_BYTES: Final = 1024 * 1024
IDLE_SECONDS: Final = 60.0
Reader = Callable[[int], bytes]
COMMAND: Final = re.compile(r"([A-Za-z]{4})(?:\s+(.*))?")


class Mailbox:
    """Listens on a loopback port and writes one ``.eml`` file per message, for its owner only."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._numbers = count(1 + len(list(folder.glob("*.eml"))))
        self._server: socketserver.ThreadingTCPServer | None = None

    def start(self) -> None:
        """Listen."""
        box = self

        class Conversation(socketserver.StreamRequestHandler):
            timeout = IDLE_SECONDS

            def handle(self) -> None:
                try:
                    for line in box.converse(self.rfile.readline):
                        self.wfile.write(line.encode() + b"\r\n")
                except OSError:
                    return

        self._server = _Server((HOST, self._port), Conversation)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def converse(self, read: Reader) -> Iterator[str]:
        """Give the answers of one session, line by line."""
        yield "220 parvis.example.org ESMTP"
        recipients = 0
        while True:
            match = COMMAND.fullmatch(read(1024).decode("ascii", "replace").strip())
            word = match[1].upper() if match else ""
            if word == "DATA" and recipients:
                yield "354 End data with <CR><LF>.<CR><LF>"
                yield self._taken(read)
                recipients = 0
                continue
            recipients += word == "RCPT"
            yield _answer(word, recipients)
            if word in {"QUIT", ""}:
                return

    def _taken(self, read: Reader) -> str:
        lines: list[bytes] = []
        while (line := read(MOST_BYTES)) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b"..") else line)
            if sum(map(len, lines)) > MOST_BYTES:
                return "552 Message too big"
        path = self._folder / f"{next(self._numbers):04d}.eml"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"".join(lines))
        return "250 Kept"


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def _answer(word: str, recipients: int) -> str:
    match word:
        case "EHLO":
            return "250 parvis.example.org"
        case "HELO" | "MAIL" | "RCPT" | "RSET" | "NOOP":
            return "250 OK"
        case "DATA":
            return "503 No recipient" if not recipients else "354 Go on"
        case "QUIT":
            return "221 Bye"
        case _:
            return "500 Not understood"
