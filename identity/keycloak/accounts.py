"""People's accounts in the citizens' realm, as the hub's own account may change them while it runs.

Only what the hub decided: a link taken away from its person, the sessions that stood on it. Ids of people
are in the paths of Keycloak's own API and in nothing that is told.
"""

from typing import Any, Final
from urllib.parse import quote

from identity.keycloak.api import AdminApi
from identity.linking import LOCAL
from schemas.errors import IdentityContractBrokenError

_NO_LIST: Final = "Keycloak ne dit plus les connexions d'un compte comme prévu."


class RealmAccounts:
    """The accounts of one realm."""

    def __init__(self, api: AdminApi, realm: str) -> None:
        self._api = api
        self._users = f"/{realm}/users"

    def take_away(self, *, alias: str, subject: str, accounts: tuple[str, ...]) -> None:
        """Delete a person's link with a provider, then end the sessions of the account it was at.

        ``accounts`` are the person's, the one of the sign-in first: its sessions end in any case. An
        account nobody can sign in to any more goes too: its user name would stand in the person's way on
        the day they come back.

        Raises:
            ParvisError: typed by what happens next, as every call of ``AdminApi``.
        """
        for number, account in enumerate(accounts):
            user = f"{self._users}/{quote(account, safe='')}"
            links = self._links(user)
            if links is None:
                continue
            is_there = any(_is_same(link, alias, subject) for link in links)
            if is_there:
                # before and after: a stop in between leaves no session that stood on the link
                self._api.act(f"{user}/logout")
                self._api.remove(f"{user}/federated-identity/{quote(alias, safe='')}")
            others = [link for link in links if not _is_same(link, alias, subject)]
            if alias != LOCAL and not others and self._is_nobodys(user):
                self._api.remove(user)
            elif is_there or number == 0:
                self._api.act(f"{user}/logout")

    def _links(self, user: str) -> list[dict[str, Any]] | None:
        """Return an account's links with providers, or None when there is no such account."""
        found = self._api.get(f"{user}/federated-identity")
        if found is not None and not isinstance(found, list):
            raise IdentityContractBrokenError(_NO_LIST)
        return found

    def _is_nobodys(self, user: str) -> bool:
        """Tell whether an account without links has no password, key or directory behind it either."""
        account = self._api.get(user)
        return (
            isinstance(account, dict)
            and not account.get("federationLink")
            and self._api.get(f"{user}/credentials") == []
        )


def _is_same(link: dict[str, Any], alias: str, subject: str) -> bool:
    return (link.get("identityProvider"), link.get("userId")) == (alias, subject)
