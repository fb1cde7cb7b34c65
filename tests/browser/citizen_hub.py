"""The citizen pages on real services and a real database; only the worker is played."""

import threading
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from flask import Flask
from werkzeug.serving import make_server

from orchestrator.services.access_codes import AccessCodes, code_of, digest_of
from orchestrator.services.citizen_accounts import CitizenAccounts
from orchestrator.services.library_cards import LibraryCards
from orchestrator.services.placements import Placements
from orchestrator.services.ports.running import ServiceRef
from orchestrator.services.sign_in import SignIn
from orchestrator.services.signups import Signups, verification_code
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.library import (
    AccessCodeTable,
    AttemptCounters,
    PlaceDirectory,
    SignupTable,
)
from orchestrator.store.library_cards import CardTable
from orchestrator.store.placements import PlacementTable
from orchestrator.store.redemption import SignedInRedemption
from orchestrator.store.sessions import SessionTable
from orchestrator.store.sign_in import SignInTable
from schemas import ids
from schemas.logins import Face
from schemas.messages import Accepted
from schemas.receipts import Receipt
from web.citizen import CitizenServices, CityCard, create_blueprint
from web.layout import LayoutSettings, install

TOKEN = "AB12CD34"
_COMMUNES = (
    ("83050", "Draguignan", 0, "83", 39_000, ["83300"], 43.5365, 6.4640),
    ("83038", "Châteaudouble", 0, "83", 480, ["83300"], 43.6030, 6.4200),
    ("13055", "Marseille", 0, "13", 886_040, ["13001"], 43.3000, 5.4000),
    ("05061", "Gap", 0, "05", 40_000, ["05000"], 44.5600, 6.0800),
)
_LIBRARIES = (
    ("11", "Médiathèque communautaire", "83050", "Boulevard des Martyrs", "83300", 43.54, 6.46),
    ("12", "Bibliothèque municipale", "83038", "Place de la Mairie", "83300", 43.60, 6.42),
    ("13", "L'Alcazar", "13055", "58 cours Belsunce", "13001", 43.299, 5.375),
)


class PlayedWorker:
    """Stands where intake stands: keeps what the pages said and does what the worker would do."""

    def __init__(self, database, keys):
        self.messages = {}
        self.is_idle = False
        self._database = database
        self._keys = keys

    def receive_own(self, message):
        is_new = message.id not in self.messages
        self.messages.setdefault(message.id, message)
        if is_new and message.type.startswith("poster.") and not self.is_idle:
            self.issue(message)
        status = "accepted" if is_new else "duplicate"
        return Accepted(status=status, event_id=message.id, message_id=ids.uuid7())

    def of(self, kind):
        return [message for message in self.messages.values() if message.type.startswith(kind)]

    def sent_code(self):
        """The digits of the last message, as the person reads them."""
        data = self.of("contact.")[-1].data
        return verification_code(self._keys, UUID(data["signup_id"]), data["sends"])

    def issue(self, message):
        return issue_code(self._database, self._keys, subject=message.subject)


def issue_code(database, keys, *, subject, expires_in=timedelta(days=30)):
    """A run that waits, its pre-registration and a live code; returns the code."""
    run_id, code_id, preregistration_id = ids.uuid7(), ids.uuid7(), ids.uuid7()
    database.run(
        "INSERT INTO run(id, journey, version, key, status, waiting_for)"
        " VALUES (%s, 'library.arrival', 1, %s, 'waiting_signal', 'access_code.redeemed')",
        (run_id, subject),
    )
    database.run(
        "INSERT INTO preregistration(id, source, subject, citizen_id, run_id, place_id, our_ref,"
        " expires_at) VALUES (%s, '/hub/citizen', %s, %s, %s, '11', %s,"
        " parvis_now() + interval '90 days')",
        (preregistration_id, subject, ids.uuid7(), run_id, ids.new_reference()),
    )
    code = code_of(keys, code_id)
    database.run(
        "INSERT INTO access_code(id, preregistration_id, run_id, digest, expires_at)"
        " VALUES (%s, %s, %s, %s, parvis_now() + %s)",
        (code_id, preregistration_id, run_id, digest_of(keys, code), expires_in),
    )
    return code


def fill(database):
    """Four communes, three libraries, the posters of the tests."""
    for row in _COMMUNES:
        database.run(
            "INSERT INTO commune(code, name, link, department, population, postal_codes,"
            " former_codes, latitude, longitude, source, source_date)"
            " VALUES (%s, %s, %s, %s, %s, %s, '{}', %s, %s, 'test', 'test')",
            row,
        )
    for row in _LIBRARIES:
        database.run(
            "INSERT INTO place(id, kind, name, commune, address, postal_code, latitude, longitude,"
            " is_approximate, weekly_hours, is_public, details, source, source_date) VALUES"
            " (%s, 'library', %s, %s, %s, %s, %s, %s, false, 30, true, '{}', 'test', 'test')",
            row,
        )
    database.run("INSERT INTO territory(id, communes) VALUES ('t', '{83050,83038,13055}')")
    for token, status in ((TOKEN, "live"), ("0000GANE", "withdrawn")):
        database.run(
            "INSERT INTO placement(token, poster, place_name, commune, campaign, status) VALUES"
            " (%s, 'p', 'Bistro du Cours, Draguignan', '83050', 'automne', %s)",
            (token, status),
        )


def make_sign_in(database, vault, keys, realm=None):
    """Signing in at a realm that says what a test tells it; closed without one."""
    parts = {"database": database, "vault": vault, "keys": keys, "face": Face.CITIZEN}
    return SignIn(
        face=Face.CITIZEN,
        provider_now=lambda: realm,
        rows=SignInTable(**parts),
        sessions=SessionTable(**parts),
        keys=keys,
    )


class Desk:
    """Stands where the gateway stands: a library that knows the cards it is told."""

    def __init__(self):
        self.cards, self.asked, self.error = {}, [], None

    def can(self, _service, operation):
        return operation == "authenticate"

    def call(self, service, command, _log):
        self.asked.append((service.id, command))
        if self.error is not None:
            raise self.error
        typed = (command.data["card_number"], command.data["password"])
        record = self.cards.get(typed)
        is_expired = record == "expired"
        is_proved = record is not None and not is_expired
        data = {"is_proved": is_proved, "is_expired": is_expired}
        return Receipt(external_ref=record if is_proved else None, data=data)


def make_cards(database, vault, keys, desk=None):
    """Joining cards at a library that a test speaks for; none is offered without it."""
    library = ServiceRef(
        id="library_a",
        kind="library",
        name="Médiathèque d'essai",
        profile="koha_a",
        connector="koha",
        settings={},
    )
    return LibraryCards(
        libraries=lambda: [library] if desk else [],
        gateway=desk,
        rows=CardTable(database=database, vault=vault, keys=keys),
        attempts=AttemptCounters(database=database),
        keys=keys,
        keep=lambda _step, _log: None,
    )


def make_app(
    database,
    vault,
    keys,
    worker,
    *,
    public_url="http://127.0.0.1",
    realm=None,
    desk=None,
    **overrides,
):
    """The application of the tests; ``overrides`` replace parts of the services."""
    attempts = AttemptCounters(database=database)
    access_codes = AccessCodes(
        rows=AccessCodeTable(database=database, poke=lambda: None), attempts=attempts, keys=keys
    )
    services = {
        "placements": Placements(rows=PlacementTable(database=database), keys=keys),
        "signups": Signups(
            rows=SignupTable(database=database, vault=vault),
            intake=worker,
            keys=keys,
        ),
        "access_codes": access_codes,
        "sign_in": make_sign_in(database, vault, keys, realm),
        "accounts": CitizenAccounts(
            rows=CitizenSpaceTable(database=database, vault=vault),
            codes=SignedInRedemption(database=database, vault=vault, keys=keys),
            access_codes=access_codes,
            poke=lambda: None,
        ),
        "cards": make_cards(database, vault, keys, desk),
        "franceconnect": "france-connect",
        "places": PlaceDirectory(database=database),
        "city": lambda: CityCard(name="Métropole de démonstration", contact="parvis@example.org"),
        "result_wait_seconds": 0.3,
    }
    app = Flask("parvis-test")
    install(app, LayoutSettings(secret_keys=(b"k" * 32,), public_url=public_url))
    app.register_blueprint(create_blueprint(CitizenServices(**(services | overrides))))
    return app


@contextmanager
def serving(app):
    """The address of an application served by a thread of this process."""
    server = make_server("127.0.0.1", 0, app, threaded=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
