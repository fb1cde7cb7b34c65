"""Keycloak's Admin API, one call at a time: no call runs twice, and every answer that is no success is typed.

The library signs in and carries the calls. Its own methods for each object are not used: several
create twice, compare texts of the server or raise TypeError for what we must tell apart
(tests/integration/test_keycloak_traps.py keeps them as they are).
"""

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests
from keycloak import KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakConnectionError, KeycloakError

from schemas.errors import (
    IdentityContractBrokenError,
    IdentityRefusedError,
    IdentityUnavailableError,
)

TIMEOUT_SECONDS: Final = 30
MASTER: Final = "master"
ADMIN_SCOPE: Final = "kc-admin-api"
"""Client scope without which Keycloak 26.8.2 and later refuse a token at the Admin API."""
_AGAIN: Final = "relancez la même commande, elle reprend où elle s'est arrêtée"
_LONGEST_REASON: Final = 200
_REALMS: Final = "admin/realms"
_PERSON: Final = re.compile(r"/users/(?!profile\b)[^/]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where Keycloak is; ``ca_file`` when a public authority did not sign its certificate."""

    url: str
    ca_file: Path | None = None
    timeout_seconds: float = TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who administers: the start-up administrator, or a client of the realm by its secret."""

    realm: str
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)

    @classmethod
    def of_administrator(cls, username: str, password: str) -> "Credentials":
        """Return those of the administrator that the server was started with."""
        return cls(realm=MASTER, client_id="admin-cli", username=username, password=password)

    @classmethod
    def of_client(cls, realm: str, client_id: str, secret: str) -> "Credentials":
        """Return those of a service account."""
        return cls(realm=realm, client_id=client_id, client_secret=secret)


class AdminApi:
    """One conversation with the Admin API; use one per thread."""

    def __init__(self, server: Server, credentials: Credentials) -> None:
        self._connection = _connection(server, credentials)

    def get(self, path: str, **query: str) -> Any:
        """Return what is at a path, or None where nothing is: Keycloak said so, no proxy before it."""
        answer = self._send("get", f"{_REALMS}{path}", **query)
        if answer.status_code == requests.codes.not_found:
            _content(answer, path)
            return None
        return _content(_checked(answer, "get", path), path)

    def server_version(self) -> tuple[int, ...] | None:
        """Return the server's version as numbers, or None when this account may not know it."""
        answer = self._send("get", "admin/serverinfo")
        if answer.status_code >= requests.codes.bad_request:
            return None
        told = _content(answer, "/serverinfo").get("systemInfo", {}).get("version", "")
        parts = re.match(r"\d+(?:\.\d+)*", str(told))
        return tuple(int(part) for part in parts[0].split(".")) if parts else None

    def post(self, path: str, body: object) -> str:
        """Create something; returns its id as the server tells it, or an empty text."""
        answer = _checked(self._send("post", f"{_REALMS}{path}", _written(body)), "post", path)
        return answer.headers.get("Location", "").rpartition("/")[2]

    def put(self, path: str, body: object = None) -> None:
        """Replace what is at a path."""
        _checked(self._send("put", f"{_REALMS}{path}", _written(body)), "put", path)

    def remove(self, path: str) -> bool:
        """Remove what is at a path; False where nothing was."""
        return self._done(self._send("delete", f"{_REALMS}{path}"), "delete", path)

    def act(self, path: str) -> bool:
        """Have something done at a path; False where nothing is."""
        return self._done(self._send("post", f"{_REALMS}{path}", ""), "post", path)

    def delete(self, path: str, body: object = None) -> None:
        """Remove what is at a path, or the given part of it."""
        _checked(self._send("delete", f"{_REALMS}{path}", _written(body)), "delete", path)

    def _done(self, answer: requests.Response, method: str, path: str) -> bool:
        if answer.status_code == requests.codes.not_found:
            _content(answer, path)
            return False
        return _checked(answer, method, path) is not None

    def _send(self, method: str, path: str, *body: str, **query: str) -> requests.Response:
        send = getattr(self._connection, f"raw_{method}")
        try:
            answer: requests.Response = send(path, *body, **query)
        except KeycloakConnectionError as error:
            raise IdentityUnavailableError(_away("ne répond pas")) from error
        except KeycloakError as error:
            raise _of_sign_in(error) from error
        except (TypeError, ValueError, KeyError) as error:
            raise IdentityContractBrokenError(_no_keycloak()) from error
        return answer


def _connection(server: Server, credentials: Credentials) -> KeycloakOpenIDConnection:
    with warnings.catch_warnings():
        # it also prepares an asynchronous client, which we never use, the old way
        warnings.simplefilter("ignore", DeprecationWarning)
        connection = KeycloakOpenIDConnection(
            server_url=f"{server.url}/",
            user_realm_name=credentials.realm,
            client_id=credentials.client_id,
            username=credentials.username,
            password=credentials.password,
            client_secret_key=credentials.client_secret,
            verify=str(server.ca_file) if server.ca_file else True,
            timeout=server.timeout_seconds,  # type: ignore[arg-type]
            max_retries=0,  # it would send a POST again
        )
        connection.keycloak_openid  # noqa: B018 - made here, inside the filter
    return connection


def _written(body: object) -> str:
    return "" if body is None else json.dumps(body)


def _content(answer: requests.Response, path: str) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        detail = f"{_no_keycloak()} (lecture de {_place(path)})"
        raise IdentityContractBrokenError(detail) from error


def _checked(answer: requests.Response, method: str, path: str) -> requests.Response:
    status = answer.status_code
    if status < requests.codes.multiple_choices:
        return answer
    if status >= requests.codes.server_error or status == requests.codes.too_many_requests:
        raise IdentityUnavailableError(_away(f"répond {status}"))
    raise IdentityRefusedError(_refusal(answer, method, path))


def _refusal(answer: requests.Response, method: str, path: str) -> str:
    place = f"{method.upper()} {_place(path)}"
    match answer.status_code:
        case requests.codes.unauthorized:
            return (
                f"401 de l'API d'administration ({place}) : depuis Keycloak 26.8.2 le compte doit "
                f"avoir la portée de client « {ADMIN_SCOPE} » par défaut. Relancez avec "
                "l'administrateur de démarrage, qui la lui donne."
            )
        case requests.codes.forbidden:
            return (
                f"403 ({place}) : il manque un rôle de realm-management à ce compte. Relancez avec "
                "l'administrateur de démarrage, qui les lui rend."
            )
    # what it says of a person may name them
    reason = "refusé" if _PERSON.search(path) else _reason(answer)
    return f"{answer.status_code} ({place}) : {reason}"


def _reason(answer: requests.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return "réponse illisible"
    said = body if isinstance(body, Mapping) else {}
    text = said.get("errorMessage") or said.get("error_description") or said.get("error")
    return str(text or "sans motif")[:_LONGEST_REASON]


def _of_sign_in(error: KeycloakError) -> Exception:
    status = error.response_code
    if status is None or status >= requests.codes.server_error:
        return IdentityUnavailableError(_away(f"répond {status or 'rien'}"))
    if status == requests.codes.not_found:
        return IdentityRefusedError(
            "le royaume du compte n'existe pas à PARVIS_IDP_URL (404) : vérifiez l'adresse, ou lancez "
            "d'abord la commande avec l'administrateur de démarrage."
        )
    return IdentityRefusedError(
        f"identification refusée ({status}) : vérifiez le nom et le secret du compte ; "
        "un administrateur de démarrage temporaire a pu être supprimé."
    )


def _away(what: str) -> str:
    return f"Keycloak {what} : vérifiez PARVIS_IDP_URL et le serveur, puis {_AGAIN}."


def _no_keycloak() -> str:
    return (
        "la réponse n'est pas celle de Keycloak : PARVIS_IDP_URL mène peut-être à un mandataire ou "
        f"à une page d'attente. Corrigez, puis {_AGAIN}"
    )


def _place(path: str) -> str:
    """Return where it was, without the id of a person."""
    return _PERSON.sub("/users/…", f"/{_REALMS}{path.partition('?')[0]}")
