"""A hub in this process with partners that sign, for tests of the API over WSGI."""

import base64
import io
import json
import sys
from collections import Counter
from datetime import timedelta

from orchestrator import journeys
from orchestrator.api import ApiServices, PartnerFace, all_together
from orchestrator.api.application import ApiLayer
from orchestrator.services.intake import Intake
from orchestrator.services.partner_keys import PartnerKeys
from orchestrator.services.ports.partners import ConsentCatalogue, Partner, PublishedPurpose
from orchestrator.services.rate_limits import RateLimits, RatePolicy
from orchestrator.services.readiness import Readiness
from schemas import clock, ids
from schemas.consent_proof import Notice
from schemas.signatures import VerifyKey, parse_secret, query_body, sign
from tests.fakes.inbox import FakeInbox

PUBLIC_URL = "https://parvis.example.org"
EVENT, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
NOTICE_SHA = "a1" * 32
PREREGISTRATION, DELIVERY = "library.preregistration", "access_code.delivery"
ARRIVALS = ("utility.contract_opened.v1", "lease.signed.v1", "student_card.issued.v1")
KNOWN_COMMUNES = {"13055": "13055", "13201": "13055", "84129": "84129", "06088": "06088"}
SEED = bytes(range(32))


class Book:
    """Partners in a dictionary."""

    def __init__(self, *partners):
        self.held = {partner.id: partner for partner in partners}

    def partners(self):
        return dict(self.held)


class Scans:
    def __init__(self, *tokens):
        self.tokens = set(tokens)
        self.totals = Counter()

    def find(self, token):
        return type("Found", (), {"token": token}) if token in self.tokens else None

    def count_scan(self, token, *, day, language, browser):
        self.totals[token] += 1


class Meter:
    def __init__(self):
        self.seen = Counter()

    def received(self, partner, message_type, result):
        self.seen[partner, message_type, result] += 1


class Communes:
    def resolve(self, code):
        return KNOWN_COMMUNES.get(code)


class ReadinessFake:
    def __init__(self):
        self.at, self.under_way, self.fault = "0001", set(), None
        self.waited = 0.0

    def revision(self):
        if self.fault:
            raise self.fault
        return self.at

    def versions_under_way(self):
        return self.under_way

    def oldest_wait_seconds(self):
        return self.waited


def catalogue():
    purpose = PublishedPurpose(
        id=DELIVERY, version=1, title={"fr": "Envoi du code"}, text={"fr": "Un message."}
    )
    notice = Notice(
        sha256=NOTICE_SHA,
        purposes=frozenset({PREREGISTRATION, DELIVERY}),
        recipients=frozenset({"parvis"}),
    )
    return ConsentCatalogue(purposes=(purpose,), notices={("2026-09", "fr"): notice})


def hmac_key(fill=7):
    return VerifyKey(scheme="v1", material=bytes([fill]) * 32)


def private_key():
    return parse_secret("whsk_" + base64.b64encode(SEED).decode())


def volt(**changes):
    values = {
        "id": "volt_provence",
        "name": "Volt Provence",
        "allowed_events": frozenset({*ARRIVALS, "poster.scanned.v1"}),
        "keys": {"k1": hmac_key()},
    }
    return Partner(**(values | changes))


class Hub:
    """The API over fakes; ``send`` signs as Volt Provence unless told otherwise."""

    def __init__(self, *, inbox=None, quota=1_000_000, together=all_together, partners=None):
        self.inbox = inbox or FakeInbox()
        self.scans = Scans("AB12CD34")
        self.meter = Meter()
        self.book = Book(*(partners or (volt(), agency())))
        self.ready = ReadinessFake()
        self.intake = Intake(
            inbox=self.inbox,
            body_key=b"b" * 32,
            communes=Communes(),
            catalogue=catalogue,
            scans=self.scans,
            meter=self.meter,
            route=journeys.route,
            together=together,
        )
        limits = RateLimits(
            bucket_key=b"k" * 32,
            partner=RatePolicy(name="default", quota=quota),
            everybody=RatePolicy(name="hub", quota=10_000_000),
        )
        self.elapsed = 0.0
        self.keys = PartnerKeys(self.book, monotonic=lambda: self.elapsed)
        face = PartnerFace(intake=self.intake, keys=self.keys, limits=limits, public_url=PUBLIC_URL)
        readiness = Readiness(store=self.ready, head="0001", versions=journeys.all_journeys())
        services = ApiServices(partner_face=face, readiness=readiness, public_url=PUBLIC_URL)
        self.app = ApiLayer(services, pages)

    def post(self, event, **options):
        return self.send("POST", "/v1/events", body=as_bytes(event), **options)

    def post_batch(self, items, **options):
        options = {"media_type": BATCH} | options
        return self.send("POST", "/v1/events:batch", body=as_bytes(items), **options)

    def get(self, target, **options):
        return self.send("GET", target, **options)

    def send(self, method, target, *, body=b"", media_type=EVENT, headers=None, signed=True, **how):
        own = signature_headers(method, target, body, **how) if signed else {}
        if media_type:
            own["Content-Type"] = media_type
        given = own | {name: value for name, value in (headers or {}).items() if value is not None}
        for name, value in (headers or {}).items():
            if value is None:
                given.pop(name, None)
        return call(self.app, method, target, body, given)


def agency():
    return volt(
        id="agence_du_lac",
        allowed_events=frozenset({"lease.signed.v1"}),
        keys={"k1": private_key()},
    )


def pages(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"a page"]


def as_bytes(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def signature_headers(
    method, target, body, *, key=None, key_name="volt_provence/k1", webhook_id=None, ago=0
):
    webhook_id = webhook_id or str(ids.uuid7())
    timestamp = int((clock.utcnow() - timedelta(seconds=ago)).timestamp())
    signed = body if method == "POST" else query_body(target)
    return {
        "Parvis-Key-Id": key_name,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(webhook_id, timestamp, signed, key or hmac_key()),
    }


def environ_of(method, target, body, headers):
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": target,
        "SERVER_NAME": "hub",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "hub",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in headers.items():
        upper = name.upper().replace("-", "_")
        environ[upper if upper in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{upper}"] = value
    return environ


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __getitem__(self, name):
        return dict(self.headers)[name]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def slug(self):
        return self.json["type"].rpartition("/")[2]

    @property
    def pointers(self):
        return [fault["pointer"] for fault in self.json["errors"]]


def call(app, method, target, body, headers):
    return answer_to(app, environ_of(method, target, body, headers))


def answer_to(app, environ):
    seen = []
    pieces = app(environ, lambda status, headers, exc_info=None: seen.append((status, headers)))
    body = b"".join(pieces)
    ((status, headers),) = seen
    return Answer(int(status.split()[0]), headers, body)


def event(**changes):
    """A valid event of Volt Provence; a member given as None is left out."""
    values = {
        "specversion": "1.0",
        "id": str(ids.uuid7()),
        "source": "/partners/volt_provence",
        "type": "utility.contract_opened.v1",
        "subject": "contrat-1",
        "time": clock.rfc3339(clock.utcnow()),
        "data": {"commune": "13055", "utility": "electricity"},
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


def proof(*purposes, **changes):
    values = {
        "purposes": list(purposes or (PREREGISTRATION, DELIVERY)),
        "channel": "sms",
        "notice_version": "2026-09",
        "notice_sha256": NOTICE_SHA,
        "method": "box",
        "collected_at": clock.rfc3339(clock.utcnow()),
        "locale": "fr",
        "collected_by": "Formulaire",
    }
    return values | changes


PERSON = {"family_name": "Exemple", "given_name": "Camille"}
CONTACT = {"channel": "sms", "address": "+33639980001"}


def arrival(**members):
    return event(data={"commune": "13055"} | members)
