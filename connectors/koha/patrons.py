"""Koha's patrons: found exactly, created with the keys this Koha knows, replaced whole, deleted."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from connectors.kit import Answer, Fields, PartnerHttp, segment
from connectors.koha.session import BASE, Session
from schemas import clock
from schemas.errors import PartnerMisconfiguredError, PartnerRejectedError

# What every Koha with a REST interface accepts, for one whose description does not tell.
ALWAYS_KNOWN: Final = frozenset(
    {"surname", "firstname", "library_id", "category_id", "email", "mobile", "city"}
    | {"expiry_date", "statistics_1", "opac_notes"}
)
READ_ONLY: Final = frozenset(
    {"restricted", "anonymized", "updated_on", "last_seen", "login_attempts"}
)
DESCRIPTION_LIFE_SECONDS: Final = 3600.0
MEMBERSHIP_DAYS: Final = 365


def new_patron(
    data: Mapping[str, Any], *, library_id: str, category: str, expires_on: str | None
) -> dict[str, Any]:
    """Return the record to create; what is not known is left out, never sent as null."""
    record = {
        "surname": data.get("family_name"),
        "firstname": data.get("given_name"),
        "email": data.get("email"),
        "mobile": data.get("phone"),
        "city": data.get("commune_name"),
        "library_id": library_id,
        "category_id": category,
        "expiry_date": expires_on,
    }
    return {name: value for name, value in record.items() if value is not None}


def replacement(
    patron: Fields, data: Mapping[str, Any], *, category: str, expires_on: str
) -> dict[str, Any]:
    """Return the whole record to write: what Koha holds, the person's latest words, the new category."""
    kept = {name: value for name, value in patron.items() if name not in READ_ONLY}
    library_id = patron.text("library_id")
    return kept | new_patron(data, library_id=library_id, category=category, expires_on=expires_on)


class Patrons:
    """The patrons of one Koha, through one session."""

    def __init__(self, session: Session, reference_field: str) -> None:
        self.session = session
        self.reference_field = reference_field
        self._known: frozenset[str] = frozenset()
        self._described_at = 0.0

    def end_of_membership(self, binding: Mapping[str, Any]) -> str:
        """Return the last day of a membership that starts today."""
        days = int(binding.get("membership_days") or MEMBERSHIP_DAYS)
        return (clock.utcnow() + timedelta(days=days)).date().isoformat()

    def describe(self, http: PartnerHttp) -> None:
        """Read the description Koha serves: the keys its patrons have.

        Raises:
            PartnerMisconfiguredError: this Koha cannot create patrons.
        """
        document = http.get(f"{BASE}/").fields()
        operation = _at(document, "paths", "/patrons", "post")
        if not operation:
            raise http.failure(PartnerMisconfiguredError, "route_missing: POST /patrons")
        known = _properties(document, operation)
        self._known = frozenset(known) or ALWAYS_KNOWN
        self._described_at = clock.monotonic()

    def find(self, http: PartnerHttp, field: str, value: str) -> list[Fields]:
        """Return the patrons whose field is exactly this; Koha's own comparison folds letters."""
        params = {field: value, "_match": "exact", "_per_page": 5}
        rows = self.session.request(http, "GET", "/patrons", params=params).rows()
        return [row for row in rows if row.get(field) == value]

    def bearing(self, http: PartnerHttp, our_ref: str) -> str | None:
        """Return the only patron that bears our reference, or None.

        Raises:
            PartnerRejectedError: several bear it; a person must look.
        """
        found = self.find(http, self.reference_field, our_ref)
        if len(found) > 1:
            raise http.failure(PartnerRejectedError, "several_records")
        return str(found[0].integer("patron_id")) if found else None

    def read(self, http: PartnerHttp, patron_id: str) -> Fields | None:
        """Return one patron, or None when it is gone."""
        answer = self.session.request(http, "GET", _one(patron_id), accept={404})
        return None if answer.status == 404 and is_gone(http, answer) else answer.fields()

    def must_be_ours(self, http: PartnerHttp, patron: Fields, our_ref: str) -> None:
        """Refuse to touch a record that does not bear our reference."""
        if patron.get(self.reference_field) != our_ref:
            raise http.failure(PartnerRejectedError, "another_record")

    def create(self, http: PartnerHttp, record: dict[str, Any]) -> Answer:
        """Create a patron; the caller reads 400 and 409."""
        body = self._only_known(http, record)
        return self.session.request(http, "POST", "/patrons", json=body, accept={400, 409})

    def replace(self, http: PartnerHttp, patron_id: str, record: dict[str, Any]) -> Answer:
        """Replace a patron whole; the caller reads 400, 404 and 409."""
        body = self._only_known(http, record)
        accept = {400, 404, 409}
        return self.session.request(http, "PUT", _one(patron_id), json=body, accept=accept)

    def prove(self, http: PartnerHttp, card_number: str, password: str) -> Answer:
        """Ask once whether a password is that of a card; the caller reads 400, 403 and 404.

        Koha counts failures and locks, so nothing here asks twice.
        """
        body = {"identifier": card_number, "password": password}
        accept = {400, 403, 404}
        return self.session.request(
            http, "POST", "/auth/password/validation", json=body, accept=accept
        )

    def delete(self, http: PartnerHttp, patron_id: str) -> None:
        """Delete a patron; one that is gone is as good.

        Raises:
            PartnerRejectedError: the library keeps it (loans, debts, protection).
        """
        answer = self.session.request(http, "DELETE", _one(patron_id), accept={400, 404, 409})
        if answer.status in {400, 409}:
            raise http.failure(PartnerRejectedError, f"kept_by_library: HTTP {answer.status}")
        if answer.status == 404:
            is_gone(http, answer)

    def _only_known(self, http: PartnerHttp, record: dict[str, Any]) -> dict[str, Any]:
        """Drop the keys this Koha does not know: one unknown key and it refuses the whole record."""
        if not self._known or clock.monotonic() - self._described_at > DESCRIPTION_LIFE_SECONDS:
            self.describe(http)
        if self.reference_field not in self._known:
            raise http.failure(PartnerMisconfiguredError, f"field_missing: {self.reference_field}")
        return {name: value for name, value in record.items() if name in self._known}


def is_gone(http: PartnerHttp, answer: Answer) -> bool:
    """Tell that a 404 is Koha's word about the patron, not a proxy's about the address.

    Raises:
        PartnerMisconfiguredError: it is not Koha's.
    """
    text = answer.problem().get("error")
    if isinstance(text, str) and text.rstrip(".") == "Patron not found":
        return True
    raise http.failure(PartnerMisconfiguredError, "route_missing: HTTP 404")


def _one(patron_id: str) -> str:
    return f"/patrons/{segment(str(patron_id))}"


def _properties(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the properties of an operation's body, or of the definition named patron."""
    given = operation.get("parameters")
    bodies = [each for each in given if _at(each, "schema")] if isinstance(given, list) else []
    schema = _at(bodies[0], "schema") if bodies else _at(document, "definitions", "patron")
    reference = schema.get("$ref")
    if isinstance(reference, str):
        schema = _at(document, *reference.removeprefix("#/").split("/"))
    return _at(schema, "properties")


def _at(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at a path, empty when there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
