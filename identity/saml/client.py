"""The library's client, set up once per process and description of the realm: 0.3 s, never per request.

Its own log repeats whole messages, names and attributes included, so it is not heard.
"""

import base64
import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_der_x509_certificate
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, sigver
from saml2.client import Saml2Client
from saml2.config import SPConfig
from saml2.saml import NAMEID_FORMAT_PERSISTENT
from saml2.sigver import RSACrypto
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from identity.saml.backend import InProcessBackend
from identity.saml.config import SamlConfig
from identity.saml.guard import guarded_xml
from identity.saml.schema import validate
from schemas.errors import ConfigurationError
from schemas.logins import Binding

SLACK_SECONDS: Final = 60
sigver.validate_doc_with_schema = validate  # the library offers no setting for it
_BINDINGS: Final = {BINDING_HTTP_REDIRECT: Binding.REDIRECT, BINDING_HTTP_POST: Binding.POST}


class HubSamlClient(Saml2Client):  # type: ignore[misc] # the library carries no types
    """A client that sees nothing but guarded XML."""

    @staticmethod
    def unravel(txt: str, binding: str, msgtype: str = "response") -> bytes:
        """Return the XML of a message; the library's own way inflates without a bound."""
        del msgtype
        return guarded_xml(txt, _BINDINGS[binding])


class _NobodyRemembered:
    """Stands where the library would keep everybody who signed in, for ever."""

    def add_information_about_person(self, _session_info: object) -> None:
        """Keep nothing: sessions are rows."""


@dataclass(frozen=True, slots=True)
class _InMemory:
    """A certificate where the library expects a file: its name is the PEM itself."""

    name: bytes


class _Certificates:
    """The realm's description as the verifier sees it: its certificates never touch the disk."""

    def __init__(self, metadata: Any) -> None:
        self._metadata = metadata

    def certs(self, entity_id: str, descriptor: str, use: str = "signing") -> list[Any]:
        """Return (name, certificate) of the keys a message of this sender may be signed with."""
        found = self._metadata.certs(entity_id, descriptor, use)
        return [(name, _InMemory(pem)) for name, text in found if (pem := _pem(text))]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._metadata, name)


def make_client(config: SamlConfig, descriptor: str) -> Saml2Client:
    """Return a client that knows one realm; raises what the library raises for a bad description."""
    _silence()
    settings = SPConfig()
    settings.load(_settings(config, descriptor))
    client = HubSamlClient(settings)
    # read from the context of a provider, whatever we are: unsigned logout requests would pass
    client.config.setattr("idp", "want_authn_requests_signed", True)
    client.sec.crypto = InProcessBackend(config.key_pem)
    client.sec.sec_backend = RSACrypto(signing_key(config))
    client.sec.metadata = _Certificates(client.metadata)
    client.users = _NobodyRemembered()
    return client


@lru_cache(maxsize=32)
def _pem(text: str) -> bytes | None:
    """Return a certificate of a description as PEM, None for one that nobody can read."""
    try:
        der = base64.b64decode("".join(text.split()), validate=True)
        return load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    except ValueError:
        return None


def _silence() -> None:
    log = logging.getLogger("saml2")
    log.handlers[:] = [logging.NullHandler()]
    log.propagate = False


def signing_key(config: SamlConfig) -> RSAPrivateKey:
    """Return the key that signs what we send."""
    key = load_pem_private_key(config.key_pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError("La clé SAML doit être une clé RSA.")
    return key


def _settings(config: SamlConfig, descriptor: str) -> dict[str, Any]:
    return {
        "entityid": config.entity_id,
        "crypto_backend": "XMLSecurity",
        "accepted_time_diff": SLACK_SECONDS,
        "allow_unknown_attributes": True,
        "only_use_keys_in_metadata": True,
        "metadata": {"inline": [descriptor]},
        "service": {
            "sp": {
                "endpoints": {
                    "assertion_consumer_service": [(config.acs, BINDING_HTTP_POST)],
                    "single_logout_service": [
                        (config.sls, BINDING_HTTP_REDIRECT),
                        (config.sls, BINDING_HTTP_POST),
                    ],
                },
                "want_response_signed": True,
                "want_assertions_signed": True,
                "allow_unsolicited": False,
                "authn_requests_signed": True,
                "logout_requests_signed": True,
                "logout_responses_signed": True,
                "signing_algorithm": SIG_RSA_SHA256,
                "digest_algorithm": DIGEST_SHA256,
                "name_id_policy_format": NAMEID_FORMAT_PERSISTENT,
                "name_id_format_allow_create": True,
            }
        },
    }
