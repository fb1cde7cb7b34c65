"""A hub in this process for applications with tokens, over doubles of what is behind the API."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from types import SimpleNamespace
from uuid import UUID

from identity.jwks import RealmKeys
from orchestrator.api import ApiServices, PartnerFace, PortalFace
from orchestrator.api.application import ApiLayer
from orchestrator.services.access_codes import Redemption
from orchestrator.services.api_access import ApiAccess
from orchestrator.services.api_clients import SCOPES, ClientsInService
from orchestrator.services.idempotency import Idempotency
from orchestrator.services.offered_services import OfferedServices
from orchestrator.services.partner_keys import PartnerKeys
from orchestrator.services.portal import CitizenPortal
from orchestrator.services.portal_cards import PortalCards
from orchestrator.services.ports.api_clients import ApiClient, ClientKind
from orchestrator.services.ports.idempotency import Seen
from orchestrator.services.ports.library_cards import CardOutcome
from orchestrator.services.ports.portal import (
    PortalAccount,
    PortalLogin,
    PortalSpace,
    TokenCitizen,
)
from orchestrator.services.rate_limits import RateLimits, RatePolicy
from orchestrator.services.readiness import Readiness
from schemas import clock
from schemas.errors import IdentityUnavailableError, NotFoundError
from schemas.logins import Level
from tests.fakes.partner import PUBLIC_URL, Book, ReadinessFake, call, pages
from tests.fakes.tokens import AUDIENCE, ISSUER, SUBJECT, application_claims, claims, signed
from tests.fakes.tokens import public_jwk as jwk

ACCOUNT = UUID("0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10")
LOGIN = UUID("0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c11")
CITIZEN = TokenCitizen(
    login_id=LOGIN,
    citizen_id=UUID("0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c12"),
    level=Level.STRONG,
    idp_alias=None,
    proved_at=None,
)


class Clients:
    """Rows of clients in a dictionary."""

    def __init__(self):
        self.held, self.read = {}, 0
        self.put("portal", ClientKind.APPLICATION)
        self.put("portal-login", ClientKind.CITIZEN)

    def put(self, client_id, kind, **changes):
        values = {
            "client_id": client_id,
            "application": "portail",
            "kind": kind,
            "scopes": frozenset(SCOPES[kind]),
            "added_by": "cli:test",
            "added_at": clock.utcnow(),
            "disabled_at": None,
        }
        self.held[client_id] = ApiClient(**(values | changes))

    def change(self, client_id, **changes):
        self.held[client_id] = replace(self.held[client_id], **changes)

    def clients(self):
        self.read += 1
        return list(self.held.values())


class Citizens:
    """The use cases behind a citizen's token; ``done`` are the acts, with their citizen."""

    def __init__(self):
        self.known = {(ISSUER, SUBJECT): CITIZEN}
        self.done, self.outcome, self.raising = [], Redemption.REDEEMED, None
        self.way = "realm"

    def find(self, issuer, subject, *, provider):
        found = self.known.get((issuer, subject))
        return found and replace(found, idp_alias=provider or self.way)

    def space(self, citizen):
        account = PortalAccount(
            id=ACCOUNT,
            service_id="lib_centre",
            name="Bibliothèque du centre",
            state="open",
            level=Level.CONTACT_PROVED,
            method="access_code",
            opened_at=clock.utcnow(),
        )
        login = PortalLogin(
            id=LOGIN,
            alias="france-connect",
            method="franceconnect",
            level=Level.ACCOUNT_PROVED,
            since=clock.utcnow(),
            last_used_at=clock.utcnow(),
        )
        return PortalSpace(
            level=citizen.level, state="active", language="fr", accounts=[account], logins=[login]
        )

    def redeem(self, citizen, code, *, network):
        self._did(citizen, "redeem", code, network)
        return self.outcome

    def close_account(self, citizen, account_id):
        if account_id != ACCOUNT:
            raise NotFoundError
        self._did(citizen, "close_account", account_id)

    def unlink(self, citizen, login_id):
        if login_id != LOGIN:
            raise NotFoundError
        self._did(citizen, "unlink", login_id)

    def _did(self, citizen, *what):
        self.done.append((citizen, *what))
        if self.raising:
            raise self.raising


class Cards:
    """A library that says what it is told; ``asked`` are the cards, with who holds them."""

    def __init__(self):
        self.asked, self.outcome = [], CardOutcome.LINKED

    def offered(self):
        return [SimpleNamespace(id="lib_centre")]

    def link_for(self, card, *, holder, network):
        self.asked.append((card, holder, network))
        return self.outcome


class KeptAnswers:
    """Rows of idempotency keys in a dictionary."""

    def __init__(self):
        self.held = {}

    def begin(self, digest, *, fingerprint):
        seen = self.held.get(digest)
        if seen is None:
            self.held[digest] = Seen(fingerprint=fingerprint, kept=None)
        return seen

    def finish(self, digest, kept):
        self.held[digest] = replace(self.held[digest], kept=kept)

    def give_up(self, digest):
        self.held.pop(digest, None)


class Realm:
    """The address of the realm's keys."""

    def __init__(self):
        self.names, self.asked, self.is_away = ["k1"], 0, False

    def __call__(self):
        self.asked += 1
        if self.is_away:
            raise IdentityUnavailableError
        return json.dumps({"keys": [jwk(name) for name in self.names]}).encode()


class Offer:
    """One library and one gateway."""

    def __init__(self):
        row = type("Row", (), {})
        self.services = {}
        for service_id, kind in (("lib_centre", "library"), ("text_messages", "sms")):
            one = row()
            one.id, one.kind, one.name = service_id, kind, f"Nom de {service_id}"
            one.territory, one.place_id, one.min_level = "centre", None, 1
            self.services[service_id] = one
        self.territories = {"centre": ("13055", "13001")}
        self.places = {}

    def commune(self, _code):
        return None


class PortalHub:
    """The API over doubles; ``get`` and the like send a citizen's good token unless told otherwise."""

    def __init__(
        self,
        *,
        quota=1_000_000,
        citizens=None,
        tokens=None,
        realm=None,
        audience=AUDIENCE,
        kept=None,
        cards=None,
    ):
        self.cards = cards or Cards()
        self.clients, self.citizens = Clients(), citizens or Citizens()
        self.realm = realm or Realm()
        self.elapsed, self.kept = 1000.0, kept or KeptAnswers()
        self.keys = RealmKeys(self.realm, monotonic=lambda: self.elapsed, spawn=lambda job: job())
        limits = RateLimits(
            bucket_key=b"k" * 32,
            partner=RatePolicy(name="default", quota=quota),
            everybody=RatePolicy(name="hub", quota=10_000_000),
        )
        access = ApiAccess(
            audience=audience,
            key_of=self.keys.key,
            clients=ClientsInService(self.clients, monotonic=lambda: self.elapsed),
        )
        portal_face = PortalFace(
            access=access,
            citizens=CitizenPortal(tokens=tokens or self.citizens, citizens=self.citizens),
            cards=PortalCards(cards=self.cards),
            services=OfferedServices(offer=Offer),
            idempotency=Idempotency(rows=self.kept, digest_key=b"i" * 32),
            limits=limits,
            public_url=PUBLIC_URL,
        )
        self.face, self._limits = portal_face, limits

    @cached_property
    def app(self):
        """The whole API, for what is not of this face."""
        partner_face = PartnerFace(
            intake=None, keys=PartnerKeys(Book()), limits=self._limits, public_url=PUBLIC_URL
        )
        services = ApiServices(
            partner_face=partner_face,
            portal_face=self.face,
            readiness=Readiness(store=ReadinessFake(), head="0001", versions=()),
            public_url=PUBLIC_URL,
        )
        return ApiLayer(services, pages)

    def send(self, method, target, *, token=None, body=b"", headers=None):
        given = {"Authorization": f"Bearer {token or citizen_token()}"}
        if body:
            given["Content-Type"] = "application/json"
        given |= headers or {}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        kept = {name: value for name, value in given.items() if value is not None}
        app = self.face if self.face.serves(target.partition("?")[0]) else self.app
        return call(app, method, target, raw, kept)

    def get(self, target, **options):
        return self.send("GET", target, **options)

    def post(self, target, body, **options):
        return self.send("POST", target, body=body, **options)

    def delete(self, target, **options):
        return self.send("DELETE", target, **options)


def citizen_token(*, header=None, key=None, **changes):
    return signed(claims(**changes), header, key=key)


def application_token(*, header=None, key=None, **changes):
    return signed(application_claims(**changes), header, key=key)


def ago(**span):
    """A claim's second, some time ago."""
    return int((clock.utcnow() - timedelta(**span)).timestamp())
