"""A realm's signing keys: one in use, older ones still announced, changed on command."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

__all__ = ["KeyPair", "KeyRing", "new_pair"]


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
    kid = certificate.fingerprint(hashes.SHA256()).hex()[:32]
    return KeyPair(private=private, certificate=certificate, kid=kid)


@dataclass(slots=True)
class KeyRing:
    """The pairs of a realm, the one in use first."""

    pairs: list[KeyPair] = field(default_factory=lambda: [new_pair(), new_pair()])

    @property
    def active(self) -> KeyPair:
        """The pair that signs."""
        return self.pairs[0]

    def rotate(self) -> None:
        """Sign with a new pair from now on; the ones before stay announced."""
        self.pairs.insert(0, new_pair())

    def forget_old(self) -> None:
        """Announce nothing but the pair in use."""
        del self.pairs[1:]
