"""Keycloak as this hub needs it: both realms set up by one idempotent command.

The only room that imports the library ``keycloak``; nothing here runs while people sign in.
"""

from identity.keycloak.accounts import RealmAccounts
from identity.keycloak.api import AdminApi, Credentials, Server
from identity.keycloak.client_secrets import client_known, client_secret
from identity.keycloak.difference import Change, Finding
from identity.keycloak.providers import Provider, read_provider
from identity.keycloak.provisioning import Provisioning, Report, Stopped
from identity.keycloak.wanted import PROVISIONING, RUNTIME, Installation

__all__ = [
    "PROVISIONING",
    "RUNTIME",
    "AdminApi",
    "Change",
    "Credentials",
    "Finding",
    "Installation",
    "Provider",
    "Provisioning",
    "RealmAccounts",
    "Report",
    "Server",
    "Stopped",
    "client_known",
    "client_secret",
    "read_provider",
]
