"""The HTTP face a connector's operation is given: one call's view of a profile's transport.

Every exchange is recorded whether it succeeds or raises, and only errors of the hub leave. Nothing is
retried here: the worker decides, the connector only declares what is safe to repeat.
"""

import json as jsonlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlencode, urlsplit

import requests

from connectors.kit.adapter import LeanAdapter, NotConnectedError, Outgoing
from connectors.kit.answers import Answer
from connectors.kit.redaction import Redactor
from connectors.kit.statuses import build, error_class, retry_after
from schemas import clock
from schemas.errors import (
    PartnerError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerUnavailableError,
)
from schemas.receipts import Exchange

USER_AGENT: Final = "parvis"
JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_as_json = jsonlib.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProfile:
    """What all calls of one profile share."""

    profile: str
    base_url: str
    adapter: LeanAdapter
    redactor: Redactor
    errors_by_status: Mapping[int, type[PartnerError]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Whose call it is: the operation, its key, when it was asked, where it is recorded."""

    operation: str
    key: str | None
    asked_at: datetime
    log: list[Exchange]


def segment(value: str) -> str:
    """Return a value fit to be one segment of a path; dots alone would climb."""
    return (
        quote(value, safe="").replace(".", "%2E")
        if value.strip(".") == ""
        else quote(value, safe="")
    )


class PartnerHttp:
    """Sends requests of one operation to one system and reads its answers."""

    __slots__ = ("_call", "_shared")

    def __init__(self, shared: HttpProfile, call: Call) -> None:
        self._shared = shared
        self._call = call

    @property
    def profile(self) -> str:
        """The profile this call goes to."""
        return self._shared.profile

    @property
    def operation(self) -> str:
        """The operation under way."""
        return self._call.operation

    def get(self, path: str, **options: Any) -> Answer:
        """Read; ``options`` are those of ``request``."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Answer:
        """Create; ``options`` are those of ``request``."""
        return self.request("POST", path, **options)

    def ask(self, path: str, **options: Any) -> Answer:
        """Post a question that changes nothing (a login, a search): harmless to repeat."""
        return self.request("POST", path, harmless=True, **options)

    def put(self, path: str, **options: Any) -> Answer:
        """Replace; ``options`` are those of ``request``."""
        return self.request("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        """Remove; ``options`` are those of ``request``."""
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        sign: Callable[[Outgoing], None] | None = None,
        idempotency_key: str | None = None,
        accept: Collection[int] = (),
        harmless: bool = False,
    ) -> Answer:
        """Send one request and return its answer.

        Args:
            method: the HTTP method.
            path: the path below the profile's base address, without a query.
            params: the query.
            json: the body as a JSON value.
            form: the body as a form.
            headers: more headers.
            sign: called with the request ready to leave, bytes and all, to add its signature.
            idempotency_key: the key the system recognises a repetition by; only then may a request
                with an effect be sent again when a kept connection turns out dead. The call's own
                key travels with every effect all the same, for systems that only log it.
            accept: the refusing statuses the caller reads by itself.
            harmless: the request changes nothing, whatever its method.

        Raises:
            PartnerError: the status, or the absence of one, means a failure.
        """
        outgoing = self._outgoing(method, path, params, _body(json, form))
        outgoing.has_effect = outgoing.has_effect and not harmless
        outgoing.may_repeat = not outgoing.has_effect
        outgoing.headers["User-Agent"] = USER_AGENT
        outgoing.headers["Accept"] = JSON_TYPE
        if outgoing.body is not None:
            outgoing.headers["Content-Type"] = JSON_TYPE if form is None else FORM_TYPE
        if headers:
            outgoing.headers.update(headers)
        if outgoing.has_effect and (idempotency_key or self._call.key):
            outgoing.headers["Idempotency-Key"] = idempotency_key or str(self._call.key)
            outgoing.may_repeat = idempotency_key is not None
        if sign is not None:
            sign(outgoing)
        return self._judged(outgoing, self._sent(outgoing), accept)

    def conceal(self, token: str) -> None:
        """Keep a token just received out of the log from now on."""
        self._shared.redactor.learn(token)

    def failure(self, kind: type[PartnerError], code: str) -> PartnerError:
        """Return an error of this call; ``code`` begins with a word of ours, never the system's text."""
        return build(kind, self._shared.profile, self._call.operation, detail=code)

    def _outgoing(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: bytes | None
    ) -> Outgoing:
        url = self._shared.base_url + path
        if params:
            url = f"{url}?{urlencode(params)}"
        return Outgoing(method, url, target=url[len(self._shared.adapter.origin) :], body=body)

    def _sent(self, outgoing: Outgoing) -> requests.Response:
        try:
            response = self._shared.adapter.send(outgoing)
        except NotConnectedError as error:
            self._record(outgoing, f"not_connected:{error.reason}")
            kind = _NOT_CONNECTED.get(error.reason, PartnerUnavailableError)
            self._raise(kind, "no connection", error)
        except requests.ConnectTimeout as error:
            self._record(outgoing, "not_connected:timeout")
            self._raise(PartnerUnavailableError, "no connection in time", error)
        except requests.exceptions.SSLError as error:
            self._record(outgoing, "tls")
            self._raise(PartnerMisconfiguredError, "TLS refused", error)
        except requests.exceptions.InvalidHeader as error:
            self._record(outgoing, "not_sent")
            self._raise(PartnerRejectedError, "unsendable_header", error)
        except requests.Timeout as error:
            self._record(outgoing, "timeout")
            self._raise_unknown(outgoing, "no answer in time", error)
        except requests.RequestException as error:
            self._record(outgoing, "cut")
            self._raise_unknown(outgoing, "the connection was cut", error)
        return response

    def _judged(
        self, outgoing: Outgoing, response: requests.Response, accept: Collection[int]
    ) -> Answer:
        status = response.status_code
        kind = error_class(status, self._shared.errors_by_status)
        self._record(outgoing, "ok" if kind is None else "refused", response)
        if kind is not None and status not in accept:
            raise build(
                kind,
                self._shared.profile,
                self._call.operation,
                detail=f"HTTP {status}",
                wait=retry_after(response.headers.get("Retry-After")),
                outcome_unknown=_left_unknown(outgoing, status),
            )
        return Answer(
            response,
            partner=self._shared.profile,
            operation=self._call.operation,
            has_effect=outgoing.has_effect,
        )

    def _raise(self, kind: type[PartnerError], detail: str, error: Exception) -> NoReturn:
        raise build(kind, self._shared.profile, self._call.operation, detail=detail) from error

    def _raise_unknown(self, outgoing: Outgoing, detail: str, error: Exception) -> NoReturn:
        raise build(
            PartnerUnavailableError,
            self._shared.profile,
            self._call.operation,
            detail=detail,
            outcome_unknown=outgoing.has_effect,
        ) from error

    def _record(
        self, outgoing: Outgoing, outcome: str, response: requests.Response | None = None
    ) -> None:
        redactor = self._shared.redactor
        url = urlsplit(outgoing.url or "")
        request = {
            "headers": redactor.headers(outgoing.headers),
            "query": redactor.text(url.query) if url.query else None,
            "body": redactor.body(outgoing.body),
        }
        answer = None
        if response is not None:
            answer = {
                "headers": redactor.headers(response.headers),
                "body": redactor.body(response.content),
            }
        self._call.log.append(
            Exchange(
                profile=self._shared.profile,
                operation=self._call.operation,
                address=redactor.text(f"{outgoing.method} {url.netloc}{url.path}"),
                asked_at=self._call.asked_at,
                sent_at=outgoing.sent_at,
                answered_at=outgoing.answered_at,
                ended_at=clock.utcnow(),
                outcome=outcome,
                status=None if response is None else response.status_code,
                idempotency_key=self._call.key,
                request=request,
                response=answer,
            )
        )


_NOT_CONNECTED: Final[Mapping[str, type[PartnerError]]] = {
    "refused_address": PartnerMisconfiguredError
}


def _body(json: Any, form: Mapping[str, str] | None) -> bytes | None:
    if form is not None:
        return urlencode(form).encode("ascii")
    if json is None:
        return None
    return _as_json(json).encode()


def _left_unknown(outgoing: Outgoing, status: int) -> bool:
    return (status >= 500 or status == 408) and outgoing.has_effect
