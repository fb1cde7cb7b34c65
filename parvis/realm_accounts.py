"""The citizens' realm as the running hub may change it: by its own account, whose secret the hub keeps.

The account is ``parvis-runtime``; the accounts that set realms up have no business on these hosts.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.services.ports.realm_effects import Link
from orchestrator.services.ports.reconciliation import RealmAccount
from orchestrator.store.secrets import SecretRows
from parvis.settings import Settings
from schemas.errors import IdentityRefusedError

if TYPE_CHECKING:
    from identity.keycloak import AdminApi, RealmAccounts

ACCOUNT_SECRET: Final = "keycloak_runtime"  # noqa: S105 - a name, no secret
_NO_REALM: Final = "PARVIS_IDP_URL manque : donnez l'adresse de Keycloak."
_NO_SECRET: Final = (
    "le secret du compte parvis-runtime n'est pas rangé : lancez « parvis identity client-secret "
    f"parvis-runtime --store {ACCOUNT_SECRET} »."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAccounts:
    """Implements ``ports.realm_effects.RealmAccounts`` and ``ports.reconciliation.RealmReading``."""

    accounts: "RealmAccounts"

    def take_away(self, link: Link) -> None:
        """Delete a link and end the sessions of its account."""
        self.accounts.take_away(alias=link.alias, subject=link.subject, accounts=link.accounts)

    def find(self, account: str) -> RealmAccount | None:
        """Return an account, or None when the realm has none of that id."""
        return self.accounts.find(account)


def open_accounts(settings: Settings, secrets: SecretRows) -> LiveAccounts:
    """Return the accounts of the citizens' realm; nothing is sent yet.

    Raises:
        IdentityRefusedError: no realm is set, or no secret of our account.
    """
    from identity.keycloak import RealmAccounts  # noqa: PLC0415 - half a second, for who has to tell

    return LiveAccounts(accounts=RealmAccounts(admin_api(settings, secrets), settings.idp_realm))


def admin_api(settings: Settings, secrets: SecretRows) -> "AdminApi":
    """Return the conversation of the running hub's account with the Admin API.

    Raises:
        IdentityRefusedError: no realm is set, or no secret of our account.
    """
    from identity.keycloak import RUNTIME, AdminApi, Credentials, Server  # noqa: PLC0415

    secret = secrets.values((ACCOUNT_SECRET,)).get(ACCOUNT_SECRET)
    if settings.idp_url is None:
        raise IdentityRefusedError(_NO_REALM)
    if secret is None:
        raise IdentityRefusedError(_NO_SECRET)
    server = Server(url=settings.idp_url, ca_file=settings.idp_ca_file)
    return AdminApi(server, Credentials.of_client(settings.idp_realm, RUNTIME, secret))


__all__ = ["ACCOUNT_SECRET", "admin_api", "open_accounts"]
