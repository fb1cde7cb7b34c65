"""Lists: filters with `_match`, JSON queries, order, pages and their headers."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from mock_partners.koha.fields import fold
from mock_partners.koha.table import Row, Table
from mock_partners.wire import Request

__all__ = ["Listing", "QueryRefusedError", "listed"]

RESERVED = frozenset({"_match", "_order_by", "_page", "_per_page", "q"})
MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "exact": lambda value, wanted: value == wanted,
    "contains": lambda value, wanted: wanted in value,
    "starts_with": lambda value, wanted: value.startswith(wanted),
    "ends_with": lambda value, wanted: value.endswith(wanted),
}


class QueryRefusedError(Exception):
    """The list cannot be asked this way; carries the body of the 400."""

    def __init__(self, body: object) -> None:
        super().__init__("query refused")
        self.body = body


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of rows and the headers that describe it."""

    rows: Sequence[Row]
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    filters: Mapping[str, str]
    queries: Sequence[object]
    match: str
    order: Sequence[str]
    page: int
    per_page: int


def listed(request: Request, table: Table, *, members: Iterable[str], page_size: int) -> Listing:
    """The page of `table` that the request asks for.

    Raises:
        QueryRefusedError: an unknown parameter, operator, member, or an unreadable query.
    """
    known = frozenset(members)
    asked = _read(request, known, page_size)
    found = [row for row in _candidates(table, asked) if _is_wanted(row, asked, known)]
    for key in reversed(asked.order):
        name, is_descending = _ordering(key, known)
        found.sort(key=lambda row, name=name: _sortable(row.get(name)), reverse=is_descending)  # type: ignore[misc]
    total = len(found)
    if asked.per_page > 0:
        start = (asked.page - 1) * asked.per_page
        found = found[start : start + asked.per_page]
    headers = [("X-Total-Count", str(total)), ("X-Base-Total-Count", str(len(table)))]
    if asked.per_page > 0:
        headers.append(("Link", _links(request, asked, total)))
    return Listing(rows=found, headers=tuple(headers))


def _read(request: Request, known: frozenset[str], page_size: int) -> _Asked:
    pairs = parse_qsl(request.query, keep_blank_values=True)
    strangers = sorted({name for name, _ in pairs} - known - RESERVED)
    if strangers:
        wrong = [{"message": "Malformed query string", "path": f"/query/{n}"} for n in strangers]
        raise QueryRefusedError(wrong)
    last = dict(pairs)
    match = last.get("_match", "contains")
    if match not in MATCHES:
        raise QueryRefusedError({"error": f"Invalid value for _match param ({match})"})
    texts = [value for name, value in pairs if name == "q"]
    if "x-koha-query" in request.headers:
        texts.append(request.headers["x-koha-query"])
    return _Asked(
        filters={name: value for name, value in pairs if name not in RESERVED},
        queries=[_query(text) for text in texts],
        match=match,
        order=[key for n, value in pairs if n == "_order_by" for key in value.split(",") if key],
        page=_number(last.get("_page", "1"), least=1),
        per_page=_number(last.get("_per_page", str(page_size)), least=-1),
    )


def _query(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        refusal = {"error": "Invalid JSON in query", "error_code": "invalid_query"}
        raise QueryRefusedError(refusal) from error


def _number(text: str, *, least: int) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or int(text) < least:
        wrong = [{"message": "Expected integer - got string.", "path": "/_page"}]
        raise QueryRefusedError({"errors": wrong, "status": 400})
    return int(text)


def _candidates(table: Table, asked: _Asked) -> list[Row]:
    exact = {key: value for key, value in asked.filters.items() if value and asked.match == "exact"}
    simple = [query for query in asked.queries if isinstance(query, Mapping)]
    plain = {
        key: value
        for query in simple
        for key, value in query.items()
        if isinstance(value, str) and value
    }
    return table.narrowed({**plain, **exact})


def _is_wanted(row: Row, asked: _Asked, known: frozenset[str]) -> bool:
    compare = MATCHES[asked.match]
    for name, wanted in asked.filters.items():
        if not compare(fold(_text(row.get(name))), fold(wanted)):
            return False
    return all(_satisfies(row, query, known) for query in asked.queries)


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _satisfies(row: Row, query: object, known: frozenset[str]) -> bool:
    if isinstance(query, list):  # alternatives
        return any(_satisfies(row, part, known) for part in query)
    if not isinstance(query, Mapping):
        raise _invalid("a query is an object or a list")
    return all(_clause(row, name, wanted, known) for name, wanted in query.items())


def _clause(row: Row, name: str, wanted: object, known: frozenset[str]) -> bool:
    if name in {"-and", "-or"}:
        if not isinstance(wanted, list):
            raise _invalid(name, "takes a list")
        join = all if name == "-and" else any
        return join([_satisfies(row, part, known) for part in wanted])
    name = name.removeprefix("me.")
    if name not in known:
        raise _invalid("unknown member", name)
    return _compared(row.get(name), wanted)


def _compared(value: object, wanted: object) -> bool:
    if isinstance(wanted, list):
        if wanted[:1] in (["-and"], ["-or"]):
            join = all if wanted[0] == "-and" else any
            return join([_compared(value, part) for part in wanted[1:]])
        return any(_compared(value, part) for part in wanted)
    if isinstance(wanted, Mapping):
        return all(_operated(value, operator, right) for operator, right in wanted.items())
    return _operated(value, "=", wanted)


def _operated(value: object, operator: str, right: object) -> bool:
    if isinstance(right, list) and operator in {"-in", "-not_in"}:
        return any(_operated(value, "=", item) for item in right) is (operator == "-in")
    if right is None and operator in {"=", "!="}:
        return (value is None) is (operator == "=")
    if value is None:
        return False
    found, wanted = fold(_text(value)), fold(_text(right))
    match operator:
        case "=" | "!=":
            return (found == wanted) is (operator == "=")
        case "<" | "<=" | ">" | ">=":
            return _ordered(value, right, operator)
        case "-like" | "-not_like":
            return _like(found, wanted) is (operator == "-like")
    raise _invalid("unknown operator", operator)


def _ordered(value: object, right: object, operator: str) -> bool:
    left_key, right_key = _sortable(value), _sortable(right)
    sign = (left_key > right_key) - (left_key < right_key)
    return sign in {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (1, 0)}[operator]


def _like(found: str, pattern: str) -> bool:
    first, *parts = pattern.split("%")
    if not parts:
        return found == first
    if not found.startswith(first):
        return False
    place = len(first)
    for part in parts[:-1]:
        place = found.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return found[place:].endswith(parts[-1])


def _invalid(*reason: str) -> QueryRefusedError:
    text = f"Invalid query: {' '.join(reason)}"
    return QueryRefusedError({"error": text, "error_code": "invalid_query"})


def _ordering(key: str, known: frozenset[str]) -> tuple[str, bool]:
    name = key.strip().lstrip("+-")
    if name not in known:
        raise _invalid("cannot order by", name)
    return name, key.strip().startswith("-")


def _sortable(value: object) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (2, 0.0, fold(str(value)))


def _links(request: Request, asked: _Asked, total: int) -> str:
    last = max(1, -(-total // asked.per_page))
    pages = {"first": 1, "last": last}
    if asked.page > 1:
        pages["prev"] = asked.page - 1
    if asked.page < last:
        pages["next"] = asked.page + 1
    host = request.headers.get("host", "")
    pairs = [p for p in parse_qsl(request.query) if p[0] not in {"_page", "_per_page"}]
    return ",".join(
        f"<http://{host}{request.path}?{urlencode([*pairs, ('_per_page', asked.per_page), ('_page', number)])}>"
        f'; rel="{rel}"'
        for rel, number in pages.items()
    )
