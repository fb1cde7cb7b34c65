"""``parvis doctor identity``: each thing set up wrongly has its sentence and its remedy, and only then."""

import datetime as dt
import functools
import json
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from identity.saml.keys import new_key_pair
from orchestrator.services.api_clients import ApiClients
from orchestrator.services.ports.api_clients import ClientKind, WantedClient
from orchestrator.store import journal
from orchestrator.store.api_clients import ApiClientTable
from orchestrator.store.journal import JournalEntry
from parvis.bootstrap import open_hub
from parvis.doctor_identity import examined_identity
from parvis.findings import Level
from parvis.identity_keys import CERTIFICATE, KEY
from parvis.identity_setup import certificate_body
from parvis.settings import Settings
from schemas import clock

pytestmark = pytest.mark.postgres
NAME = "urn:oasis:names:tc:SAML:2.0:metadata"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


@functools.cache
def pair(whose):
    """A key pair of somebody's; making one takes a while."""
    return new_key_pair(f"https://{whose}.example.org")


class City:
    """A hub with its realms played by a small server; what is wrong is set on it."""

    def __init__(self, environ, url):
        self.environ, self.url, self.opened = environ, url, []
        self.skew, self.changes, self.status = dt.timedelta(), {}, 200
        _, self.certificate = pair("realm")

    def description(self, realm):
        values = {
            "entity": f"{self.url}/realms/{realm}",
            "place": f"{self.url}/realms/{realm}/protocol/saml",
            "certificate": certificate_body(self.certificate.decode()),
        } | self.changes
        key = (
            '<m:KeyDescriptor use="signing"><d:KeyInfo xmlns:d="http://www.w3.org/2000/09/xmldsig#">'
            f"<d:X509Data><d:X509Certificate>{values['certificate']}</d:X509Certificate></d:X509Data>"
            "</d:KeyInfo></m:KeyDescriptor>"
        )
        places = "".join(
            f'<m:{name} Binding="{REDIRECT}" Location="{values["place"]}"/>'
            for name in ("SingleLogoutService", "SingleSignOnService")
        )
        inner = f'<m:IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL}">{key}{places}</m:IDPSSODescriptor>'
        return f'<m:EntityDescriptor xmlns:m="{NAME}" entityID="{values["entity"]}">{inner}</m:EntityDescriptor>'

    def hub(self, **changes):
        found = open_hub(Settings.read({**self.environ, "PARVIS_IDP_URL": self.url, **changes}))
        self.opened.append(found)
        return found


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        city = self.server.city
        body = city.description(self.path.split("/")[2]).encode()
        self.send_response_only(city.status)
        self.send_header("Date", format_datetime(dt.datetime.now(dt.UTC) + city.skew, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@contextmanager
def serving(city):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.daemon_threads = True
    server.city = city
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def city(hub_environment, parvis):
    parvis("migrate")
    made = City(hub_environment, "http://127.0.0.1:9")
    with serving(made) as url:
        made.url = url
        parvis("users", "grant", "admin.demo", "admin")
        key, certificate = pair("ours")
        made.hub().secrets.put_together(
            {KEY: key.decode(), CERTIFICATE: certificate.decode()}, actor="cli:essai"
        )
        yield made
        for one in made.opened:
            one.database.close()


def wrong(city, **changes):
    """What is not well, each with its remedy."""
    found = examined_identity(city.hub(**changes), {})
    told = [one for one in found if one.level is not Level.WELL and one.subject != "Keycloak"]
    assert all(one.remedy for one in told)
    return [one.sentence() for one in told]


def one(sentences, *, saying):
    assert len([text for text in sentences if saying in text]) >= 1, sentences


def test_a_city_that_is_well_has_nothing_to_mend(city):
    assert wrong(city) == []


def test_without_keycloak_it_says_so(city):
    hub = open_hub(Settings.read(city.environ))
    city.opened.append(hub)
    (found,) = examined_identity(hub, {})
    assert "PARVIS_IDP_URL manque" in found.sentence()


def test_no_key_pair(city):
    city.hub().secrets.put_together({KEY: None, CERTIFICATE: None}, actor="x")
    one(wrong(city), saying="pas encore de paire de clés → lancez « parvis identity keys »")


def test_a_certificate_of_another_key(city):
    _, other = pair("realm")
    city.hub().secrets.put(CERTIFICATE, other.decode(), actor="x")
    one(wrong(city), saying="le certificat n'est pas celui de la clé → remettez la bonne paire")


@pytest.mark.parametrize(("days", "said"), [(701, "expire dans 2"), (731, "a expiré le")])
def test_a_certificate_that_ends(city, days, said):
    city.skew = dt.timedelta(days=days)  # everybody's clock, so that only the certificates are old
    clock.turn(dt.timedelta(days=days))
    try:
        told = wrong(city)
    finally:
        clock.turn(dt.timedelta())
    one(told, saying=f"notre certificat {said}")
    one(told, saying=f"son certificat {said}")
    one(told, saying="→ lancez « parvis identity keys --rotate »")


def test_a_realm_that_does_not_answer(city):
    for status in (404, 500, 302):
        city.status = status
        one(wrong(city), saying="royaume des agents : il ne répond pas, ou ce royaume n'existe pas")


def test_nobody_listens(city):
    one(wrong(city, PARVIS_IDP_URL="http://127.0.0.1:9"), saying="vérifiez PARVIS_IDP_URL")


STRANGE = [
    ({"entity": "https://other.example/realms/parvis"}, "un autre nom que le sien → corrigez"),
    ({"place": "https://other.example/x"}, "vers un autre hôte → corrigez"),
    ({"certificate": "AAAA"}, "aucune clé de signature → activez"),
    ({"entity": "&amp;<!-- -->"}, "pas la description d'un royaume → vérifiez"),
]


def test_a_description_that_is_not_the_realms(city):
    for change, said in STRANGE:
        city.changes = change
        one(wrong(city), saying=said)


def test_a_clock_that_is_off(city):
    for seconds, is_told in ((-75, True), (75, True), (30, False)):
        city.skew = dt.timedelta(seconds=seconds)
        assert any("s de la nôtre" in text for text in wrong(city)) is is_told


REFUSED = [
    ("attributes", "un mappeur manque (attributes) → lancez « parvis identity apply »"),
    ("username", "un mappeur manque (username) → lancez « parvis identity apply »"),
    ("unsigned", "n'était pas signé (unsigned) → lancez « parvis identity apply »"),
    ("algorithm", "un algorithme refusé"),
    ("audience", "pour un autre destinataire que nous (audience) → lancez"),
    ("destination", "→ vérifiez PARVIS_PUBLIC_URL"),
    ("recipient", "→ vérifiez PARVIS_PUBLIC_URL"),
    ("issuer", "un autre royaume (issuer) → vérifiez"),
    ("signature", "n'était pas du royaume"),
    ("issue_instant", "d'une autre heure (issue_instant) → réglez"),
    ("lifetime", "d'une autre heure (lifetime) → réglez"),
    ("stale", "d'une autre heure (stale) → réglez"),
    ("name_id", "l'identifiant persistant manque"),
]


def refused(hub, *codes):
    for code in codes:
        record = {"action": "refused", "code": code, "face": "console"}
        entry = JournalEntry(type="identity.refused", actor_ref=None, record=record)
        journal.append(hub.database, hub.vault, entry, entry)


def test_what_was_refused_lately_is_explained_each_rule_by_its_sentence(city):
    hub = city.hub()
    refused(hub, *(code for code, _ in REFUSED))

    told = wrong(city)

    assert len(told) == len(REFUSED)
    for code, said in REFUSED:
        (sentence,) = [text for text in told if f"({code})" in text]
        assert said in sentence
        assert "royaume des agents : 2 refus depuis un jour" in sentence
    hub.database.run("UPDATE journal_entry SET at = at - interval '25 hours'")
    assert wrong(city) == []


def test_a_replay_is_nobodys_misconfiguration(city):
    refused(city.hub(), "replay")

    assert wrong(city) == []


def test_nobody_is_administrator(city, parvis):
    parvis("users", "revoke", "admin.demo")
    one(wrong(city), saying="personne n'est administrateur de la console → lancez « parvis users")


def test_an_application_without_keycloak(city):
    hub = open_hub(Settings.read(city.environ))
    city.opened.append(hub)
    clients = ApiClients(rows=ApiClientTable(database=hub.database, vault=hub.vault))
    wanted = WantedClient(
        client_id="portal", application="portail", kind=ClientKind.CITIZEN, scopes=()
    )
    clients.add(wanted, actor="x")
    told = [found.sentence() for found in examined_identity(hub, {})]
    one(told, saying="portal ne sert à rien sans Keycloak → lancez « parvis api-clients disable")


def test_plain_http_in_a_real_city(city):
    told = wrong(city, PARVIS_MODE="production")
    one(told, saying="PARVIS_PUBLIC_URL est en http")
    one(told, saying="PARVIS_IDP_URL est en http")


def test_the_command_answers_in_sentences_and_in_json(city, parvis, monkeypatch):
    monkeypatch.setenv("PARVIS_IDP_URL", city.url)
    code, out, _ = parvis("doctor", "identity")
    assert (code, "notre certificat est bon jusqu'au" in out) == (0, True)
    city.status = 500
    code, out, _ = parvis("doctor", "identity", "--json")
    assert code == 1
    assert [line["subject"] for line in json.loads(out) if line["level"] == "faute"] == [
        "royaume des usagers",
        "royaume des agents",
    ]
