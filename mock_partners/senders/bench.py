"""The senders' bench as a program: tell it what happened at a partner, it builds, signs and sends."""

import json
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import formatdate

from mock_partners.clock import parse_instant
from mock_partners.desk import Rig, View
from mock_partners.faults import SENDING, FaultSwitch
from mock_partners.senders.client import HubClient
from mock_partners.senders.events import (
    ARRIVALS,
    TYPES,
    Notice,
    Sharing,
    arrival,
    cloud_event,
)
from mock_partners.senders.partners import Sender
from mock_partners.senders.people import Newcomer, invent
from mock_partners.senders.post import Parcel, PostOffice
from mock_partners.tampering import delivered
from mock_partners.wire import Answer, Delivery, Request, json_answer

__all__ = ["AskedWrongError", "Bench"]

SETTINGS = frozenset({"hub_url", "notice", "seed", "senders"})
ASKED = frozenset(
    {"sender", "type", "data", "commune", "person", "channel", "subject", "id", "time", "event"}
)


class AskedWrongError(Exception):
    """The bench cannot do what was asked."""


class Bench:
    """Several senders and the hub they write to."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        strangers = sorted(set(settings) - SETTINGS)
        if strangers:
            msg = f"senders: unknown {strangers}; known: {sorted(SETTINGS)}"
            raise ValueError(msg)
        self.rig = Rig(faults=FaultSwitch(SENDING, TYPES | {"batch"}))
        rows = settings.get("senders", [])
        self.senders = {each.id: each for each in map(Sender.read, _objects(rows))}
        self._seed = int(str(settings.get("seed", 1)))
        self._hub_url, self._notice_row = settings.get("hub_url"), settings.get("notice")
        self._start()
        self._routes: dict[tuple[str, str], Callable[[Mapping[str, object]], object]] = {
            ("POST", "/send"): self.send,
            ("POST", "/batch"): self.batch,
            ("POST", "/flush"): lambda _: {"sent": self._post.flush()},
            ("PUT", "/hub"): self._move,
            ("PUT", "/notice"): self._renotice,
            ("GET", "/senders"): lambda _: {
                "senders": [self._card(s) for s in self.senders.values()]
            },
        }

    def handle(self, request: Request) -> Delivery:
        """Answer one request of the bench's own face."""
        answer = self._answer(request)
        date = formatdate(usegmt=True)
        return delivered(answer, {}, date=date, method=request.method, is_last=request.is_last)

    def reset(self) -> None:
        """Forget what was sent, the faults and the clock; hub and notice are those of the start."""
        self.rig.faults.clear()
        self.rig.clock.reset()
        self.rig.journal.clear()
        self.close()
        self._start()

    def close(self) -> None:
        """Cancel what is planned and close the connections to the hub."""
        self._post.reset()
        if self._client is not None:
            self._client.close()

    def views(self) -> Mapping[str, View]:
        """The bench shows nothing more than its journal."""
        return {}

    def actions(self) -> Mapping[tuple[str, str], View]:
        """The bench has no other verb of control."""
        return {}

    def send(self, asked: Mapping[str, object]) -> object:
        """Build one event (or take the one given) and send it."""
        sender = self._sender(asked)
        built = self._taken_or_built(sender, asked)
        for name in ("id", "type"):
            if not isinstance(built.get(name), str):
                raise AskedWrongError("an event needs a text as", name)
        parcel = Parcel(sender=sender, client=self._hub(), events=(built,))
        sent = self._post.send(parcel)
        return {"event": built, "held": not sent, "sent": sent}

    def batch(self, asked: Mapping[str, object]) -> object:
        """Send several events in one request, as a kiosk does when it is on line again."""
        sender = self._sender(asked)
        wanted = _objects(asked.get("events"))
        events = tuple(self._taken_or_built(sender, each) for each in wanted)
        parcel = Parcel(
            sender=sender,
            client=self._hub(),
            events=events,
            is_batch=True,
            delivery_id=self._post.event_id(),
        )
        sent = self._post.send(parcel)
        return {"events": list(events), "held": not sent, "sent": sent}

    def built(self, sender: Sender, asked: Mapping[str, object]) -> dict[str, object]:
        """The event that the description stands for."""
        strangers = sorted(set(asked) - ASKED)
        if strangers:
            raise AskedWrongError("unknown members", *strangers)
        event_type = str(asked.get("type") or (sender.allowed_events or ("",))[0])
        if event_type not in TYPES:
            raise AskedWrongError("unknown type", event_type)
        happened_at = self._instant(asked.get("time"))
        newcomer = invent(self._chances)
        subject = asked.get("subject") or f"{sender.id}-{self._chances.getrandbits(40):010x}"
        return cloud_event(
            event_type,
            self._data(sender, event_type, asked, newcomer=newcomer, happened_at=happened_at),
            source=sender.source,
            event_id=str(asked.get("id") or self._post.event_id()),
            subject=None if event_type == "poster.scanned.v1" else str(subject),
            happened_at=happened_at,
        )

    def _taken_or_built(self, sender: Sender, asked: Mapping[str, object]) -> dict[str, object]:
        event = asked.get("event")
        return dict(event) if isinstance(event, Mapping) else self.built(sender, asked)

    def _commune(self, sender: Sender, asked: Mapping[str, object]) -> str:
        wished = asked.get("commune") or next(iter(sender.communes), None)
        if wished is None:
            raise AskedWrongError("an arrival needs a commune")
        return str(wished)

    def _data(
        self,
        sender: Sender,
        event_type: str,
        asked: Mapping[str, object],
        *,
        newcomer: Newcomer,
        happened_at: datetime,
    ) -> Mapping[str, object]:
        own = asked.get("data", {})
        if not isinstance(own, Mapping):
            raise AskedWrongError("data is an object")
        if event_type not in ARRIVALS:
            return own
        channel = asked.get("channel")
        data = arrival(
            event_type,
            commune=self._commune(sender, asked),
            newcomer=newcomer,
            sharing=Sharing(
                person=asked.get("person") is True,
                channel=None if channel is None else str(channel),
                notice=self._notice,
            ),
            happened_at=happened_at,
            collected_by=sender.source,
        )
        return {**data, **own}

    def _answer(self, request: Request) -> Answer:
        route = self._routes.get((request.method, request.path))
        if route is None:
            known = sorted(f"{method} {path}" for method, path in self._routes)
            return json_answer(404, {"error": "unknown route", "routes": known})
        try:
            asked = json.loads(request.body) if request.body else {}
            if not isinstance(asked, dict):
                raise AskedWrongError("an object is wanted")  # noqa: TRY301
            return json_answer(200, route(asked))
        except (AskedWrongError, ValueError) as error:
            return json_answer(400, {"error": " ".join(map(str, error.args))})

    def _start(self) -> None:
        self._chances = random.Random(self._seed)  # noqa: S311  repeatable on purpose
        self._post = PostOffice(self.rig, random.Random(self._seed + 1))  # noqa: S311
        self._client = None if self._hub_url is None else HubClient(str(self._hub_url))
        self._notice = None if self._notice_row is None else _notice(self._notice_row)

    def _move(self, asked: Mapping[str, object]) -> object:
        old, self._client = self._client, HubClient(str(asked.get("url")))
        if old is not None:
            old.close()
        return {"url": asked.get("url")}

    def _renotice(self, asked: Mapping[str, object]) -> object:
        self._notice = _notice(asked)
        return {"version": self._notice.version, "sha256": self._notice.sha256}

    def _hub(self) -> HubClient:
        if self._client is None:
            raise AskedWrongError("no hub yet: PUT /hub", '{"url": …}')
        return self._client

    def _sender(self, asked: Mapping[str, object]) -> Sender:
        sender = self.senders.get(str(asked.get("sender")))
        if sender is None:
            raise AskedWrongError("unknown sender; known:", *sorted(self.senders))
        return sender

    def _instant(self, text: object) -> datetime:
        return self.rig.clock.now() if text is None else parse_instant(str(text))

    def _card(self, sender: Sender) -> dict[str, object]:
        key = sender.keys[0]
        return {
            "id": sender.id,
            "source": sender.source,
            "key_id": key.key_id,
            "scheme": key.scheme,
            "allowed_events": list(sender.allowed_events),
        }


def _notice(document: object) -> Notice:
    if not isinstance(document, Mapping) or set(document) != {"version", "sha256"}:
        msg = 'a notice is {"version": …, "sha256": …}'
        raise ValueError(msg)
    return Notice(version=str(document["version"]), sha256=str(document["sha256"]))


def _objects(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        msg = "a list of objects is wanted"
        raise ValueError(msg)
    return value
