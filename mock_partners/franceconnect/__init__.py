"""An OpenID provider shaped like FranceConnect v2: levels, pairwise subjects, signed user information.

FranceConnect itself stands on a Node library. This double is written in Python on the mocks' own server
all the same, so that the demo needs no Node; JOSE is joserfc's. Put it behind a broker (a real Keycloak
in the tests): the hub never speaks to it.

Its people do not exist. What goes wrong is the common fault switch: ``status`` and ``html_200`` on
``token`` or ``userinfo``, ``latency``, and ``drift`` on a claim, which strikes *before* the signature
(``/id_token/acr`` of ``token``, ``/sub`` of ``userinfo``), so that the token stays a valid one.
"""

from collections.abc import Mapping

from mock_partners.clock import MockClock
from mock_partners.desk import Desk
from mock_partners.faults import RECEIVING
from mock_partners.franceconnect.people import PEOPLE, Person
from mock_partners.franceconnect.provider import Provider
from mock_partners.franceconnect.settings import ClientSettings, ProviderSettings

__all__ = ["PEOPLE", "ClientSettings", "Person", "Provider", "ProviderSettings", "build"]


def build(settings: Mapping[str, object]) -> Desk:
    """One provider behind its fault switch.

    Raises:
        ValueError: the settings hold an unknown key or miss one.
    """
    clock = MockClock()
    provider = Provider(ProviderSettings.read(settings), clock)
    return Desk(provider, faults=RECEIVING | {"session_lost"}, clock=clock)
