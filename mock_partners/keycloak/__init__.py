"""A double of Keycloak as SAML identity provider: two realms, invented people, every malformed answer.

Two uses. As a library (``answers``, ``logout``, ``descriptor``, ``keys``) it makes any message a realm could
send, and the same with one thing wrong. As a mock behind a port it serves the realms to a browser. Settings:
``{"base": "http://127.0.0.1:8180" or absent, "realms": {"parvis": {"entity_id", "acs", "sls"}, …}}``; a
realm whose name ends in ``staff`` has staff. What goes wrong is the common fault switch, on ``descriptor``,
``saml`` and ``login``.
"""

from collections.abc import Mapping

from mock_partners.clock import MockClock
from mock_partners.desk import Desk
from mock_partners.faults import RECEIVING
from mock_partners.keycloak.provider import Client, Realms

__all__ = ["Client", "Realms", "build"]


def build(settings: Mapping[str, object]) -> Desk:
    """Both realms behind one fault switch.

    Raises:
        ValueError: the settings hold an unknown key or miss one.
    """
    realms, base = settings.get("realms"), settings.get("base")
    if set(settings) - {"base", "realms"} or not isinstance(realms, Mapping) or not realms:
        msg = 'keycloak: {"base", "realms": {name: {"entity_id", "acs", "sls"}}} is wanted'
        raise ValueError(msg)
    try:
        clients = {str(name): Client(**each) for name, each in realms.items()}
    except TypeError as error:
        msg = f"keycloak: {error}"
        raise ValueError(msg) from error
    clock = MockClock()
    mock = Realms(str(base).rstrip("/") if base else None, clients, clock)
    return Desk(mock, faults=RECEIVING | {"session_lost"}, clock=clock)
