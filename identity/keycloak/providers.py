"""Identity providers behind the citizens' realm, from a file of the city: FranceConnect first of all.

The client's secret is never in that file: it names a row of the hub's secrets.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from identity.keycloak.difference import MARK
from schemas.errors import ConfigurationError
from schemas.logins import CIVIL_STATUS

ALIAS: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
DIGEST: Final = "parvis.digest"
"""Where a keyed digest of the client's secret is kept: Keycloak shows secrets as asterisks."""
_ENDPOINTS: Final = ("authorization_url", "token_url", "userinfo_url", "jwks_url")
_NEEDED: Final = ("alias", "title", "issuer", *_ENDPOINTS, "client_id", "secret")
_OPTIONAL: Final = ("logout_url", "scopes", "acr_values")
_CLAIMS: Final = {"given_names": "given_name", "birth_name": "family_name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One OpenID Connect provider; ``secret`` is its value, ``digest_key`` keys what Keycloak keeps of it."""

    alias: str
    title: str
    issuer: str
    authorization_url: str
    token_url: str
    userinfo_url: str
    jwks_url: str
    client_id: str
    secret: str = field(repr=False)
    digest_key: bytes = field(repr=False)
    logout_url: str = ""
    scopes: str = "openid identite_pivot email"
    acr_values: str = ""

    def representation(self, *, mark: str, flow: str) -> dict[str, Any]:
        """Return it as the Admin API wants it, the secret apart."""
        return {
            "alias": self.alias,
            "displayName": self.title,
            "providerId": "oidc",
            "enabled": True,
            "trustEmail": False,
            "storeToken": False,
            "addReadTokenRoleOnCreate": False,
            "linkOnly": False,
            "firstBrokerLoginFlowAlias": flow,
            "config": {
                MARK: mark,
                DIGEST: self._digest(),
                "issuer": self.issuer,
                "authorizationUrl": self._authorization(),
                "tokenUrl": self.token_url,
                "userInfoUrl": self.userinfo_url,
                "jwksUrl": self.jwks_url,
                "logoutUrl": self.logout_url,
                "clientId": self.client_id,
                "clientAuthMethod": "client_secret_post",
                "defaultScope": self.scopes,
                "validateSignature": "true",
                "useJwksUrl": "true",
                "syncMode": "IMPORT",
                # a forced re-authentication is not handed on: without it theirs would answer silently
                "prompt": "login",
                "pkceEnabled": "false",
                "backchannelSupported": "false",
            },
        }

    def mappers(self) -> list[dict[str, Any]]:
        """Return what becomes of its claims: session notes, civil status, an opaque user name."""
        notes = '[{"key":"acr","value":".*"},{"key":"sub","value":".*"}]'
        pivot = [
            self._mapper(
                name,
                "oidc-user-attribute-idp-mapper",
                {"claim": _CLAIMS.get(name, name), "user.attribute": name, "syncMode": "FORCE"},
            )
            for name in CIVIL_STATUS
        ]
        return [
            self._mapper(
                "level-and-subject",
                "oidc-user-session-note-idp-mapper",
                {"claims": notes, "are.claim.values.regex": "true", "syncMode": "FORCE"},
            ),
            *pivot,
            self._mapper(
                "pivot_source",
                "hardcoded-attribute-idp-mapper",
                {"attribute": "pivot_source", "attribute.value": self.alias, "syncMode": "FORCE"},
            ),
            # by itself Keycloak takes the used name, which two people may share
            self._mapper(
                "username",
                "oidc-username-idp-mapper",
                {"template": "${ALIAS}.${CLAIM.sub}", "target": "LOCAL", "syncMode": "IMPORT"},
            ),
        ]

    def _mapper(self, name: str, kind: str, config: dict[str, str]) -> dict[str, Any]:
        return {
            "name": name,
            "identityProviderAlias": self.alias,
            "identityProviderMapper": kind,
            "config": config,
        }

    def _authorization(self) -> str:
        if not self.acr_values:
            return self.authorization_url
        return f"{self.authorization_url}?{urlencode({'acr_values': self.acr_values})}"

    def _digest(self) -> str:
        return hmac.new(self.digest_key, self.secret.encode(), hashlib.sha256).hexdigest()[:32]


def read_provider(
    content: Mapping[str, Any], *, secrets: Mapping[str, str], digest_key: bytes
) -> Provider:
    """Return the provider a file describes.

    Raises:
        ConfigurationError: with everything that is wrong with it.
    """
    faults = [f"« {name} » manque" for name in _NEEDED if not content.get(name)]
    faults += [f"« {name} » est inconnu" for name in content if name not in _NEEDED + _OPTIONAL]
    faults += [f"« {name} » doit être un texte" for name in content if not _is_text(content[name])]
    faults += [
        f"« {name} » n'est pas une adresse http(s)"
        for name in ("issuer", *_ENDPOINTS, "logout_url")
        if content.get(name) and not _is_address(content[name])
    ]
    if not ALIAS.fullmatch(str(content.get("alias", "x"))):
        faults.append("« alias » : minuscules, chiffres et tirets")
    secret = secrets.get(str(content.get("secret", "")))
    if content.get("secret") and secret is None:
        faults.append("le secret nommé n'a pas de valeur : « parvis secrets set » la donne")
    if faults or secret is None:
        raise ConfigurationError(*(f"Fournisseur d'identité : {fault}." for fault in faults))
    given = {name: str(value) for name, value in content.items() if name != "secret"}
    return Provider(**given, secret=secret, digest_key=digest_key)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_address(value: object) -> bool:
    try:
        parts = urlsplit(str(value))
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and bool(parts.hostname)
