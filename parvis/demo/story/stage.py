"""What a scene is played with: who speaks, what is asked of the hub, what is checked.

A scene says a line only after the database and the doubles of the systems showed that it happened.
"""

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from mock_partners.senders import (
    Newcomer,
    Notice,
    Sharing,
    arrival,
    cloud_event,
    invent,
    new_event_id,
)
from orchestrator.services.open_data.gazetteer import display_name
from parvis.demo.browser import Browser, Page
from parvis.demo.city import City
from parvis.demo.facts import Facts, Row, Run
from parvis.demo.folder import DemoFolder
from parvis.demo.systems import Mock
from schemas.geo import Point, great_circle_km

PATIENCE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.02
SENDER_TRIES: Final = 30
CODE: Final = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}\b")
T = TypeVar("T")


class DidNotHappenError(Exception):
    """Something the story told of did not happen; the French sentence says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An event as it left a partner, and what the hub answered; ``at`` is when it left."""

    sender: str
    source: str
    event: Mapping[str, Any]
    status: int | None
    answer: Any
    at: datetime

    @property
    def id(self) -> str:
        """The event's id."""
        return str(self.event["id"])

    @property
    def subject(self) -> str:
        """The partner's own reference."""
        return str(self.event["subject"])

    @property
    def outcome(self) -> str | None:
        """What the hub said of it: ``accepted`` or ``duplicate``."""
        results = self.answer.get("results") if isinstance(self.answer, dict) else None
        return results[0]["status"] if results else None


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything a scene needs."""

    hub: str
    city: City
    folder: DemoFolder
    facts: Facts
    mocks: Mapping[str, Mock]
    notice: Notice
    tell: Callable[[str], None]
    chances: random.Random
    since: datetime
    play: str
    delays: list[float] = field(default_factory=list)

    # --- saying -----------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """Tell something new that happened."""
        self.tell(line)

    def then(self, line: str) -> None:
        """Tell what came of it."""
        self.tell(f"  → {line}")

    # --- who and where ----------------------------------------------------------------------------

    def sender_of(self, event_type: str) -> Mapping[str, Any]:
        """Return the first partner that may send a type of event."""
        found: Mapping[str, Any] = next(
            each for each in self.city.document["partners"] if event_type in each["allowed_events"]
        )
        return found

    def service(self, service_id: str) -> Mapping[str, Any]:
        """Return a service of the city's file."""
        services: list[Mapping[str, Any]] = self.city.document["services"]
        return next(each for each in services if each["id"] == service_id)

    def system(self, service_id: str) -> Mock:
        """Return the double of the system behind a service."""
        return self.mocks[self.service(service_id)["profile"]]

    @property
    def gateway(self) -> Mock:
        """The double of the gateway of text messages."""
        row = next(each for each in self.city.document["services"] if each["kind"] == "sms")
        return self.mocks[row["profile"]]

    @property
    def senders(self) -> Mock:
        """The bench of the partners."""
        return self.mocks["senders"]

    def newcomer(self) -> Newcomer:
        """Invent somebody who reads French."""
        return replace(invent(self.chances), language="fr")

    def at(self, commune: str) -> str:
        """Return « à Marseille »."""
        return f"à {self.facts.commune(commune)['name']}"

    # --- checking ---------------------------------------------------------------------------------

    def must(self, is_so: object, otherwise: str) -> None:
        """Go on only if it is so.

        Raises:
            DidNotHappenError: it is not.
        """
        if not is_so:
            raise DidNotHappenError(otherwise)

    def awaited(
        self, find: Callable[[], T | None], otherwise: str, *, seconds: float = PATIENCE_SECONDS
    ) -> T:
        """Wait until something is there.

        Raises:
            DidNotHappenError: it did not come in time.
        """
        end = time.monotonic() + seconds
        while True:
            found = find()
            if found:
                return found
            if time.monotonic() > end:
                sentence = f"{otherwise} (attendu {seconds:.0f} s)"
                raise DidNotHappenError(sentence)
            time.sleep(POLL_SECONDS)

    # --- what several scenes do -------------------------------------------------------------------

    def announce(
        self,
        event_type: str,
        *,
        commune: str,
        newcomer: Newcomer | None = None,
        has_person: bool = False,
        channel: str | None = None,
    ) -> Sent:
        """Have a partner announce an arrival; like any sender it tries again when it is cut off."""
        sender, now = self.sender_of(event_type), datetime.now(UTC)
        source = f"/partners/{sender['id']}"
        data = arrival(
            event_type,
            commune=commune,
            newcomer=newcomer or self.newcomer(),
            sharing=Sharing(person=has_person, channel=channel, notice=self.notice),
            happened_at=now,
            collected_by=source,
        )
        event = cloud_event(
            event_type,
            data,
            source=source,
            event_id=new_event_id(self.chances, now),
            subject=f"{sender['id'][:4].upper()}-{self.play}-{self.chances.getrandbits(24):06x}",
            happened_at=now,
        )
        return self._until_answered(sender["id"], event)

    def _until_answered(self, sender: str, event: Mapping[str, Any]) -> Sent:
        for _ in range(SENDER_TRIES):
            sent = self.send(sender, event)
            if sent.status not in {None, 503}:
                return sent
            time.sleep(0.5)
        raise DidNotHappenError("l'événement n'a pas eu de réponse")

    def send(self, sender: str, event: Mapping[str, Any]) -> Sent:
        """Have a partner sign and send an event as it is given."""
        told = self.senders.post("/send", {"sender": sender, "event": dict(event)})
        entries, answer = self.senders.journal(), told["sent"][0]
        left = next(each["at"] for each in entries if each["idempotency_key"] == event["id"])
        return Sent(
            sender=sender,
            source=str(event["source"]),
            event=event,
            status=answer["status"],
            answer=answer["answer"],
            at=datetime.fromisoformat(left),
        )

    def accepted(self, sent: Sent) -> None:
        """Check that an event was taken in."""
        self.must(
            sent.status == 202 and sent.outcome in {"accepted", "duplicate"},
            f"l'événement {sent.event['type']} n'a pas été reçu (réponse {sent.status})",
        )

    def run_of(self, sent: Sent) -> Run:
        """Return the run an event started, as it stands now."""
        return self.awaited(
            lambda: self.facts.run_of(sent.source, sent.id), "aucun parcours n'a commencé"
        )

    def library_of(self, source: str, subject: str, commune: str) -> Row:
        """Wait for the library that was chosen, and check it against the open data ourselves."""
        row = self.awaited(
            lambda: _with_place(self.facts.preregistration(source, subject)),
            "aucune bibliothèque n'a été choisie",
        )
        self.must(row["is_public"] and row["weekly_hours"], f"{row['place']} n'est pas ouverte")
        start = self.facts.commune(commune)
        origin = Point(start["latitude"], start["longitude"])
        far = great_circle_km(origin, Point(row["latitude"], row["longitude"]))
        nearest = min(
            great_circle_km(origin, Point(each["latitude"], each["longitude"]))
            for each in self.facts.open_libraries()
        )
        self.must(far <= nearest + 0.001, f"{row['place']} n'est pas la plus proche")
        name = display_name(row["place"], row["commune"])
        kilometres = f"{far:.1f}".replace(".", ",")
        where = "au centre de la commune" if far < 0.05 else f"à {kilometres} km du centre"
        return {**row, "shown": f"{name}, {where}"}

    def one_record(self, row: Row, category: str) -> Row:
        """Check that the library's system holds one record of a pre-registration, and created one."""
        system, service = self.system(row["service_id"]), self.service(row["service_id"])
        wanted = service["binding"][category]
        found = self.awaited(
            lambda: [
                each for each in system.patrons(row["our_ref"]) if each["category_id"] == wanted
            ],
            f"aucune fiche {wanted} dans le système de {service['name']}",
        )
        created = [
            each for each in system.effects("patron.created") if each["reference"] == row["our_ref"]
        ]
        self.must(len(found) == 1 and len(created) == 1, f"{len(created)} fiches créées pour une")
        return found[0]

    def text_with_code(self, run_id: UUID, address: str, left_at: datetime) -> tuple[str, float]:
        """Wait for the one text that carries the access code; returns the code and the delay in ms."""
        row = self.awaited(
            lambda: _first(self.facts.notifications(run_id)), "aucun SMS noté en base"
        )
        texts = [
            each for each in self.gateway.messages(receiver=address) if CODE.search(each["text"])
        ]
        self.must(len(texts) == 1, f"{len(texts)} SMS de code pour un seul attendu")
        self.must(str(texts[0]["id"]) == row["provider_ref"], "le SMS noté n'est pas celui reçu")
        entry = next(
            each
            for each in self.gateway.effects("sms.accepted")
            if texts[0]["id"] in each["effect"]["ids"]
        )
        delay = (datetime.fromisoformat(entry["at"]) - left_at).total_seconds() * 1000
        self.delays.append(delay)
        found = CODE.search(texts[0]["text"])
        assert found is not None  # noqa: S101 - the texts were chosen by it
        return found[0], delay

    def activate(self, code: str) -> Page:
        """Type an access code on the activation page, as a person does."""
        browser = Browser(self.hub)
        page = browser.get("/code")
        form = page.form("code")
        form.fill(code=code.lower().replace("-", " "))
        done = browser.send(page, form)
        self.must(
            done.status == 200 and done.url.endswith("/code/active"),
            f"la page d'activation a refusé le code (réponse {done.status})",
        )
        return done

    def ended(self, sent_source: str, event_id: str) -> Run:
        """Wait for the end of the run of an event."""
        return self.awaited(
            lambda: _done(self.facts.run_of(sent_source, event_id)),
            "le parcours ne s'est pas terminé",
        )


def shown(event: object) -> str:
    """Return something as JSON, for a comparison."""
    return json.dumps(event, sort_keys=True, ensure_ascii=False)


def milliseconds(value: float) -> str:
    """Return « 182 ms »."""
    return f"{value:.0f} ms"


def _with_place(row: Row | None) -> Row | None:
    return row if row and row["place"] else None


def _first(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None


def _done(run: Run | None) -> Run | None:
    return run if run and run.status == "done" else None
