"""How one kind of object of a realm is brought to what is wanted, or told when it may not be touched."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from identity.keycloak.api import AdminApi
from identity.keycloak.difference import Change, Finding, differences, is_marked, merged

NOT_OURS: Final = (
    "cet objet n'a pas été fait par cette installation : il n'est pas touché. Renommez-le ou "
    "supprimez-le dans Keycloak, puis relancez ; si l'adresse publique a changé, ajoutez "
    "--formerly et l'ancienne adresse."
)
REMOVE: Final = "n'est plus demandé : supprimez-le dans Keycloak s'il ne sert plus."

Found = Mapping[str, Any]


@dataclass(slots=True)
class Realm:
    """One realm under way: how to speak to it, whose objects may be touched, what was found so far.

    When ``is_dry`` nothing is ever sent but reads.
    """

    api: AdminApi
    name: str
    marks: frozenset[str]
    is_dry: bool
    findings: list[Finding] = field(default_factory=list)
    _clients: dict[str, Found] | None = None

    @property
    def path(self) -> str:
        """Where the realm is in the Admin API."""
        return f"/{self.name}"

    def clients(self) -> dict[str, Found]:
        """Return the realm's clients by the names they are known by, read again after any change."""
        if self._clients is None:
            found = self.api.get(f"{self.path}/clients") or []
            self._clients = {client["clientId"]: client for client in found}
        return self._clients

    def client(self, name: str) -> Found | None:
        """Return a client by the name it is known by, which is not its id."""
        return self.clients().get(name)

    def note(self, change: Change, what: str, *details: str) -> None:
        """Remember a finding."""
        self.findings.append(
            Finding(realm=self.name, change=change, what=what, details=tuple(details))
        )

    def bring(
        self,
        what: str,
        *,
        wanted: Mapping[str, Any],
        found: Found | None,
        create: Callable[[], object],
        update: Callable[[dict[str, Any]], object],
        mark: Mapping[str, Any] | None = None,
    ) -> bool:
        """Create or change one object; False when it is somebody else's and stays as it is.

        ``mark`` are the attributes to look for our mark in, when the object is not inside one of ours.
        """
        if found is None:
            self.note(Change.CREATED, what)
            self._unless_dry(create)
            return True
        if mark is not None and not is_marked(mark, self.marks):
            self.note(Change.FOREIGN, what, NOT_OURS)
            return False
        differing = differences(wanted, found)
        if differing:
            self.note(Change.CHANGED, what, *differing)
            self._unless_dry(lambda: update(merged(found, wanted)))
        return True

    def act(self, what: str, detail: str, do: Callable[[], object]) -> None:
        """Do something that is not as wanted, and remember it."""
        self.note(Change.CHANGED, what, detail)
        self._unless_dry(do)

    def _unless_dry(self, do: Callable[[], object]) -> None:
        if not self.is_dry:
            self._clients = None
            do()


def bring_mappers(
    realm: Realm, owner: str, *, path: str, wanted: Iterable[Mapping[str, Any]]
) -> None:
    """Bring the mappers of an object of ours; one we do not know is told, never removed.

    A mapper holds what leaves the realm about a person: an unknown one is worth a look.
    """
    found = {mapper["name"]: mapper for mapper in realm.api.get(path) or []}
    known = {mapper["name"]: mapper for mapper in wanted}
    for name, mapper in known.items():
        there = found.get(name)
        realm.bring(
            f"{owner}, correspondance {name}",
            wanted=mapper,
            found=there,
            create=partial(realm.api.post, path, mapper),
            update=lambda body: realm.api.put(f"{path}/{body['id']}", body),
        )
    for name in found.keys() - known.keys():
        realm.note(Change.FOREIGN, f"{owner}, correspondance {name}", NOT_OURS)


def bring_names(
    realm: Realm,
    what: str,
    *,
    wanted: Iterable[str],
    found: Iterable[str],
    add: Callable[[list[str]], object],
    remove: Callable[[list[str]], object],
) -> None:
    """Bring a set of names to exactly the wanted ones."""
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing:
        realm.act(what, f"manque {', '.join(missing)}", lambda: add(missing))
    if extra:
        realm.act(what, f"{', '.join(extra)} en trop", lambda: remove(extra))
