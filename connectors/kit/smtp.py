"""The SMTP transport: one session per message, to the checked address, every failure typed.

The one dangerous moment is after the message's last byte left: without an answer nobody knows whether
the server took it. Before that moment a failure is harmless to repeat.
"""

import base64
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import TYPE_CHECKING, Final

from connectors.kit.adapter import Timeouts
from connectors.kit.addresses import Address, AddressRefusedError, NameNotFoundError
from connectors.kit.deadlines import Deadline
from connectors.kit.http import Call
from connectors.kit.redaction import Redactor
from schemas import clock
from schemas.errors import (
    PartnerError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerUnavailableError,
)
from schemas.receipts import Exchange

if TYPE_CHECKING:
    from datetime import datetime

EXCHANGES_PER_SESSION: Final = (
    4  # a session is several round trips: its limit is this many times one
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpProfile:
    """What all sends of one profile share; ``security`` is starttls, tls or none."""

    profile: str
    address: Address
    security: str
    tls: ssl.SSLContext | None
    timeouts: Timeouts
    redactor: Redactor


class _Moments:
    """Where a session got to: what is known of the message depends on it."""

    def __init__(self) -> None:
        self.is_connected = False
        self.sent_at: datetime | None = None
        self.answered_at: datetime | None = None


class _PinnedSmtp(smtplib.SMTP):
    """``smtplib`` on the checked address instead of a resolution of its own."""

    def __init__(self, shared: SmtpProfile) -> None:
        self._shared = shared
        super().__init__(timeout=shared.timeouts.read, local_hostname="[127.0.0.1]")
        self._host = shared.address.host  # the name STARTTLS asks for

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        sock = self._shared.address.connect(self._shared.timeouts.connect)
        try:
            if self._shared.security == "tls" and self._shared.tls is not None:
                sock.settimeout(self._shared.timeouts.connect)
                sock = self._shared.tls.wrap_socket(sock, server_hostname=self._shared.address.host)
            sock.settimeout(self._shared.timeouts.read)
        except BaseException:
            sock.close()
            raise
        return sock


class SmtpFace:
    """Sends one message, or proves that the server would take one."""

    __slots__ = ("_call", "_shared")

    def __init__(self, shared: SmtpProfile, call: Call) -> None:
        self._shared = shared
        self._call = call

    def failure(self, kind: type[PartnerError], code: str) -> PartnerError:
        """Return an error of this call; ``code`` is a word of ours."""
        return kind(self._shared.profile, self._call.operation, code)

    def greet(self) -> None:
        """Prove the server reachable and secured as the settings say."""
        with self._recorded(None) as moments, self._session(moments):
            pass

    def log_in(self, user: str | None, password: str | None) -> None:
        """Prove that the server accepts our credentials."""
        with self._recorded(None) as moments, self._session(moments) as session:
            _authenticate(session, user, password)

    def offer(self, sender: str, *, user: str | None, password: str | None) -> None:
        """Prove that the server accepts our sender, without sending anything."""
        with self._recorded(None) as moments, self._session(moments) as session:
            _authenticate(session, user, password)
            _expect(session.mail(sender), refusal=smtplib.SMTPResponseException)
            session.rset()

    def send(
        self, message: EmailMessage, *, sender: str, user: str | None, password: str | None
    ) -> None:
        """Send one message to the one person it is addressed to.

        Raises:
            PartnerError: what the server did, and what happens next.
        """
        content = message.as_bytes(policy=SMTP_POLICY)
        recipient = str(message["To"].addresses[0].addr_spec)
        with self._recorded(content) as moments, self._session(moments) as session:
            _authenticate(session, user, password)
            _expect(session.mail(sender), refusal=smtplib.SMTPResponseException)
            _expect(session.rcpt(recipient), refusal=_RecipientRefusedError)
            _expect(session.docmd("DATA"), refusal=_MessageRefusedError, wanted=354)
            moments.sent_at = clock.utcnow()
            session.send(_dotted(content))
            answer = session.getreply()
            moments.answered_at = clock.utcnow()
            _expect(answer, refusal=_MessageRefusedError)

    @contextmanager
    def _session(self, moments: _Moments) -> Iterator[smtplib.SMTP]:
        session = _PinnedSmtp(self._shared)
        try:
            greeting = session.connect(self._shared.address.host, self._shared.address.port)
            _expect(greeting, refusal=smtplib.SMTPConnectError)
            moments.is_connected = True
            session.ehlo_or_helo_if_needed()
            if self._shared.security == "starttls":
                session.starttls(context=self._shared.tls)
                session.ehlo_or_helo_if_needed()
            yield session
            with suppress(
                smtplib.SMTPException, OSError
            ):  # the message is taken: a rude goodbye is nothing
                session.quit()
        finally:
            session.close()

    @contextmanager
    def _recorded(self, content: bytes | None) -> Iterator[_Moments]:
        moments = _Moments()
        try:
            with Deadline(self._shared.timeouts.total * EXCHANGES_PER_SESSION):
                yield moments
        except (
            OSError,
            smtplib.SMTPException,
            NameNotFoundError,
            AddressRefusedError,
        ) as error:
            outcome, status = _outcome(error, moments)
            self._record(moments, outcome=outcome, status=status, content=content)
            raise self._judged(error, moments) from None  # their texts quote addresses
        self._record(moments, outcome="ok", status=250, content=content)

    def _judged(self, error: Exception, moments: _Moments) -> PartnerError:
        kind, detail = _meaning(error)
        is_lost = moments.sent_at is not None and moments.answered_at is None
        return kind(self._shared.profile, self._call.operation, detail, outcome_unknown=is_lost)

    def _record(
        self, moments: _Moments, *, outcome: str, status: int | None, content: bytes | None
    ) -> None:
        address = self._shared.address
        self._call.log.append(
            Exchange(
                profile=self._shared.profile,
                operation=self._call.operation,
                address=f"SMTP {address.host}:{address.port}",
                asked_at=self._call.asked_at,
                sent_at=moments.sent_at,
                answered_at=moments.answered_at,
                ended_at=clock.utcnow(),
                outcome=outcome,
                status=status,
                idempotency_key=self._call.key,
                request={"body": self._shared.redactor.body(content)},
            )
        )


class _RecipientRefusedError(smtplib.SMTPResponseException):
    """The server refuses the recipient."""


class _MessageRefusedError(smtplib.SMTPResponseException):
    """The server refuses the message."""


def _authenticate(session: smtplib.SMTP, user: str | None, password: str | None) -> None:
    """Log in by PLAIN, or LOGIN where that is all there is; ``smtplib``'s own refuses accents."""
    if not (user and password):
        return
    offered = session.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        answer = session.docmd("AUTH", f"PLAIN {_coded(f'{chr(0)}{user}{chr(0)}{password}')}")
    elif "LOGIN" in offered:
        name = session.docmd("AUTH", f"LOGIN {_coded(user)}")
        _expect(name, refusal=smtplib.SMTPAuthenticationError, wanted=334)
        answer = session.docmd(_coded(password))
    else:
        raise smtplib.SMTPNotSupportedError
    _expect(answer, refusal=smtplib.SMTPAuthenticationError)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _expect(
    answer: tuple[int, bytes], *, refusal: type[smtplib.SMTPResponseException], wanted: int = 250
) -> None:
    """Raise the refusal unless the answer is of the wanted hundred; the server's text is dropped."""
    code = answer[0]
    if code == -1:
        raise smtplib.SMTPServerDisconnected
    if code // 100 != wanted // 100:
        raise refusal(code, b"")


def _dotted(content: bytes) -> bytes:
    """Return the content as DATA wants it: leading dots doubled, one dot alone at the end."""
    ended = content if content.endswith(b"\r\n") else content + b"\r\n"
    doubled = (b"\r\n" + ended).replace(b"\r\n.", b"\r\n..")[2:]
    return doubled + b".\r\n"


def _outcome(error: Exception, moments: _Moments) -> tuple[str, int | None]:
    match error:
        case smtplib.SMTPResponseException():
            return "refused", error.smtp_code
        case NameNotFoundError():
            return "not_connected:name", None
        case AddressRefusedError():
            return "not_connected:refused_address", None
        case ssl.SSLError():
            return "tls", None
        case smtplib.SMTPNotSupportedError():
            return "refused", None
        case TimeoutError():
            return ("timeout" if moments.is_connected else "not_connected:timeout"), None
    return ("cut" if moments.is_connected else "not_connected:connection"), None


def _meaning(error: Exception) -> tuple[type[PartnerError], str]:
    match error:
        case smtplib.SMTPResponseException(smtp_code=code) if 400 <= code < 500:
            return PartnerUnavailableError, f"SMTP {code}"
        case _RecipientRefusedError(smtp_code=code):
            return PartnerRejectedError, f"recipient_refused: SMTP {code}"
        case _MessageRefusedError(smtp_code=code):
            return PartnerRejectedError, f"message_refused: SMTP {code}"
        case smtplib.SMTPResponseException(smtp_code=code):
            return PartnerMisconfiguredError, f"SMTP {code}"
        case AddressRefusedError() | ssl.SSLError() | smtplib.SMTPNotSupportedError():
            return PartnerMisconfiguredError, "the address or its security is refused"
    return PartnerUnavailableError, "no answer"
