"""The routes of one Koha: method, path template, name, right, handler."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mock_partners.wire import Answer, Request

__all__ = ["BASE", "Call", "Match", "Route", "Router"]

BASE = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that found its route."""

    request: Request
    ids: Mapping[str, int]

    def body(self) -> object:
        """The JSON body; None when it is absent, unreadable or not declared as JSON."""
        if "json" not in self.request.headers.get("content-type", ""):
            return None
        try:
            return json.loads(self.request.body)
        except ValueError:
            return None

    def words(self, header: str) -> list[str]:
        """The comma-separated words of a header."""
        return [word.strip() for word in self.request.headers.get(header, "").split(",") if word]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation; without `right` it needs no credential."""

    method: str
    path: str
    name: str
    right: Mapping[str, str] | None
    handler: Callable[[Call], Answer]
    query: tuple[str, ...] = ()
    schema: Mapping[str, object] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The path template cut at its slashes."""
        return tuple(self.path.strip("/").split("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route with the numbers of its path; `wrong` names one that is no number."""

    route: Route
    ids: Mapping[str, int]
    wrong: str | None = None


@dataclass(slots=True)
class Router:
    """Finds routes by the shape of their path."""

    routes: tuple[Route, ...]
    _found: dict[tuple[str, int, str], list[tuple[tuple[str, ...], Route]]] = field(
        init=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for route in self.routes:
            key = (route.method, len(route.parts), route.parts[0])
            self._found.setdefault(key, []).append((route.parts, route))

    def find(self, request: Request) -> Match | None:
        """The route of a request, or None."""
        path = request.path
        if path != BASE and not path.startswith(BASE + "/"):
            return None
        parts = path[len(BASE) :].strip("/").split("/")
        method = "GET" if request.method == "HEAD" else request.method
        for template, route in self._found.get((method, len(parts), parts[0]), ()):
            if all(_fits(wanted, part) for wanted, part in zip(template, parts, strict=True)):
                return _matched(route, zip(template, parts, strict=True))
        return None


def _fits(wanted: str, part: str) -> bool:
    return wanted == part or (wanted.startswith("{") and part != "")


def _matched(route: Route, pairs: Iterable[tuple[str, str]]) -> Match:
    ids: dict[str, int] = {}
    wrong: str | None = None
    for wanted, part in pairs:
        if not wanted.startswith("{"):
            continue
        if part.isascii() and part.isdigit():
            ids[wanted[1:-1]] = int(part)
        else:
            wrong = wanted[1:-1]
    return Match(route=route, ids=ids, wrong=wrong)
