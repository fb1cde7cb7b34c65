"""The key pair the hub signs SAML messages with: RSA, because the redirect binding knows nothing else."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from schemas import clock

BITS: Final = 3072
LASTS: Final = timedelta(days=2 * 365)


def new_key_pair(public_url: str) -> tuple[bytes, bytes]:
    """Return a fresh private key and its self-signed certificate, both PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    host = (urlsplit(public_url).hostname or "parvis")[:64]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = clock.utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LASTS)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem, certificate.public_bytes(serialization.Encoding.PEM)


def is_pair(key_pem: bytes, certificate_pem: bytes) -> bool:
    """Tell whether a certificate is that of a key."""
    key = serialization.load_pem_private_key(key_pem, password=None)
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    return key.public_key() == certificate.public_key()
