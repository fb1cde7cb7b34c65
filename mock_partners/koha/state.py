"""What one Koha knows: its records, its sessions, the passwords of its patrons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mock_partners.clock import MockClock
from mock_partners.koha.fields import fold
from mock_partners.koha.settings import KohaSettings
from mock_partners.koha.table import Row, Table
from mock_partners.wire import Answer, json_answer

__all__ = ["State", "Vault", "error", "gone_wrong", "matching_members", "refused"]

COLUMNS = {"dateofbirth": "date_of_birth", "branchcode": "library_id", "sex": "gender"}


@dataclass(slots=True)
class Vault:
    """A patron's password, its end and the failures since the last success."""

    password: str | None = None
    expires_on: str | None = None
    failures: int = 0


@dataclass(slots=True)
class State:
    """All the rows of one installation."""

    settings: KohaSettings
    clock: MockClock
    patrons: Table = field(init=False)
    attributes: dict[int, list[Row]] = field(init=False, default_factory=dict)
    vaults: dict[int, Vault] = field(init=False, default_factory=dict)
    holds: Table = field(init=False)
    bookings: Table = field(init=False)
    checkouts: Table = field(init=False)
    biblios: dict[int, Row] = field(init=False, default_factory=dict)
    items: dict[int, Row] = field(init=False, default_factory=dict)
    clubs: set[int] = field(init=False, default_factory=set)
    article_requests: dict[int, Row] = field(init=False, default_factory=dict)
    tokens: dict[str, datetime] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        indexed = {"cardnumber", "userid", "email", *self.settings.reference_fields}
        indexed |= set(matching_members(self.settings))
        first = self.settings.first_patron_id
        self.patrons = Table(first_id=first, indexed=tuple(sorted(indexed)))
        self.holds = Table(indexed=("patron_id",))
        self.bookings = Table(indexed=("patron_id", "biblio_id"))
        self.checkouts = Table(indexed=("patron_id",))
        self._furnish()

    def _furnish(self) -> None:
        for biblio in self.settings.biblios:
            biblio_id = _whole(biblio["biblio_id"])
            items = biblio.get("items", ())
            self.biblios[biblio_id] = {k: v for k, v in biblio.items() if k != "items"}
            for item in items if isinstance(items, list | tuple) else ():
                self.items[_whole(item["item_id"])] = {**item, "biblio_id": biblio_id}
        for checkout in self.settings.checkouts:
            row = {"renewals_count": 0, "unseen_renewals": 0, **checkout}
            self.checkouts.put(_whole(checkout["checkout_id"]), row)
        self.clubs = {_whole(club["club_id"]) for club in self.settings.clubs}
        for wanted in self.settings.article_requests:
            self.article_requests[_whole(wanted["article_request_id"])] = dict(wanted)

    def reference(self, row: Mapping[str, object]) -> str | None:
        """The caller's own reference, where the caller is asked to write it."""
        for name in self.settings.reference_fields:
            if row.get(name):
                return str(row[name])
        return None

    def twin(self, row: Row) -> Row | None:
        """An existing patron that the library's matching rule takes for the same person."""
        names = matching_members(self.settings)
        wanted = {name: row[name] for name in names if row.get(name) not in (None, "")}
        if not wanted:
            return None
        for other in self.patrons.narrowed(wanted):
            if all(fold(str(other.get(name) or "")) == fold(str(v)) for name, v in wanted.items()):
                return other
        return None


def matching_members(settings: KohaSettings) -> tuple[str, ...]:
    """The members of the preference `PatronDuplicateMatchingAddFields`, by their REST names."""
    names = settings.preferences.PatronDuplicateMatchingAddFields.replace(" ", "").split("|")
    return tuple(COLUMNS.get(name, name) for name in names if name)


def error(status: int, text: str, **more: object) -> Answer:
    """A refusal in Koha's usual shape."""
    return json_answer(status, {"error": text, **more})


def refused(state: State, errors: list[dict[str, str]]) -> Answer:
    """A refusal by the schema, in the shape the settings say."""
    if state.settings.unverified.schema_refusal == "error":
        return error(400, "; ".join(f"{each['path']}: {each['message']}" for each in errors))
    return json_answer(400, {"errors": errors, "status": 400})


def gone_wrong() -> dict[str, object]:
    """The body of every 500."""
    return {"error": "Something went wrong, check Koha logs for details."}


def _whole(value: object) -> int:
    return int(str(value))
