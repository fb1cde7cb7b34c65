"""One request to send: read, checked against the API's description, accepted or refused."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mock_partners.clock import rfc3339
from mock_partners.wire import Request

__all__ = ["Job", "JobRefusedError", "Message", "is_receiver"]

RECEIVER = re.compile(r"(?:\+|00)[1-9]\d{6,14}")
TYPES: Mapping[str, type] = {
    "message": str,
    "receivers": list,
    "sender": str,
    "senderForResponse": bool,
    "noStopClause": bool,
    "priority": str,
    "coding": str,
    "charset": str,
    "class": str,
    "differedPeriod": int,
    "validityPeriod": int,
    "tag": str,
}
ENUMS: Mapping[str, frozenset[str]] = {
    "priority": frozenset({"high", "medium", "low", "veryLow"}),
    "coding": frozenset({"7bit", "8bit"}),
    "charset": frozenset({"UTF-8"}),
    "class": frozenset({"flash", "phoneDisplay", "sim", "toolkit"}),
}
LONGEST_TAG = 20
LONGEST_SENDER = 11


class JobRefusedError(Exception):
    """The body does not fit the API's description."""


def is_receiver(number: object) -> bool:
    """Whether this can be a telephone number in international form."""
    return isinstance(number, str) and RECEIVER.fullmatch(number) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What ``POST /sms/{serviceName}/jobs`` carries."""

    message: str
    receivers: tuple[str, ...]
    sender: str | None
    is_marketing: bool
    coding: str | None
    delay_minutes: int
    tag: str | None

    @classmethod
    def read(cls, request: Request) -> "Job":
        """Read the body.

        Raises:
            JobRefusedError: it does not fit the API's description.
        """
        body = _body(request)
        for name, value in body.items():
            _check(name, value)
        for name in ("message", "receivers"):
            if not body.get(name):
                raise JobRefusedError("missing", name)
        sender = body.get("sender")
        if not sender and body.get("senderForResponse") is not True:
            raise JobRefusedError("missing", "sender or senderForResponse")
        return cls(
            message=str(body["message"]),
            receivers=tuple(map(str, body["receivers"])),  # type: ignore[call-overload]
            sender=None if not sender else str(sender),
            is_marketing=bool(sender) and body.get("noStopClause") is not True,
            coding=None if "coding" not in body else str(body["coding"]),
            delay_minutes=int(str(body.get("differedPeriod", 0))),
            tag=None if not body.get("tag") else str(body["tag"]),
        )


def _body(request: Request) -> dict[str, object]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise JobRefusedError("unreadable", "JSON") from error
    if not isinstance(body, dict):
        raise JobRefusedError("unreadable", "JSON")
    strangers = sorted(set(body) - set(TYPES))
    if strangers:
        raise JobRefusedError("not described", ", ".join(strangers))
    return body


def _check(name: str, value: object) -> None:
    if type(value) is not TYPES[name]:
        raise JobRefusedError("wrong type", name)
    if name in ENUMS and value not in ENUMS[name]:
        raise JobRefusedError("wrong value", name)
    too_long = {"tag": LONGEST_TAG, "sender": LONGEST_SENDER}
    if name in too_long and len(str(value)) > too_long[name]:
        raise JobRefusedError("too long", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text for one telephone, accepted by the gateway."""

    id: int
    service: str
    receiver: str
    sender: str | None
    text: str
    segments: int
    tag: str | None
    created_at: datetime
    leaves_at: datetime

    def as_row(self) -> dict[str, object]:
        """The message as the API shows it."""
        return {
            "id": self.id,
            "creationDatetime": rfc3339(self.created_at),
            "differedDelivery": round((self.leaves_at - self.created_at).total_seconds() / 60),
            "receiver": self.receiver,
            "sender": self.sender,
            "message": self.text,
            "messageLength": len(self.text),
            "numberOfSms": self.segments,
            "credits": self.segments,
            "tag": self.tag,
            "ptt": 1000,
        }

    def as_seen(self) -> dict[str, object]:
        """The message as the control plane shows it."""
        return {
            "id": self.id,
            "service": self.service,
            "receiver": self.receiver,
            "sender": self.sender,
            "text": self.text,
            "segments": self.segments,
            "tag": self.tag,
            "created_at": rfc3339(self.created_at),
            "leaves_at": rfc3339(self.leaves_at),
        }
