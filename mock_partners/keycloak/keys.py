"""A realm's signing keys: one in use, older ones still announced, changed on command.

A realm that keeps its keys in a file has them again after a restart, as a real one has.
"""

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

__all__ = ["KeyPair", "KeyRing", "new_pair"]

_PEM: Final = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A private key and its self-signed certificate."""

    private: RSAPrivateKey
    certificate: x509.Certificate
    kid: str

    @property
    def pem(self) -> bytes:
        """The private key as PEM."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def certificate_text(self) -> str:
        """The certificate as base64 DER."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return base64.b64encode(der).decode()

    @property
    def document(self) -> bytes:
        """The key and the certificate, one after the other, as PEM."""
        return self.pem + self.certificate.public_bytes(serialization.Encoding.PEM)


def new_pair(name: str = "realm", *, lasts: timedelta = timedelta(days=365)) -> KeyPair:
    """A fresh pair; a negative ``lasts`` makes a certificate that is over already."""
    private = generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + lasts) - timedelta(days=1))
        .not_valid_after(now + lasts)
        .sign(private, hashes.SHA256())
    )
    return _pair(private, certificate)


def _pair(private: RSAPrivateKey, certificate: x509.Certificate) -> KeyPair:
    kid = certificate.fingerprint(hashes.SHA256()).hex()[:32]
    return KeyPair(private=private, certificate=certificate, kid=kid)


@dataclass(slots=True)
class KeyRing:
    """The pairs of a realm, the one in use first; ``file`` keeps them for the next start."""

    pairs: list[KeyPair] = field(default_factory=lambda: [new_pair(), new_pair()])
    file: Path | None = None

    @classmethod
    def of(cls, file: Path) -> "KeyRing":
        """The ring kept in ``file``, or a new one that will be."""
        ring = cls(_read(file), file) if file.exists() else cls(file=file)
        ring.keep()
        return ring

    def keep(self) -> None:
        """Write the pairs down, if there is a file."""
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.touch(mode=0o600)
            self.file.write_bytes(b"".join(pair.document for pair in self.pairs))

    @property
    def active(self) -> KeyPair:
        """The pair that signs."""
        return self.pairs[0]

    def rotate(self) -> None:
        """Sign with a new pair from now on; the ones before stay announced."""
        self.pairs.insert(0, new_pair())
        self.keep()

    def forget_old(self) -> None:
        """Announce nothing but the pair in use."""
        del self.pairs[1:]
        self.keep()


def _read(file: Path) -> list[KeyPair]:
    parts = _PEM.findall(file.read_bytes())
    pairs = []
    for key, certificate in zip(parts[::2], parts[1::2], strict=True):
        private = serialization.load_pem_private_key(key, None)
        if not isinstance(private, RSAPrivateKey):
            msg = f"{file}: an RSA key is wanted"
            raise TypeError(msg)
        pairs.append(_pair(private, x509.load_pem_x509_certificate(certificate)))
    return pairs
