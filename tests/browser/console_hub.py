"""The console on real stores and a real database, with a day of the hub written by those stores."""

from datetime import timedelta
from json import dumps
from types import SimpleNamespace

from flask import Flask

from orchestrator import journeys
from orchestrator.engine import effects as e
from orchestrator.engine.runs import Park, Transition
from orchestrator.services.connector_views import ConnectorViews
from orchestrator.services.ports.intake import Arrival, RunStart
from orchestrator.services.run_views import RunViews
from orchestrator.services.sign_in import SignIn
from orchestrator.services.staff_entry import StaffEntry
from orchestrator.services.staff_links import StaffLinks
from orchestrator.store.committer import Committer
from orchestrator.store.intake import PostgresInbox
from orchestrator.store.notifier import Notifier
from orchestrator.store.runs import RunStore
from orchestrator.store.sessions import SessionTable
from orchestrator.store.sign_in import SignInTable
from orchestrator.store.staff import StaffTable
from orchestrator.store.staff_roles import StaffRoleTable
from orchestrator.store.views import RunViewRows, SystemViewRows
from schemas import clock, ids
from schemas.logins import Face
from schemas.messages import Message
from schemas.receipts import Exchange
from web.console import ConsoleServices, create_blueprint
from web.layout import LayoutSettings, install

CANARIES = (
    "Zéphyrine",
    "Canari-Dupont",
    "+33639981234",
    "0639981234",
    "zephyrine.canari@example.org",
    "K7QMX-2ABCD",
    "K7QMX2ABCD",
    "ref-canari-77",
    "patron-canari-4242",
    "Rue du Canari",
)
PERSON = {"family_name": "Canari-Dupont", "given_name": "Zéphyrine"}
CONTACT = {"channel": "sms", "address": "+33639981234"}
PROOF = {
    "purposes": ["library.preregistration", "access_code.delivery"],
    "channel": "sms",
    "notice_version": "2026-09",
    "notice_sha256": "a" * 64,
    "method": "box",
    "collected_at": "2026-11-20T09:11:00.000Z",
    "locale": "fr",
    "collected_by": "Rue du Canari",
}
SOURCE = "/partners/volt_exemple"
_TWO_DAYS_AGO = -172_800.0


def make_app(database, vault, keys, *, public_url="http://127.0.0.1", realm=None):
    """The application of the tests, with the console and nothing else; ``realm`` stands for that of staff."""
    parts = {"database": database, "vault": vault, "keys": keys, "face": Face.CONSOLE}
    entry = StaffEntry(
        sign_in=SignIn(
            face=Face.CONSOLE,
            provider_now=lambda: realm,
            rows=SignInTable(**parts),
            sessions=SessionTable(**parts),
            keys=keys,
        ),
        links=StaffLinks(rows=StaffTable(database=database, vault=vault), keys=keys),
        roles=StaffRoleTable(database=database, vault=vault),
    )
    services = ConsoleServices(
        entry=entry,
        runs=RunViews(
            rows=RunViewRows(database, vault),
            journeys=journeys.journey_for,
            journey_names=sorted({name for name, _ in journeys.all_journeys()}),
        ),
        connectors=ConnectorViews(
            rows=SystemViewRows(database),
            titles=lambda: {"ils": "Logiciel de bibliothèque", "texts": "Passerelle de SMS"},
        ),
        city=lambda: "Métropole de démonstration",
    )
    app = Flask("parvis-console-test")
    install(app, LayoutSettings(secret_keys=(b"k" * 32,), public_url=public_url))
    app.register_blueprint(create_blueprint(services))
    app.extensions["console"] = services
    return app


def sign_in(client, links, *, actor="cli:essai"):
    """Follow a fresh link, press its button; returns the answer to the button."""
    path = links.create(actor)
    page = client.get(path)
    assert page.status_code == 200
    token = page.text.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
    return client.post(path, data={"csrf_token": token})


class Past:
    """Writes what intake and workers would have written, through their own stores."""

    def __init__(self, database, vault):
        self.database = database
        self.vault = vault
        self._committer = Committer(database)
        notifier = Notifier(database)
        self._inbox = PostgresInbox(database, self._committer, vault, notifier)
        self._runs = RunStore(database, self._committer, vault, notifier)

    def city(self):
        """Three systems, three services, two partners and a library."""
        for profile, connector in (("ils_nord", "ils"), ("ils_sud", "ils"), ("sms_ville", "texts")):
            self.database.run(
                "INSERT INTO profile(id, connector, settings) VALUES (%s, %s, '{}')",
                (profile, connector),
            )
        for service, kind, name, profile in (
            ("lib_nord", "library", "Médiathèque du Nord", "ils_nord"),
            ("lib_sud", "library", "Bibliothèque du Sud", "ils_sud"),
            ("text_messages", "sms", "Messages par SMS", "sms_ville"),
        ):
            self.database.run(
                "INSERT INTO service(id, kind, name) VALUES (%s, %s, %s)", (service, kind, name)
            )
            self.database.run(
                "INSERT INTO binding(service_id, profile_id, settings) VALUES (%s, %s, '{}')",
                (service, profile),
            )
        for partner, name in (
            ("volt_exemple", "Volt Exemple"),
            ("agence_exemple", "Agence Exemple"),
        ):
            self.database.run(
                "INSERT INTO partner(id, name, allowed_events, territories)"
                " VALUES (%s, %s, '{}', '{}')",
                (partner, name),
            )
        self.database.run(
            "INSERT INTO commune(code, name, link, department, postal_codes, former_codes, source,"
            " source_date) VALUES ('13055', 'Marseille', 0, '13', '{13001}', '{}', 't', 't')"
        )
        self.database.run(
            "INSERT INTO place(id, kind, name, commune, is_approximate, is_public, details, source,"
            " source_date) VALUES ('11', 'library', 'Médiathèque du Nord', '13055', false, true,"
            " '{}', 't', 't')"
        )

    def arrival(self, number, *, source=SOURCE, journey="library.arrival"):
        """Take in an event about a person made of canaries; returns the id of its run."""
        data = {"commune": "13055", "person": PERSON, "contact": CONTACT, "consent": PROOF}
        subject = f"ref-canari-77-{number}"
        message = Message(
            type="utility.contract_opened.v1",
            source=source,
            id=f"evt-{number}",
            subject=subject,
            data=data,
        )
        body = {
            "specversion": "1.0",
            "id": message.id,
            "source": source,
            "type": message.type,
            "subject": subject,
            "time": "2026-11-22T09:00:00.000Z",
            "data": {**data, "utility": "electricity"},
            "extension": "Zéphyrine",
        }
        starts = RunStart(journey=journey, version=1, key=f"{source} {subject}", data=data)
        accepted = self._inbox.accept(
            Arrival(
                message=message,
                body=dumps(body).encode(),
                body_digest=str(number).encode(),
                headers={},
                starts=starts,
            )
        )
        row = self.database.one("SELECT id FROM run WHERE message_id = %s", (accepted.message_id,))
        return row["id"]

    def step(self, run_id, name, *, at=0.0, lasts=0.05, **changes):
        """Log one attempt of a step, ``at`` seconds after now."""
        run, key = self._runs.read(run_id)
        begun = clock.utcnow() + timedelta(seconds=at)
        values = {
            "run_id": run_id,
            "fence": run.fence,
            "step": run.step + 1,
            "to": "ready",
            "name": name,
            "attempt": run.attempts(name) + 1,
            "outcome": "ok",
            "started_at": begun,
            "ended_at": begun + timedelta(seconds=lasts),
        }
        moved = self._runs.transit(
            Transition(**(values | changes)), seq=run.seq + 1, key=key, worker="essai:1"
        )
        assert moved is not None

    def wait(self, run_id, signal, *, days=90):
        """Park a run until a signal."""
        run, _ = self._runs.read(run_id)
        parked = Park(
            run_id=run_id,
            fence=run.fence,
            signals=run.signals,
            to="waiting_signal",
            waiting_for=signal,
            wake_at=clock.utcnow() + timedelta(days=days),
        )
        assert self._runs.park(parked)

    def announced(self, number, *, source=SOURCE, at=0.0):
        """A run whose person is announced and whose library is chosen."""
        run_id = self.arrival(number, source=source)
        preregistration_id = ids.uuid7()
        staged = e.PreregistrationStaged(
            id=preregistration_id,
            source=source,
            subject=f"ref-canari-77-{number}",
            citizen_id=ids.uuid7(),
            our_ref=ids.new_reference(),
            expires_at=clock.utcnow() + timedelta(days=90),
        )
        self.step(run_id, "announce", at=at, lasts=0.012, effects=(staged,))
        chosen = e.PlaceChosen(id=preregistration_id, place_id="11", service_id="lib_nord")
        self.step(run_id, "library", at=at + 0.02, lasts=0.03, effects=(chosen,))
        return run_id, preregistration_id

    def finished(self, number):
        """A run from the event to the activated record, with a wait of two days."""
        run_id, preregistration_id = self.announced(number, at=_TWO_DAYS_AGO)
        past = _TWO_DAYS_AGO
        self.step(run_id, "issue_code", at=past + 0.06, lasts=0.004)
        sent = exchange(
            "sms_ville", "send", at=past + 0.09, body={"receivers": [CONTACT["address"]]}
        )
        self.step(run_id, "notify_library_code", at=past + 0.08, lasts=0.16, effects=(sent,))
        refused = {"class": "PartnerUnavailableError", "profile": "ils_nord", "detail": "HTTP 503"}
        self.step(
            run_id,
            "preregister",
            at=past + 0.3,
            lasts=0.4,
            step=4,
            outcome="error",
            error=refused,
            effects=(exchange("ils_nord", "preregister", at=past + 0.3, status=503),),
        )
        moved = e.PreregistrationMoved(
            id=preregistration_id, state="activated", external_ref="patron-canari-4242"
        )
        self.step(
            run_id,
            "preregister",
            at=past + 1.4,
            lasts=0.2,
            step=5,
            output={"external_ref": "patron-canari-4242"},
            effects=(exchange("ils_nord", "preregister", at=past + 1.4), moved),
        )
        self.step(run_id, "wait_access_code_redeemed", at=-10, lasts=0.003)
        self.step(run_id, "require_library_preregistration", at=-9.99, lasts=0.004)
        last = exchange("ils_nord", "activate", at=-9.95, path="/patrons/4242/Zéphyrine")
        self.step(run_id, "activate", at=-9.98, lasts=0.19, step=8, to="done", effects=(last,))
        self.database.run(
            "UPDATE run SET created_at = created_at - interval '2 days' WHERE id = %s", (run_id,)
        )
        return run_id

    def failing(self, number):
        """A run whose system is away: another attempt is planned."""
        run_id, _ = self.announced(number)
        error = {
            "class": "PartnerUnavailableError",
            "profile": "ils_sud",
            "operation": "preregister",
            "detail": "no connection in time",
        }
        self.step(
            run_id,
            "preregister",
            at=0.1,
            lasts=3.05,
            step=4,
            to="waiting_timer",
            outcome="deferred",
            error=error,
            wake_at=clock.utcnow() + timedelta(minutes=15),
            waiting_for="system:ils_sud",
            effects=(exchange("ils_sud", "preregister", at=0.1, outcome="not_connected:timeout"),),
        )
        return run_id

    def stuck(self, number):
        """A run that a system refuses for good."""
        run_id, _ = self.announced(number)
        error = {
            "class": "PartnerRejectedError",
            "profile": "ils_nord",
            "detail": "refused: Zéphyrine Canari-Dupont 0639981234",
        }
        self.step(
            run_id,
            "preregister",
            at=0.1,
            lasts=0.2,
            step=4,
            to="stuck",
            outcome="error",
            error=error,
            error_code="rejected",
            effects=(exchange("ils_nord", "preregister", at=0.1, status=400),),
        )
        return run_id

    def waiting(self, number):
        """A run that waits for somebody to type a code."""
        run_id, _ = self.announced(number)
        self.step(run_id, "issue_code", at=0.06, lasts=0.004)
        self.step(run_id, "notify_library_code", at=0.08, outcome="skipped", cause="no_contact")
        self.step(run_id, "preregister", at=0.2, outcome="skipped", cause="no_basis")
        self.wait(run_id, "access_code.redeemed")
        return run_id

    def pause(self, profile):
        """The breaker of a system opens."""
        self.database.run(
            "INSERT INTO breaker(profile, state, cause, failures, reason, opened_at, next_probe_at)"
            " VALUES (%s, 'open', 'access', 3, 'preregister', parvis_now(), parvis_now() + interval '15 min')",
            (profile,),
        )

    def day(self):
        """A day of the hub, with each kind of run."""
        self.city()
        self.pause("ils_sud")
        made = {
            "finished": self.finished(1),
            "failing": self.failing(2),
            "stuck": self.stuck(3),
            "waiting": self.waiting(4),
            "ready": self.arrival(5, source="/hub/citizen"),
        }
        return SimpleNamespace(**made)


def exchange(profile, operation, *, at, status=201, outcome=None, body=None, path="/patrons"):
    """One recorded call whose bodies hold canaries wherever a body can."""
    begun = clock.utcnow() + timedelta(seconds=at)
    asked = body or {
        "surname": "Canari-Dupont",
        "firstname": "Zéphyrine",
        "mobile": CONTACT["address"],
        "extended": [{"K7QMX-2ABCD": "K7QMX2ABCD"}],
    }
    is_answered = outcome is None
    return e.ExchangeMade(
        step=operation,
        exchange=Exchange(
            profile=profile,
            operation=operation,
            address=f"POST library.example.org/api/v1{path}",
            asked_at=begun,
            sent_at=begun + timedelta(milliseconds=3) if is_answered else None,
            answered_at=begun + timedelta(milliseconds=120) if is_answered else None,
            ended_at=begun + timedelta(milliseconds=121),
            outcome=outcome or ("ok" if status < 400 else "refused"),
            status=status if is_answered else None,
            idempotency_key="cle",
            request={
                "headers": {"X-Nom": "Zéphyrine"},
                "query": "q=zephyrine.canari@example.org",
                "body": dumps(asked),
            },
            response={
                "headers": {},
                "body": '{"patron_id": "patron-canari-4242", "Zéphyrine": 1}'
                if status < 400
                else "Erreur pour Zéphyrine Canari-Dupont",
            }
            if is_answered
            else None,
        ),
    )


def erase(database, run_id):
    """Destroy the data key of a run, as erasing its person does."""
    database.run(
        "DELETE FROM data_key WHERE id = (SELECT data_key_id FROM run WHERE id = %s)", (run_id,)
    )


__all__ = ["CANARIES", "Past", "erase", "exchange", "make_app", "sign_in"]
