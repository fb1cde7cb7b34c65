"""The redirect binding: what is signed is the query string as it stands (SAML 2.0 Bindings 3.4.4.1).

The library takes parameters apart and writes them again before it checks; a peer that percent-encodes
in lower case would fail. Here the bytes of the query are what is checked, and SHA-1 is no algorithm.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote_plus, unquote_plus

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512

from identity.saml.codes import Code
from schemas.errors import SamlRefusedError

RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA512: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
_HASHES: Final[dict[str, type[SHA256 | SHA512]]] = {RSA_SHA256: SHA256, RSA_SHA512: SHA512}
_MOST_QUERY: Final = 512 * 1024


def signed_url(
    address: str, kind: str, xml: str, *, key: RSAPrivateKey, relay_state: str = ""
) -> str:
    """Return where the browser goes with a message; ``kind`` is SAMLRequest or SAMLResponse."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = deflater.compress(xml.encode()) + deflater.flush()
    pairs = [(kind, base64.b64encode(deflated).decode())]
    if relay_state:
        pairs.append(("RelayState", relay_state))
    pairs.append(("SigAlg", RSA_SHA256))
    query = "&".join(f"{name}={quote_plus(value)}" for name, value in pairs)
    signature = key.sign(query.encode(), padding.PKCS1v15(), SHA256())
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{query}&Signature={quote_plus(base64.b64encode(signature).decode())}"


def check_query(query: str, kind: str, *, certificates: Iterable[str]) -> None:
    """Check the signature of a raw query by any of the certificates (base64 DER).

    Raises:
        SamlRefusedError: unsigned, signed by nobody we know, or with an algorithm we do not take.
    """
    raw = _raw_parameters(query)
    if "Signature" not in raw or "SigAlg" not in raw or kind not in raw:
        raise SamlRefusedError(Code.UNSIGNED)
    algorithm = _HASHES.get(unquote_plus(raw["SigAlg"]))
    if algorithm is None:
        raise SamlRefusedError(Code.ALGORITHM)
    signed = "&".join(
        f"{name}={raw[name]}" for name in (kind, "RelayState", "SigAlg") if name in raw
    )
    signature = _signature(raw["Signature"])
    if not any(_is_signed(signed, signature, algorithm(), one) for one in certificates):
        raise SamlRefusedError(Code.SIGNATURE)


def parameter(query: str, name: str) -> str | None:
    """Return a parameter of a raw query, decoded."""
    value = _raw_parameters(query).get(name)
    return unquote_plus(value) if value is not None else None


def _raw_parameters(query: str) -> dict[str, str]:
    if len(query) > _MOST_QUERY:
        raise SamlRefusedError(Code.TOO_LARGE)
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name in found:  # two of a kind: somebody else may read the other one
            raise SamlRefusedError(Code.SIGNATURE)
        found[name] = value
    return found


def _signature(text: str) -> bytes:
    try:
        return base64.b64decode(unquote_plus(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlRefusedError(Code.BAD_BASE64) from error


def _is_signed(signed: str, signature: bytes, algorithm: SHA256 | SHA512, certificate: str) -> bool:
    try:
        key = x509.load_der_x509_certificate(base64.b64decode(certificate)).public_key()
        if not isinstance(key, RSAPublicKey):
            return False
        key.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):  # one that cannot be read verifies nothing
        return False
    return True
