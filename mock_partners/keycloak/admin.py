"""The part of a realm's Admin API that a running hub uses: a person's account, its links, its sessions.

Accounts are there from the first sign-in on. Without a token of an account that manages users the answer is
401 or 403; what is not there is 404, in the server's own words.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mock_partners.keycloak.people import Person
from mock_partners.wire import Answer, Request, json_answer

__all__ = ["MANAGES", "Accounts", "route_of"]

MANAGES: Final = "manage-users"
_ROUTE: Final = re.compile(
    r"/admin/realms/(?P<realm>[a-z-]{1,40})/users/(?P<account>[^/]{1,64})"
    r"(?P<place>/federated-identity|/credentials|/logout)?(?:/(?P<alias>[^/]{1,64}))?"
)
_DONE: Final = Answer(status=204, content_type=None)


def route_of(request: Request) -> re.Match[str] | None:
    """The parts of an address of the Admin API, or nothing."""
    return _ROUTE.fullmatch(request.path)


@dataclass(slots=True)
class Accounts:
    """The accounts of the realms, by their id; ``end`` ends somebody's sessions."""

    end: Callable[[str], None]
    people: dict[str, Person] = field(default_factory=dict)
    unlinked: set[str] = field(default_factory=set)
    gone: dict[str, int] = field(default_factory=dict)

    def living(self, person: Person) -> Person:
        """Somebody with the account they have now: one that was removed does not come back."""
        return person.again(self.gone.get(person.key, 0))

    def signed_in(self, person: Person) -> None:
        """Keep the account of somebody who signed in; a provider that brought them is linked again."""
        self.people[person.account] = person
        self.unlinked.discard(person.account)

    def answer(self, method: str, found: re.Match[str]) -> Answer:
        """Answer one request of somebody who may."""
        account, place, alias = found["account"], found["place"], found["alias"]
        person = self.people.get(account)
        if person is None:
            return _nothing("User not found")
        match method, place, alias:
            case "GET", None, None:
                return json_answer(200, {"id": account, "username": person.key, "enabled": True})
            case "DELETE", None, None:
                self._remove(account, person)
            case "GET", "/federated-identity", None:
                return json_answer(200, self._links(person))
            case "DELETE", "/federated-identity", str():
                if alias not in {link["identityProvider"] for link in self._links(person)}:
                    return _nothing("Link not found")
                self.unlinked.add(account)
            case "GET", "/credentials", None:
                return json_answer(200, [] if person.alias else [{"type": "password"}])
            case "POST", "/logout", None:
                self.end(person.key)
            case _:
                return json_answer(405, {"error": "HTTP 405 Method Not Allowed"})
        return _DONE

    def _links(self, person: Person) -> list[dict[str, str]]:
        if person.alias is None or person.account in self.unlinked:
            return []
        subject = person.attributes()["fc_sub"]
        return [{"identityProvider": person.alias, "userId": subject, "userName": person.key}]

    def _remove(self, account: str, person: Person) -> None:
        self.end(person.key)
        del self.people[account]
        self.unlinked.discard(account)
        self.gone[person.key] = self.gone.get(person.key, 0) + 1


def _nothing(text: str) -> Answer:
    return json_answer(404, {"error": text})
