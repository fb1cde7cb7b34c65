"""What a connector reads of an answer: typed members, or one error that says they changed.

The status decides less than people think, so reading is strict: an HTML page inside a success is an
outage, an empty or unreadable body is a broken contract, a member of another type too.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import requests

from schemas.errors import PartnerContractBrokenError, PartnerUnavailableError

PAGE: Final = (b"<!doctype", b"<html")
UTF8_NAMES: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_read_json = json.JSONDecoder(parse_constant=_no_constant).decode


class Fields(Mapping[str, Any]):
    """A JSON object of an answer; ``text`` and ``integer`` refuse what is missing or retyped."""

    __slots__ = ("_operation", "_partner", "_values")

    def __init__(self, values: dict[str, Any], partner: str, operation: str) -> None:
        self._values = values
        self._partner = partner
        self._operation = operation

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str) -> str:
        """Return a member that must be a text."""
        value = self._values.get(name)
        return value if isinstance(value, str) and value else self._broken(name)

    def text_or_none(self, name: str) -> str | None:
        """Return a member that may be absent or null, but no other type."""
        value = self._values.get(name)
        return value if value is None or isinstance(value, str) else self._broken(name)

    def integer(self, name: str) -> int:
        """Return a member that must be a whole number."""
        value = self._values.get(name)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return value if is_number and isinstance(value, int) else self._broken(name)

    def items_of(self, name: str) -> list[Any]:
        """Return a member that must be a list."""
        value = self._values.get(name)
        return value if isinstance(value, list) else self._broken(name)

    def _broken(self, name: str) -> NoReturn:
        detail = f"member {name} missing or of another type"
        raise PartnerContractBrokenError(self._partner, self._operation, detail)


class Answer:
    """One answer of a system: status, headers, and a body that must be what the contract says."""

    __slots__ = ("_has_effect", "_operation", "_partner", "response")

    def __init__(
        self, response: requests.Response, *, partner: str, operation: str, has_effect: bool
    ) -> None:
        self.response = response
        self._partner = partner
        self._operation = operation
        self._has_effect = has_effect

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @property
    def has_json(self) -> bool:
        """Whether the media type says JSON."""
        kind = self.response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or kind.endswith("+json")

    def value(self) -> Any:
        """Return the JSON value of the body.

        Raises:
            PartnerUnavailableError: the body is an HTML page, whatever the status says.
            PartnerContractBrokenError: the body is empty or is not JSON in UTF-8.
        """
        body = self.response.content
        if body[:64].lstrip().lower().startswith(PAGE):
            detail = f"an HTML page came with status {self.status}"
            raise PartnerUnavailableError(
                self._partner, self._operation, detail, outcome_unknown=self._has_effect
            )
        if not body or not self.has_json or not self._is_utf8():
            self._broken("the body is empty or not of the agreed media type")
        try:
            return _read_json(body.decode("utf-8"))
        except (ValueError, RecursionError):
            self._broken("the body is no JSON in UTF-8")

    def fields(self) -> Fields:
        """Return the body, which must be a JSON object."""
        return self.as_fields(self.value())

    def rows(self) -> list[Fields]:
        """Return the body, which must be a JSON list of objects."""
        return [self.as_fields(item) for item in self.items()]

    def items(self) -> list[Any]:
        """Return the body, which must be a JSON list."""
        value = self.value()
        return value if isinstance(value, list) else self._broken("the body is no list")

    def as_fields(self, value: Any) -> Fields:
        """Return a value, which must be a JSON object."""
        if not isinstance(value, dict):
            self._broken("a JSON object was expected")
        return Fields(value, self._partner, self._operation)

    def problem(self) -> Mapping[str, Any]:
        """Return a refusal's JSON object, or an empty one when it holds none: never raises."""
        try:
            value = json.loads(self.response.content)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def _is_utf8(self) -> bool:
        kind = self.response.headers.get("Content-Type", "").lower()
        _, found, charset = kind.partition("charset=")
        return not found or charset.partition(";")[0].strip(' "') in UTF8_NAMES

    def _broken(self, detail: str) -> NoReturn:
        raise PartnerContractBrokenError(self._partner, self._operation, detail)
