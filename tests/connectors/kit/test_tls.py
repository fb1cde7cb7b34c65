import datetime as dt
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.kit.transports import tls_context
from schemas.errors import ConfigurationError, PartnerMisconfiguredError
from tests.connectors.kit.raw_server import RawServer, answer

pytestmark = pytest.mark.enable_socket
HOST = "koha.example.org"


@pytest.fixture
def certificate(tmp_path):
    """A certificate for one name, signed by itself; its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "cert.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def server(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    running = RawServer(lambda *_: answer(), tls=context)
    running.names = names
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", running.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: found)
    with running.running():
        yield running


def test_the_name_is_asked_for_and_proven_although_the_address_is_pinned(face, server, certificate):
    http = face(server, tls=tls_context({"ca_file": str(certificate)}), host=HOST)
    for _ in range(3):
        assert http.post("/x", json={}).fields()["ok"] is True
    assert server.names == [HOST]
    assert server.connections == 1


def test_a_certificate_of_an_unknown_authority_pauses_the_profile(face, server):
    log = []
    with pytest.raises(PartnerMisconfiguredError):
        face(server, tls=tls_context({}), host=HOST, log=log).post("/x", json={})
    assert log[-1].outcome == "tls"
    assert server.requests == []


def test_a_certificate_for_another_name_pauses_the_profile(face, server, certificate):
    tls = tls_context({"ca_file": str(certificate)})
    with pytest.raises(PartnerMisconfiguredError):
        face(server, tls=tls, host="autre.example.org").post("/x", json={})
    assert server.requests == []


def test_an_authority_that_cannot_be_read_is_a_configuration_fault(tmp_path):
    with pytest.raises(ConfigurationError):
        tls_context({"ca_file": str(tmp_path / "absent.pem")})
