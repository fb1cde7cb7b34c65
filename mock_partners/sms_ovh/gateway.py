"""The gateway itself: routes, accounts, credits, messages."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, unquote

from mock_partners.clock import MockClock
from mock_partners.desk import View
from mock_partners.sms_ovh.access import Access
from mock_partners.sms_ovh.jobs import Job, JobRefusedError, Message, is_receiver
from mock_partners.sms_ovh.settings import GatewaySettings, ServiceSettings
from mock_partners.sms_ovh.texts import deferred, segments
from mock_partners.wire import Answer, Request, json_answer

__all__ = ["Gateway"]

BASE = re.compile(r"/(?:1\.0|v1)(/.*)")
OUTGOING_FILTERS = frozenset({"tag", "receiver", "sender"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    request: Request
    path: str
    service: str = ""
    item: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    name: str
    handler: Callable[[_Call], Answer]
    is_open: bool = False


class Gateway:
    """An SMS gateway: pure state, no socket."""

    def __init__(self, settings: GatewaySettings, clock: MockClock) -> None:
        self._settings = settings
        self._clock = clock
        self._access = Access(settings, clock)
        self._routes = self._table()
        self.operations = frozenset({*(route.name for route in self._routes), "unknown"})
        self.error_bodies: Mapping[int, object] = {
            status: {"class": kind, "message": text}
            for status, kind, text in (
                (429, "Client::TooManyRequests", "Too many requests"),
                (500, "Server::InternalServerError", "Internal server error"),
                (503, "Server::ServiceUnavailable", "Service unavailable"),
            )
        }
        self.reset()

    def reset(self) -> None:
        """Forget the messages and give the credits back."""
        self._messages: dict[int, Message] = {}
        self._next_id = self._settings.first_id
        self._credits = {name: each.credits for name, each in self._settings.services.items()}

    def operation(self, request: Request) -> str:
        """The route's name, ``unknown`` for a path the API has not."""
        route, _ = self._found(request)
        return "unknown" if route is None else route.name

    def answer(self, request: Request) -> Answer:
        """Answer one call: keys and signature first, then the work."""
        route, call = self._found(request)
        if route is not None and route.is_open:
            return route.handler(call)
        refusal = self._access.refusal(request, call.path)
        if refusal is not None:
            return refusal
        if route is None:
            return _refusal(404, "NotFound", f"Got an invalid (or empty) URL: {call.path}")
        if call.service and call.service not in self._settings.services:
            text = f"The requested object (serviceName = {call.service}) does not exist"
            return _refusal(404, "NotFound", text)
        return route.handler(call)

    def revoked(self, request: Request) -> Answer:
        """The consumer key was withdrawn."""
        route, call = self._found(request)
        if route is not None and route.is_open:
            return route.handler(call)
        return self._access.invalid_credential()

    def lose_sessions(self) -> None:
        """Signatures carry no session: there is nothing to lose."""

    def views(self) -> Mapping[str, View]:
        """``GET /_mock/messages?receiver=…&tag=…&after=…``: the texts as the telephones show them."""
        return {"messages": self._seen}

    def _seen(self, request: Request) -> object:
        query = parse_qs(request.query)
        after = int(query.get("after", ["0"])[0])
        wanted = {name: query[name][0] for name in ("receiver", "tag") if name in query}
        found = [
            message.as_seen()
            for message in self._messages.values()
            if message.id > after and all(getattr(message, k) == v for k, v in wanted.items())
        ]
        return {"messages": found}

    def _found(self, request: Request) -> tuple[_Route | None, _Call]:
        match = BASE.fullmatch(request.path)
        path = match[1] if match else request.path
        for route in self._routes if match else ():
            parts = route.pattern.fullmatch(path)
            if parts and route.method == request.method:
                names = {key: unquote(value) for key, value in parts.groupdict().items()}
                return route, _Call(request=request, path=path, **names)
        return None, _Call(request=request, path=path)

    def _table(self) -> tuple[_Route, ...]:
        one = "/sms/(?P<service>[^/]+)"
        item = "/(?P<item>[^/]+)"
        return (
            _route("GET", "/auth/time", "time", self._time, is_open=True),
            _route("GET", "/auth/currentCredential", "current_credential", self._credential),
            _route("GET", "/sms", "list_services", self._services),
            _route("GET", one, "get_service", self._service),
            _route("GET", f"{one}/senders", "list_senders", self._senders),
            _route("GET", f"{one}/senders{item}", "get_sender", self._sender),
            _route("POST", f"{one}/jobs", "send_sms", self._send),
            _route("GET", f"{one}/jobs", "list_jobs", self._jobs),
            _route("GET", f"{one}/jobs{item}", "get_job", self._job),
            _route("DELETE", f"{one}/jobs{item}", "delete_job", self._cancel),
            _route("GET", f"{one}/outgoing", "list_outgoing", self._outgoing),
            _route("GET", f"{one}/outgoing{item}", "get_outgoing", self._sent),
        )

    def _time(self, _: _Call) -> Answer:
        return json_answer(200, int(self._clock.now().timestamp()))

    def _credential(self, _: _Call) -> Answer:
        rules = [
            dict(zip(("method", "path"), rule.split(" "), strict=True))
            for rule in self._settings.rules
        ]
        return json_answer(200, {"status": "validated", "rules": rules, "expiration": None})

    def _services(self, _: _Call) -> Answer:
        return json_answer(200, sorted(self._settings.services))

    def _service(self, call: _Call) -> Answer:
        left = self._credits[call.service]
        return json_answer(200, {"name": call.service, "status": "enable", "creditsLeft": left})

    def _senders(self, call: _Call) -> Answer:
        return json_answer(200, sorted(self._account(call).senders))

    def _sender(self, call: _Call) -> Answer:
        state = self._account(call).senders.get(call.item)
        if state is None:
            return _missing("sender", call.item)
        answer = {"sender": call.item, "status": state, "type": "alpha", "comment": ""}
        return json_answer(200, answer)

    def _send(self, call: _Call) -> Answer:
        try:
            job = Job.read(call.request)
        except JobRefusedError as error:
            return _refusal(400, "BadRequest", _described(error))
        if job.sender is not None and self._account(call).senders.get(job.sender) != "enable":
            status = self._settings.unverified.sender_status
            return _refusal(status, "Forbidden", f"Sender {job.sender} is not enabled")
        return self._accepted(call, job)

    def _accepted(self, call: _Call, job: Job) -> Answer:
        valid = [number for number in job.receivers if self._reaches(number)]
        invalid = [number for number in job.receivers if not self._reaches(number)]
        text = job.message
        if job.is_marketing:
            text = f"{text}\n{self._settings.unverified.stop_text}"
        each = segments(text, coding=job.coding)
        if each * len(valid) > self._credits[call.service]:
            status = self._settings.unverified.no_credit_status
            return _refusal(status, "Forbidden", "Not enough credits")
        self._credits[call.service] -= each * len(valid)
        messages = [self._kept(call, job, text=text, receiver=number) for number in valid]
        report = {
            "totalCreditsRemoved": each * len(valid),
            "validReceivers": valid,
            "invalidReceivers": invalid,
            "ids": [message.id for message in messages],
        }
        effect = {"kind": "sms.accepted", "ids": report["ids"]} if messages else None
        return json_answer(200, report, effect=effect, reference=job.tag)

    def _kept(self, call: _Call, job: Job, *, text: str, receiver: str) -> Message:
        message = Message(
            id=self._next_id,
            service=call.service,
            receiver=receiver,
            sender=job.sender,
            text=text,
            segments=segments(text, coding=job.coding),
            tag=job.tag,
            created_at=self._clock.now(),
            leaves_at=self._leaving(job),
        )
        self._next_id += 1
        self._messages[message.id] = message
        return message

    def _leaving(self, job: Job) -> datetime:
        pending = timedelta(seconds=self._settings.unverified.pending_s)
        ready_at = self._clock.now() + timedelta(minutes=job.delay_minutes) + pending
        return deferred(ready_at) if job.is_marketing else ready_at

    def _reaches(self, number: str) -> bool:
        return is_receiver(number) and number not in self._settings.invalid_receivers

    def _jobs(self, call: _Call) -> Answer:
        return json_answer(200, [each.id for each in self._own(call) if self._is_pending(each)])

    def _job(self, call: _Call) -> Answer:
        found = self._pick(call)
        if found is None or not self._is_pending(found):
            return _missing("id", call.item)
        return json_answer(200, found.as_row(), reference=found.tag)

    def _cancel(self, call: _Call) -> Answer:
        found = self._pick(call)
        if found is None or not self._is_pending(found):
            return _missing("id", call.item)
        del self._messages[found.id]
        self._credits[call.service] += found.segments
        effect = {"kind": "sms.cancelled", "ids": [found.id]}
        return json_answer(200, None, effect=effect, reference=found.tag)

    def _outgoing(self, call: _Call) -> Answer:
        wanted = dict(parse_qsl(call.request.query, keep_blank_values=True))
        strangers = sorted(set(wanted) - OUTGOING_FILTERS)
        if strangers:
            return _refusal(
                400, "BadRequest", _described(JobRefusedError("not described", *strangers))
            )
        found = [
            each.id
            for each in self._own(call)
            if not self._is_pending(each)
            and all(getattr(each, name) == value for name, value in wanted.items())
        ]
        return json_answer(200, found, reference=wanted.get("tag"))

    def _sent(self, call: _Call) -> Answer:
        found = self._pick(call)
        if found is None or self._is_pending(found):
            return _missing("id", call.item)
        row = {**found.as_row(), "deliveryReceipt": 1}
        return json_answer(200, row, reference=found.tag)

    def _own(self, call: _Call) -> list[Message]:
        return [each for each in self._messages.values() if each.service == call.service]

    def _pick(self, call: _Call) -> Message | None:
        number = call.item if call.item.isascii() and call.item.isdigit() else "0"
        found = self._messages.get(int(number))
        return found if found is not None and found.service == call.service else None

    def _is_pending(self, message: Message) -> bool:
        return message.leaves_at > self._clock.now()

    def _account(self, call: _Call) -> ServiceSettings:
        return self._settings.services[call.service]


def _route(
    method: str, path: str, name: str, handler: Callable[[_Call], Answer], *, is_open: bool = False
) -> _Route:
    return _Route(
        method=method, pattern=re.compile(path), name=name, handler=handler, is_open=is_open
    )


def _refusal(status: int, kind: str, message: str) -> Answer:
    return json_answer(status, {"class": f"Client::{kind}", "message": message})


def _missing(name: str, value: str) -> Answer:
    return _refusal(404, "NotFound", f"The requested object ({name} = {value}) does not exist")


def _described(error: JobRefusedError) -> str:
    reason, *names = error.args
    return f"Invalid parameters: {reason} ({', '.join(map(str, names))})"
