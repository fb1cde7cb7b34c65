"""A double of Keycloak as SAML identity provider: two realms, invented people, every malformed answer.

Two uses. As a library (``answers``, ``logout``, ``descriptor``, ``keys``) it makes any message a realm could
send, and the same with one thing wrong. As a mock behind a port it serves the realms to a browser. Settings:
``{"base": "http://127.0.0.1:8180" or absent, "realms": {"parvis": {"entity_id", "acs", "sls"}, …}}``; a
realm whose name ends in ``staff`` has staff; ``"keys": "FOLDER"`` keeps the keys over restarts. Where applications have tokens, a realm also holds
``"applications": {"portal": {"secret", "roles"}, "portal-login": {"redirect_uris"}}`` (a citizen's token by
code and PKCE; its ``sub`` is the attribute ``kc_user``). One with the role ``manage-users`` may read and change the
accounts of who signed in (``admin``: links, sessions, the account itself).

What goes wrong is the common fault switch, on any operation (``descriptor``, ``saml``, ``login``, ``auth``,
``token``, ``certs`` …); ``drift`` on ``/access_token/…`` of ``token`` alters a claim before it is signed.
``POST /_mock/change`` (``{"realm", "change"}``) makes the next answer wrong in one way of ``answers.BEFORE``
(altered, then signed) or ``answers.AFTER`` (tampered with once signed), ``GET /_mock/changes`` lists them;
``POST /_mock/rotate`` signs with a new key, ``POST /_mock/forget`` announces no older one (``{"realm"}``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mock_partners.clock import MockClock
from mock_partners.desk import Desk
from mock_partners.keycloak.provider import Client, Realms
from mock_partners.keycloak.server import Front, Keycloak
from mock_partners.keycloak.tokens import Application

__all__ = ["Application", "Client", "Keycloak", "Realms", "build"]


def build(settings: Mapping[str, object]) -> Desk:
    """Both realms behind one fault switch.

    Raises:
        ValueError: the settings hold an unknown key or miss one.
    """
    realms, base = settings.get("realms"), settings.get("base")
    if set(settings) - {"base", "realms", "keys"} or not isinstance(realms, Mapping) or not realms:
        msg = 'keycloak: {"base", "realms": {name: {"entity_id", "acs", "sls"}}} is wanted'
        raise ValueError(msg)
    clock = MockClock()
    try:
        clients = {str(name): _client(each) for name, each in realms.items()}
        applications = {
            str(name): {key: Application(**values) for key, values in _callers(each).items()}
            for name, each in realms.items()
        }
    except (TypeError, AttributeError) as error:
        msg = f"keycloak: {error}"
        raise ValueError(msg) from error
    place = str(base).rstrip("/") if base else None
    kept = settings.get("keys")
    keys = Path(str(kept)) if kept else None
    return Front(Keycloak(place, clients, clock, applications=applications, keys=keys), clock)


def _client(realm: Mapping[str, str]) -> Client:
    return Client(**{key: text for key, text in realm.items() if key != "applications"})


def _callers(realm: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = realm.get("applications", {})
    return found
