"""Several host names behind one TLS port on loopback, as a city's reverse proxy would serve them.

Says to each server behind it how it was reached (``X-Forwarded-*``), carries one request a connection, and
signs its certificate by an authority of its own.
"""

import base64
import hashlib
import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

DROPPED = {b"connection", b"keep-alive", b"x-forwarded-for", b"x-forwarded-host"}
DROPPED |= {b"x-forwarded-proto", b"x-forwarded-port"}
PATIENCE = 60


class Authority:
    """A certificate authority that lives as long as a test."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Autorité des essais")
        builder = _begun(self._name, self._name, self._key)
        ca = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = builder.add_extension(ca, critical=True).sign(self._key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    @property
    def spki(self):
        """The digest of its public key as Chromium takes it."""
        public = self._key.public_key()
        shown = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(shown).digest()).decode()

    def issue(self, names):
        """A key and its chain for these names, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = _begun(_named(names[0]), self._name, key).add_extension(subject, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return secret + certificate.public_bytes(Encoding.PEM) + self.pem


class TlsSite:
    """``routes`` say which port of loopback a host name is served by; they may be changed."""

    def __init__(self, authority, folder, routes):
        self.routes = dict(routes)
        path = folder / "site.pem"
        path.write_bytes(authority.issue(sorted(self.routes)))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(path)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, name):
        return f"https://{name}:{self.port}"

    def close(self):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        client.settimeout(PATIENCE)
        with suppress(OSError, ValueError), client:
            secured = self._context.wrap_socket(client, server_side=True)
            with secured:
                self._carry(secured)

    def _carry(self, client):
        head, body = _head(client)
        if not head:
            return
        first, *lines = head.split(b"\r\n")
        fields = [line.partition(b":") for line in lines]
        names = {name.lower(): value.strip() for name, _, value in fields}
        host = names.get(b"host", b"").decode()
        port = self.routes[host.partition(":")[0]]
        kept = [
            b":".join((name, value)) for name, _, value in fields if name.lower() not in DROPPED
        ]
        told = [
            b"X-Forwarded-For: 127.0.0.1",
            b"X-Forwarded-Proto: https",
            f"X-Forwarded-Host: {host}".encode(),
            f"X-Forwarded-Port: {self.port}".encode(),
            b"Connection: close",
        ]
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as server:
            server.sendall(b"\r\n".join([first, *kept, *told]) + b"\r\n\r\n" + body)
            left = int(names.get(b"content-length", b"0")) - len(body)
            while left > 0:
                more = client.recv(min(left, 65536))
                if not more:
                    return
                server.sendall(more)
                left -= len(more)
            while more := server.recv(65536):
                client.sendall(more)


def _head(client):
    read = b""
    while b"\r\n\r\n" not in read:
        more = client.recv(65536)
        if not more:
            return b"", b""
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    return head, body


def _named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begun(subject, issuer, key):
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )
