"""Who may call: the gateway's signature, recomputed over the exact bytes that arrived."""

import hashlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from hmac import compare_digest
from http import HTTPStatus

from mock_partners.clock import MockClock
from mock_partners.sms_ovh.settings import GatewaySettings
from mock_partners.wire import Answer, Request, json_answer

__all__ = ["Access", "refusal", "signature"]

NOT_CREDENTIAL = (403, "NOT_CREDENTIAL", "You must login first")
INVALID_KEY = (403, "INVALID_KEY", "This application key is invalid")
INVALID_CREDENTIAL = (403, "INVALID_CREDENTIAL", "This credential is not valid")
NOT_GRANTED = (403, "NOT_GRANTED_CALL", "This call has not been granted")


def signature(
    application_secret: str,
    consumer_key: str,
    method: str,
    url: str,
    body: bytes,
    timestamp: str,
) -> str:
    """The value of ``X-Ovh-Signature``."""
    head = f"{application_secret}+{consumer_key}+{method}+{url}+".encode()
    text = head + body + b"+" + timestamp.encode()
    return "$1$" + hashlib.sha1(text, usedforsecurity=False).hexdigest()


def refusal(status: int, code: str, message: str) -> Answer:
    """A refusal of the API's door, before any work."""
    http_code = f"{status} {HTTPStatus(status).phrase}"
    return json_answer(status, {"message": message, "httpCode": http_code, "errorCode": code})


class Access:
    """Checks the four headers of a call."""

    def __init__(self, settings: GatewaySettings, clock: MockClock) -> None:
        self._settings = settings
        self._clock = clock

    def refusal(self, request: Request, path: str) -> Answer | None:
        """Why the call is refused, or None when it is granted."""
        headers = request.headers
        if headers.get("x-ovh-application") != self._settings.application_key:
            return refusal(*INVALID_KEY)
        if "x-ovh-consumer" not in headers or "x-ovh-signature" not in headers:
            return refusal(*NOT_CREDENTIAL)
        if headers["x-ovh-consumer"] != self._settings.consumer_key:
            return refusal(*INVALID_CREDENTIAL)
        return self._unsigned(request, headers) or self._not_granted(request, path)

    def invalid_credential(self) -> Answer:
        """What a withdrawn consumer key is told."""
        return refusal(*INVALID_CREDENTIAL)

    def _unsigned(self, request: Request, headers: Mapping[str, str]) -> Answer | None:
        status = self._settings.unverified.signature_status
        timestamp = headers.get("x-ovh-timestamp", "")
        if not self._is_fresh(timestamp):
            return refusal(status, "QUERY_TIME_OUT", "Query out of time")
        url = f"http://{headers.get('host', '')}{request.target}"
        expected = signature(
            self._settings.application_secret,
            self._settings.consumer_key,
            request.method,
            url,
            request.body,
            timestamp,
        )
        if not compare_digest(headers["x-ovh-signature"].encode(), expected.encode()):
            return refusal(status, "INVALID_SIGNATURE", "Invalid signature")
        return None

    def _is_fresh(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        age = abs(self._clock.now().timestamp() - int(timestamp))
        return age <= self._settings.unverified.timestamp_tolerance_s

    def _not_granted(self, request: Request, path: str) -> Answer | None:
        for rule in self._settings.rules:
            method, _, glob = rule.partition(" ")
            if method == request.method and fnmatchcase(path, glob):
                return None
        return refusal(*NOT_GRANTED)
