"""An SMTP server that keeps what it took and fails as it is told."""

import email
import email.policy
import socket
import threading
import time
import warnings
from contextlib import contextmanager
from fnmatch import fnmatchcase

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

CODES = {500: 451, 503: 421, 429: 450, 400: 550, 422: 554, 401: 535, 403: 535}


class SmtpServer:
    """Runs on a loopback port; ``taken`` are the messages it accepted."""

    def __init__(self, *, user, password, tls=None, starttls=False):
        self._login = (user.encode(), password.encode())
        self._tls, self._starttls = tls, starttls
        self.taken = []
        self.sessions = 0
        self._faults = []
        self._controller = None
        self._lock = threading.Lock()

    @contextmanager
    def running(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._start(0)
            try:
                yield self
            finally:
                self._stop()

    def arm(self, fault, *, operation="*", times=-1, **params):
        if fault == "down":
            self._stop()
            return
        self._faults.append({"fault": fault, "operation": operation, "times": times, **params})

    def clear(self):
        self._faults = []
        if self._controller is None:
            self._start(self.port)

    def _start(self, port):
        self._controller = _Controller(self, port)
        self._controller.start()
        self.port = self._controller.server.sockets[0].getsockname()[1]

    def _stop(self):
        if self._controller is not None:
            self._controller.stop(no_assert=True)
            self._controller = None

    def hit(self, operation, *names):
        with self._lock:
            for each in self._faults:
                if (
                    each["fault"] in names
                    and fnmatchcase(operation, each["operation"])
                    and each["times"]
                ):
                    each["times"] -= 1
                    return each
        return None

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        refused = self._refusal("mail")
        if refused:
            return refused
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.hit("data", "reset_before"):
            server.transport.abort()
        refused = self._refusal("rcpt")
        if refused:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        late = self.hit("data", "latency")
        if late:
            time.sleep(late["ms"] / 1000)
        refused = self._refusal("data")
        if refused:
            return refused
        self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.SMTP))
        if self.hit("data", "reset_after"):
            server.transport.abort()
        return "250 taken"

    def authenticate(self, _server, _session, _envelope, _mechanism, data):
        good = (data.login, data.password) == self._login and not self.hit("auth", "auth_revoked")
        return AuthResult(success=good, handled=False)

    def _refusal(self, operation):
        fault = self.hit(operation, "status")
        return (
            f"{CODES.get(fault['code'], fault['code'])} refused camille.canari@example.org"
            if fault
            else None
        )


class _Controller(Controller):
    def __init__(self, rig, port):
        self._rig = rig
        super().__init__(
            rig, hostname="127.0.0.1", port=port, ssl_context=None if rig._starttls else rig._tls
        )

    def factory(self):
        return SMTP(
            self.handler,
            authenticator=self._rig.authenticate,
            auth_require_tls=False,
            enable_SMTPUTF8=False,
            tls_context=self._rig._tls if self._rig._starttls else None,
        )

    def _trigger_server(self):
        """Greet the server once: its port is only known now, and the controller waits for a visit."""
        port = self.server.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=0.3) as visit:
            visit.recv(100)
