"""People's accounts in the citizens' realm, as the hub's own account may change them while it runs.

Only what the hub decided: a link taken away from its person, the sessions that stood on it. Ids of people
are in the paths of Keycloak's own API and in nothing that is told.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from identity.keycloak.api import AdminApi
from identity.linking import LOCAL
from schemas.errors import IdentityContractBrokenError

SAME_NAME_EVERYWHERE: Final = "saml.persistent.name.id.for.*"
"""Attribute that gives a person one name at every service: nobody could then keep services apart."""
_NO_LIST: Final = "Keycloak ne dit plus les connexions d'un compte comme prévu."


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as the realm has it: its links as (provider, its subject), and whether it is correlatable."""

    links: frozenset[tuple[str, str]] = field(repr=False)
    is_correlatable: bool


class RealmAccounts:
    """The accounts of one realm."""

    def __init__(self, api: AdminApi, realm: str) -> None:
        self._api = api
        self._users = f"/{realm}/users"

    def take_away(self, *, alias: str, subject: str, accounts: tuple[str, ...]) -> None:
        """Delete a person's link with a provider, then end the sessions of the account it was at.

        ``accounts`` are the person's, the one of the sign-in first: its sessions end in any case. The
        hub knows a login of FranceConnect by the provider's ``subject``, any other by the account. An
        account that nothing but the link lets anybody into goes as a whole: its user name would stand in
        the person's way on the day they come back.

        Raises:
            ParvisError: typed by what happens next, as every call of ``AdminApi``.
        """
        for number, account in enumerate(accounts):
            user = f"{self._users}/{quote(account, safe='')}"
            links = self._links(user)
            if links is None:
                continue
            others = [link for link in links if not _is_it(link, alias, {subject, account})]
            is_there, is_own = len(others) < len(links), number == 0
            if (is_there or is_own) and alias != LOCAL and not others and self._is_nobodys(user):
                self._api.remove(user)
                continue
            if is_there:
                # before and after: a stop in between leaves no session that stood on the link
                self._api.act(f"{user}/logout")
                self._api.remove(f"{user}/federated-identity/{quote(alias, safe='')}")
            if is_there or is_own:
                self._api.act(f"{user}/logout")

    def find(self, account: str) -> Account | None:
        """Return an account, or None when the realm has none of that id."""
        user = f"{self._users}/{quote(account, safe='')}"
        found, links = self._api.get(user), self._links(user)
        if found is None or links is None:
            return None
        return Account(
            links=frozenset((link["identityProvider"], link["userId"]) for link in links),
            is_correlatable=SAME_NAME_EVERYWHERE in (found.get("attributes") or {}),
        )

    def _links(self, user: str) -> list[dict[str, Any]] | None:
        """Return an account's links with providers, or None when there is no such account."""
        found = self._api.get(f"{user}/federated-identity")
        if found is not None and not isinstance(found, list):
            raise IdentityContractBrokenError(_NO_LIST)
        return found

    def _is_nobodys(self, user: str) -> bool:
        """Tell whether an account has no password, key or directory behind it."""
        account = self._api.get(user)
        return (
            isinstance(account, dict)
            and not account.get("federationLink")
            and self._api.get(f"{user}/credentials") == []
        )


def _is_it(link: dict[str, Any], alias: str, subjects: set[str]) -> bool:
    return link.get("identityProvider") == alias and link.get("userId") in subjects
