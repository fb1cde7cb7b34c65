"""One seed's world: people, senders, processes, systems, and everything that may be done to them.

Whoever drives it (a seeded schedule, a hypothesis machine) only chooses; what is done and how it is
judged is here, so that both try the same hub.
"""

import io
import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from uuid import UUID

import gevent
import psycopg

from mock_partners.senders import Notice, Sharing, arrival, cloud_event, invent, new_event_id
from orchestrator.services.access_codes import Redemption, code_of
from orchestrator.services.purposes import PARTNER_ARRIVAL, notice_sha256
from orchestrator.services.run_operations import Keys
from schemas import clock, ids
from schemas.errors import (
    EventIdReusedError,
    InvalidPayloadError,
    RequestError,
    StoreUnavailableError,
)
from schemas.messages import Message
from tests.reliability.broker import Broker
from tests.reliability.ending import Ending
from tests.reliability.ground import Ground
from tests.reliability.invariants import BrokenError, Invariants, demand
from tests.reliability.journeys import ASKED, SERVICES, SIGNED
from tests.reliability.processes import Process
from tests.reliability.stage import Parked, Stage
from tests.reliability.systems import FINAL, GOOD, City

CANARY = r"Canarine|\+3363998"
COMMUNES = {"13055": "koha_marseille", "84129": "drop_sorgues", "13001": "koha_aix"} | {
    "83050": "koha_draguignan"
}
SHARINGS = ((True, "sms"), (True, "sms"), (True, None), (False, "sms"), (False, None))
NOTICE = Notice(version=PARTNER_ARRIVAL, sha256=str(notice_sha256(PARTNER_ARRIVAL, "fr")))
ARRIVES, WITHDRAWS = "utility.contract_opened.v1", "contact.withdrawn.v1"
SENDER = "volt_provence"
A_WHILE = timedelta(days=4)


@dataclass
class Sent:
    """One event of a sender, and what the hub said of it."""

    event: dict
    asked: int = 0
    is_acknowledged: bool = False
    message_ids: set[str] = field(default_factory=set)
    run_id: str | None = None
    all_runs: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        return self.event["id"]

    @property
    def source(self) -> str:
        return self.event["source"]


class Logs:
    """What every process wrote, read once."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def take(self) -> str:
        said = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        return said


class Play(Ending):
    """The world of one seed."""

    def __init__(self, ground: Ground, chances: random.Random, *, with_broker: bool, logs: Logs):
        ground.empty()
        self.ground = ground
        self.chances = chances
        self.logs = logs
        self.stage = Stage(self.settle)
        self.broker = Broker(chances) if with_broker else None
        self.places: frozenset[str] = frozenset()
        self.invariants = Invariants(ground.looking, CANARY)
        self.city = City(
            self._asked, self.invariants.check_basis, lambda profile: profile != self.sick
        )
        self.events: dict[str, Sent] = {}
        self.workers: list[Process] = []
        self.web = self._process("web")
        self.sick: str | None = None
        self.database_fates: list[tuple[Process, str, int]] = []
        self.story: list[str] = []
        self.counts: Counter = Counter()
        self.faults: list[BaseException] = []
        self._offset = timedelta()
        self._went_back = False  # what was due at a moment is then due as much later
        self._numbers = 0

    @property
    def arrivals(self) -> list[Sent]:
        """What was announced, oppositions apart."""
        return [event for event in self.events.values() if event.event["type"] != WITHDRAWS]

    # --- the ports of the processes ---------------------------------------------------------------

    def reached(self, process: Process, place: str) -> None:
        """A named point of the product: the schedule may hold the greenlet, or kill the process."""
        if place in self.places:
            self.stage.arrive(place, process)

    def fate_of(self, process: Process, sql: str) -> str | None:
        """Say what becomes of a statement; only those that write can meet a deadlock."""
        for plan in self.database_fates:
            victim, fate, skip = plan
            if victim is process and (fate != "deadlock" or "UPDATE" in sql or "INSERT" in sql):
                self.database_fates.remove(plan)
                if skip:
                    self.database_fates.append((victim, fate, skip - 1))
                    return None
                self.counts[f"database.{fate}"] += 1
                return fate
        return None

    def _asked(self, place: str, process: Process, call) -> str | None:
        told = self.stage.arrive(place, process, call)
        if place == "partner.asked" and call.profile == self.sick and told == GOOD:
            return "refused"
        return told

    def settle(self) -> None:
        """Run everything until each greenlet has stopped somewhere; a committer may gather rows."""
        gevent.idle()
        while any(process.is_committing for process in (*self.workers, self.web)):
            gevent.sleep(0.0005)
            gevent.idle()

    # --- what may be done -------------------------------------------------------------------------

    def arrive(
        self, commune: str, sharing: tuple[bool, str | None], *, kind: str = ARRIVES
    ) -> Sent:
        """A partner announces somebody new, for one of the journeys."""
        self._numbers += 1
        person, channel = sharing
        newcomer = replace(
            invent(self.chances),
            family_name=f"Canarine-{chr(96 + self._numbers % 26 + 1)}",
            phone=f"+3363998{self.chances.randrange(10_000):04d}",
            language="fr",
        )
        now = clock.utcnow() - A_WHILE
        data = arrival(
            ARRIVES,
            commune=commune,
            newcomer=newcomer,
            sharing=Sharing(person=person, channel=channel, notice=NOTICE),
            happened_at=now,
            collected_by=f"/partners/{SENDER}",
        )
        if kind != ARRIVES:
            data["services"] = self.chances.sample(SERVICES, self.chances.randint(1, 3))
        return self._new_event(kind, data, f"S-{self._numbers}")

    def again(self, known: Sent) -> Sent:
        """The same sender speaks of the same person in another event."""
        return self._new_event(known.event["type"], known.event["data"], known.event["subject"])

    def withdraw(self, known: Sent) -> Sent:
        """A partner passes an opposition on."""
        purposes = ["library.preregistration", "access_code.delivery"]
        data = {
            "purposes": self.chances.choice([purposes, purposes[:1], purposes[1:]]),
            "channel": self.chances.choice(("sms", "none")),
        }
        return self._new_event(WITHDRAWS, data, known.event["subject"])

    def post(self, *events: Sent) -> None:
        """Send events at the same moment; who gets no answer sends again later."""
        self.note("post", *(event.id[-6:] for event in events))
        for event in events:
            event.asked += 1
            self.web.do(self._receive, event)
        self.settle()

    def post_another_body(self, known: Sent) -> None:
        """The same id with another body: refused, nothing changes."""
        self.note("another body", known.id[-6:])
        other = {**known.event, "data": {**known.event["data"], "commune": "84129"}}
        if other == known.event:
            other["data"] = {**other["data"], "commune": "13055"}
        made = self.web.do(self._receive_other, known, other)
        self.settle()
        assert made.dead or self.web.database.is_away

    def redeem(self, *, times: int = 1) -> None:
        """Somebody types a code, or several people type it at once: one of them is let in."""
        rows = self.ground.looking.execute(
            "SELECT id FROM access_code WHERE redeemed_at IS NULL AND expires_at > parvis_now() "
            "ORDER BY created_at, id"
        ).fetchall()
        if rows:
            self.redeem_code(self.chances.choice(rows)["id"], times=times)

    def redeem_code(self, code_id: UUID, *, times: int = 1) -> None:
        self.note("redeem", times)
        made = [self.web.do(self._redeem, code_id) for _ in range(times)]
        self.settle()
        let_in = sum(job.value is Redemption.REDEEMED for job in made)
        demand(let_in <= 1, 7, f"{let_in} of {times} parallel redemptions were let in")

    def signal(self, run_id: UUID | str, name: str, dedup: str, *, times: int = 1) -> None:
        """A signal comes: early, late, twice, or to a run that never waits for it."""
        self.note("signal", name, times)
        for _ in range(times):
            self.web.do(self._signal, run_id, name, dedup)
        self.settle()

    def consent(self, run_id: UUID | str) -> None:
        """A person agrees on our page: the record, and the signal to the run."""
        row = self.ground.looking.execute(
            "SELECT p.pseudonym FROM run r JOIN pseudonym p ON p.citizen_id = r.citizen_id "
            "WHERE p.service = 'journal' AND r.id = %s",
            (run_id,),
        ).fetchone()
        if row is None:
            return
        self.note("consent")
        self._record_consent(row["pseudonym"])
        self.signal(run_id, "consent.given", f"consent:{clock.utcnow().timestamp()}")

    def sign(self) -> None:
        """Somebody signs a card."""
        waiting = [run for run in self.runs() if run["waiting_for"] == SIGNED]
        if waiting:
            run = self.chances.choice(waiting)
            self.signal(run["id"], SIGNED, f"signed:{run['id']}", times=2)

    def decide(self, *given: str) -> None:
        """A person answers a task; two at once, and one is heard."""
        tasks = self.ground.looking.execute(
            "SELECT id, decisions FROM human_task WHERE closed_at IS NULL "
            "AND cardinality(decisions) > 0 ORDER BY opened_at, id"
        ).fetchall()
        if tasks:
            task = self.chances.choice(tasks)
            answers = given or [self.chances.choice(task["decisions"]) for _ in range(2)]
            self.note("decide", *answers)
            for answer in answers:
                self.web.do(self._act, self.web.repairs.tasks.decide, task["id"], answer)
            self.settle()

    def operate(self, run_id: UUID, act: str) -> None:
        """A person takes care of a run: what its state does not allow is refused, with a sentence."""
        self.note("operate", act, str(run_id)[-4:])
        operations = self.web.operations
        match act:
            case "skip" | "discard":
                how = {"reason": "décidé au guichet"}
            case "fork":
                how = {"start": str(self.chances.randint(1, 4)), "keys": Keys.SAME}
            case _:
                how = {}
        self.web.do(self._act, getattr(operations, act), run_id, **how)
        self.settle()

    def look(self) -> None:
        """Waiting workers look for wakes."""
        waiting = [here for here in self.stage.parked if here.place == "worker.waits"]
        if waiting:
            self.stage.let_go(waiting)

    def let_go(self, chosen: list[Parked], told: str | None = None) -> None:
        """Greenlets go on; calls among them meet their fate."""
        self.note("go", *(f"{here.place}={told or ''}" for here in chosen))
        if told in FINAL:
            self.counts[told] += 1
        self.stage.let_go(chosen, told)

    def start_worker(self) -> None:
        made = self._process("worker")
        self.note("start", made.name)
        self.workers.append(made)
        made.start()
        self.settle()

    def kill(self, process: Process) -> None:
        """Kill -9."""
        self.note("kill", process.name)
        self.counts["kills"] += 1
        self.database_fates = [plan for plan in self.database_fates if plan[0] is not process]
        process.kill()
        self.settle()
        if process is self.web:
            self.web = self._process("web")
        else:
            self.workers.remove(process)

    def turn(self, by: timedelta) -> None:
        """Turn the clock, of the hub and of its database."""
        self.note("turn", by)
        self._went_back = self._went_back or by < timedelta()
        self._offset += by
        self.ground.cables.turn(self._offset)

    def tick(self) -> None:
        """Timers and sweeper do their round."""
        for store in (self.web.runs.wake_due, self.web.runs.sweep_late, self.web.probes):
            self.web.do(self._quietly, store)
        self.settle()
        self.relay()

    def relay(self, *, forgets: bool = False) -> None:
        """Bring the outbox to the broker; a relay that dies in between publishes twice."""
        if self.broker is None:
            return
        sql = "SELECT id, key FROM outbox WHERE topic = 'wake' ORDER BY id LIMIT 100"
        rows = self.ground.looking.execute(sql).fetchall()
        self.broker.publish([row["key"] for row in rows])
        if rows and not forgets:
            numbers = [row["id"] for row in rows]
            self.ground.looking.execute("DELETE FROM outbox WHERE id = ANY(%s)", (numbers,))

    def strike(self, process: Process, fate: str, skip: int) -> None:
        """One of a process's next statements will fail."""
        self.note("strike", process.name, fate, skip)
        self.database_fates.append((process, fate, skip))

    def leave(self, process: Process) -> None:
        """The database goes away for a process, until it comes back."""
        self.note("leave", process.name)
        self.counts["database.away"] += 1
        process.database.is_away = True
        process.database.cut()

    def come_back(self) -> None:
        """The database is there for everybody again."""
        for process in (*self.workers, self.web):
            process.database.is_away = False

    def check(self) -> None:
        """Hold the world against the invariants."""
        self.counts["checks"] += 1
        self.invariants.check(self)
        if self.faults:
            raise self.faults[0]

    # --- the end ----------------------------------------------------------------------------------

    def end(self) -> None:
        """Let go of everything."""
        for process in [*self.workers, self.web]:
            process.kill()
        self.settle()

    def note(self, *words: object) -> None:
        self.story.append(" ".join(map(str, words)))

    # --- inside -----------------------------------------------------------------------------------

    def _process(self, name: str) -> Process:
        return Process(settings=self.ground.settings, play=self, name=name)

    def _new_event(self, kind: str, data: dict, subject: str) -> Sent:
        now = clock.utcnow() - A_WHILE
        made = cloud_event(
            kind,
            data,
            source=f"/partners/{SENDER}",
            event_id=new_event_id(self.chances, clock.utcnow()),
            subject=subject,
            happened_at=now,
        )
        self.events[made["id"]] = Sent(event=made)
        self.counts["attempt"] += 1
        return self.events[made["id"]]

    def _take_in(self, event: dict) -> None:
        if event["type"] in ASKED:
            names = ("type", "source", "id", "subject", "data")
            self.web.intake.receive_own(Message(**{name: event[name] for name in names}))
        else:
            raw = json.dumps(event).encode()
            self.web.intake.receive(self.ground.partners[SENDER], raw, {})

    def _receive(self, event: Sent) -> None:
        try:
            self._take_in(event.event)
        except StoreUnavailableError:
            self.counts["503"] += 1
        except InvalidPayloadError as error:
            self._out_of_time(event, error)
        except Exception as error:  # noqa: BLE001 - a sender may get a 202 or a 503, nothing else
            self._unexpected("intake", error)
        else:
            self.counts["acknowledged"] += not event.is_acknowledged
            event.is_acknowledged = True

    def _out_of_time(self, event: Sent, error: InvalidPayloadError) -> None:
        """Our clock was turned past what we take from a sender: refused, and never acknowledged."""
        if [where for where, _ in error.errors] != ["#/time"]:
            self._unexpected("intake", error)
        if not event.is_acknowledged and self.events.pop(event.id, None):
            self.counts["out of time"] += 1
            self.counts["attempt"] -= 1

    def _receive_other(self, known: Sent, other: dict) -> None:
        before = self._kept(known)
        try:
            self._take_in(other)
        except (EventIdReusedError, StoreUnavailableError, InvalidPayloadError):
            if known.is_acknowledged:
                demand(self._kept(known) == before, 2, "a refused body changed something")
        except Exception as error:  # noqa: BLE001 - as above
            self._unexpected("intake", error)
        else:
            if known.is_acknowledged:
                self._unexpected("intake", BrokenError("invariant 2: another body was accepted"))
            else:
                known.event = other
                known.is_acknowledged = True

    def _kept(self, known: Sent) -> int:
        return self.ground.looking.execute(
            "SELECT count(*) AS n FROM message WHERE source = %s AND event_id = %s",
            (known.source, known.id),
        ).fetchone()["n"]

    def _redeem(self, code_id: UUID) -> Redemption | None:
        code = code_of(self.web.keys, code_id)
        try:
            return self.web.codes.redeem(code, session="s", network="n")
        except (StoreUnavailableError, psycopg.Error):
            return None

    def _act(self, act, *arguments, **how) -> None:
        try:
            self._quietly(lambda: act(*arguments, actor="cli:campaign", **how))
        except RequestError:
            self.counts["refused"] += 1
        except Exception as error:  # noqa: BLE001 - a person reads a sentence, nothing else
            self._unexpected("operations", error)
        else:
            self.counts["acts"] += 1

    def _signal(self, run_id: UUID, name: str, dedup: str) -> None:
        self._quietly(lambda: self.web.runs.signal(run_id, name, dedup=dedup))

    def _quietly(self, act) -> None:
        """Do what a request or a timer does; a database that is away is borne."""
        try:
            act()
        except (StoreUnavailableError, psycopg.Error):
            self.counts["borne"] += 1

    def _unexpected(self, where: str, error: Exception) -> None:
        self.counts["unexpected"] += 1
        said = f"{where}: {type(error).__name__}: {error} {getattr(error, 'errors', '')}"
        self.faults.append(BrokenError(said))
        self.faults[-1].__cause__ = error

    def _record_consent(self, subject_ref: str) -> None:
        now = clock.utcnow().astimezone(UTC)
        self.ground.looking.execute(
            "INSERT INTO consent_record(record_id, subject_ref, controller, purposes, channel, "
            "recipients, notice_version, notice_sha256, locale, ui_evidence, collected_by, "
            "event_type, event_time) VALUES (%s, %s, 'ville', %s, 'none', '{}', %s, %s, 'fr', '{}', "
            "'campaign', 'given', %s)",
            (
                ids.uuid7(),
                subject_ref,
                ["library.preregistration"],
                NOTICE.version,
                NOTICE.sha256,
                now,
            ),
        )

    def runs(self) -> list[dict]:
        return self.ground.looking.execute("SELECT * FROM run ORDER BY id").fetchall()


__all__ = ["CANARY", "COMMUNES", "SHARINGS", "Logs", "Play", "Sent"]
