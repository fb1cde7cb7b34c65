"""What is peculiar to mail: the message itself, its refusals, its security."""

import ssl
from dataclasses import replace

import pytest

from connectors.kit import open_profile
from schemas.errors import (
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerUnavailableError,
)
from schemas.receipts import ProbeLevel
from tests.connectors.kit.test_tls import certificate  # noqa: F401 - a fixture
from tests.contract.connectors.rigs import Case, SmtpRig, contract
from tests.contract.connectors.smtp_server import SmtpServer

pytestmark = [pytest.mark.enable_socket, pytest.mark.filterwarnings("ignore::UserWarning")]
MESSAGE = contract("mail")["calls"][0]["data"]
PASSWORD = "un mot de passe"
SEND = Case(operation="send", purpose="access_code.delivery", data=MESSAGE)


@pytest.fixture
def smtp():
    with SmtpRig("mail").running() as rig:
        yield rig


def with_data(rig, **changes):
    command = rig.command(SEND)
    return replace(command, data={**command.data, **changes})


def test_the_message_is_plain_utf_8_to_one_person(smtp):
    receipt = smtp.call(smtp.command(SEND))
    (message,) = smtp.server.taken
    assert message["To"] == MESSAGE["to"]
    assert message["Subject"] == MESSAGE["subject"]
    assert message["From"] == "Bibliothèques <bibliotheque@example.org>"
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert message.get_content().strip().replace("\r\n", "\n") == MESSAGE["text"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert receipt.external_ref == message["Message-ID"]


def test_the_message_id_is_the_same_for_every_try_and_shows_no_key(smtp):
    smtp.call(smtp.command(SEND))
    smtp.call(smtp.command(SEND, may_repeat=True))
    smtp.call(smtp.command(SEND, key="0192-run:4"))
    first, again, other = (message["Message-ID"] for message in smtp.server.taken)
    assert first == again != other
    assert first.endswith("@example.org>")
    assert "0192-run" not in first


def test_a_message_without_a_subject_has_the_default_one(smtp):
    smtp.call(with_data(smtp, subject=None))
    assert smtp.server.taken[0]["Subject"] == "Un message de votre bibliothèque"


@pytest.mark.parametrize(
    "subject",
    ["Bonjour camille.exemple@example.org", "Objet\r\nBcc: autre@example.org", "Objet\nX: 1"],
)
def test_a_subject_with_a_person_or_a_header_in_it_is_refused(smtp, subject):
    with pytest.raises(PartnerRejectedError) as raised:
        smtp.call(with_data(smtp, subject=subject))
    assert str(raised.value) == "subject_refused"
    assert smtp.server.taken == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "camille",
        "a@b",
        "a@exemple..org",
        "a b@example.org",
        "a@example.org\r\nRCPT TO:<x@example.org>",
        "é@example.org",
        "a@example.org,b@example.org",
    ],
)
def test_an_address_that_is_none_is_refused_before_any_session(smtp, address):
    with pytest.raises(PartnerRejectedError) as raised:
        smtp.call(with_data(smtp, to=address))
    assert str(raised.value) == "invalid_address"
    assert smtp.server.sessions == 0


def test_a_sender_name_cannot_start_a_header(smtp):
    smtp.call(with_data(smtp, sender="Ville\r\nBcc: autre@example.org"))
    assert smtp.server.taken[0]["Bcc"] is None


def test_lines_that_begin_with_a_dot_arrive_whole(smtp):
    smtp.call(with_data(smtp, text=".\n..\n.fin"))
    assert smtp.server.taken[0].get_content().replace("\r\n", "\n").strip("\n") == ".\n..\n.fin"


@pytest.mark.parametrize(
    ("operation", "code", "error"),
    [
        ("rcpt", 550, PartnerRejectedError),
        ("rcpt", 450, PartnerUnavailableError),
        ("data", 554, PartnerRejectedError),
        ("data", 452, PartnerUnavailableError),
        ("mail", 550, PartnerMisconfiguredError),
        ("mail", 421, PartnerUnavailableError),
    ],
)
def test_each_refusal_means_one_thing_and_quotes_nothing(smtp, operation, code, error):
    smtp.arm("status", operation=operation, code=code)
    with pytest.raises(error) as raised:
        smtp.call(smtp.command(SEND))
    assert type(raised.value) is error
    assert "@" not in str(raised.value)
    assert raised.value.__suppress_context__
    assert not raised.value.outcome_unknown


def test_without_an_account_no_login_is_tried(smtp):
    profile = open_profile("mail", "profil_essai", {**smtp.settings, "username": None}, {})
    smtp.arm("auth_revoked")
    profile.call("send", smtp.command(SEND), [])
    assert len(smtp.server.taken) == 1
    profile.close()


@pytest.fixture
def secured(certificate, monkeypatch):  # noqa: F811
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def start(*, starttls):
        server = SmtpServer(user="parvis", password=PASSWORD, tls=context, starttls=starttls)
        real = socket.getaddrinfo

        def resolve(host, port, *args, **options):
            return real(
                "127.0.0.1" if host.endswith("example.org") else host, port, *args, **options
            )

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return server

    def settings(server, **changes):
        base = SmtpRig("mail").contract["settings"]
        fast = {"connect_timeout": "500ms", "read_timeout": "1s", "allow_private": True}
        host = {"host": "koha.example.org", "port": server.port, "ca_file": str(certificate)}
        return {**base, **fast, **host, **changes}

    return start, settings


@pytest.mark.parametrize(("security", "starttls"), [("starttls", True), ("tls", False)])
def test_the_session_is_encrypted_as_the_settings_say(secured, security, starttls):
    start, settings = secured
    server = start(starttls=starttls)
    with server.running():
        profile = open_profile(
            "mail",
            "profil_essai",
            settings(server, security=security),
            {"password": PASSWORD},
        )
        result = profile.probe(ProbeLevel.TRANSACTION)
        assert result.is_up, result.cause
        profile.close()


def test_a_certificate_nobody_vouches_for_pauses(secured):
    start, settings = secured
    with start(starttls=True).running() as server:
        values = settings(server, security="starttls", ca_file=None)
        profile = open_profile("mail", "profil_essai", values, {"password": PASSWORD})
        result = profile.probe(ProbeLevel.REACHABLE)
        assert not result.is_up
        assert "certificat" in result.cause
        profile.close()


def test_a_server_without_starttls_is_not_talked_to_in_clear(smtp):
    profile = open_profile(
        "mail", "profil_essai", {**smtp.settings, "security": "starttls"}, smtp.secrets
    )
    with pytest.raises(PartnerMisconfiguredError):
        profile.call("send", smtp.command(SEND), [])
    assert smtp.server.taken == []
    profile.close()
