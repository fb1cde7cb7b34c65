"""Bookings: rooms and equipment are items of a biblio, booked from one instant to another."""

from collections.abc import Mapping

from mock_partners.clock import parse_instant, rfc3339
from mock_partners.koha.fields import NEW_BOOKING, schema_errors
from mock_partners.koha.queries import QueryRefusedError, listed
from mock_partners.koha.routes import BASE, Call
from mock_partners.koha.state import State, error, refused
from mock_partners.koha.table import Row
from mock_partners.wire import Answer, json_answer

__all__ = ["BOOKING_REQUIRED", "Bookings"]

BOOKING_REQUIRED = (
    "biblio_id",
    "item_id",
    "patron_id",
    "pickup_library_id",
    "start_date",
    "end_date",
)
EMBEDS = ("biblio", "item", "patron", "pickup_library")
ACTIVE = "new"


class Bookings:
    """The routes under ``/bookings``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, call: Call) -> Answer:
        """``POST /bookings``."""
        body = call.body()
        errors = schema_errors(body, NEW_BOOKING, BOOKING_REQUIRED)
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        now = rfc3339(self._state.clock.now())
        row: Row = {name: body.get(name) for name in NEW_BOOKING}
        row |= {"booking_id": self._state.bookings.new_id(), "creation_date": now}
        row |= {"modification_date": now, "status": body.get("status", ACTIVE)}
        return self._refusal(row) or self._stored(row, 201, "booking.created")

    def search(self, call: Call) -> Answer:
        """``GET /bookings``."""
        size = self._state.settings.preferences.RESTdefaultPageSize
        try:
            page = listed(call.request, self._state.bookings, members=NEW_BOOKING, page_size=size)
        except QueryRefusedError as refusal:
            return json_answer(400, refusal.body)
        return self._shown(call, list(page.rows), headers=page.headers)

    def get(self, call: Call) -> Answer:
        """``GET /bookings/{booking_id}``."""
        row = self._state.bookings.get(call.ids["booking_id"])
        return (
            error(404, "Booking not found")
            if row is None
            else self._shown(call, [row], headers=None)
        )

    def replace(self, call: Call) -> Answer:
        """``PUT /bookings/{booking_id}``: the whole booking."""
        return self._changed(call, BOOKING_REQUIRED)

    def change(self, call: Call) -> Answer:
        """``PATCH /bookings/{booking_id}``: some members."""
        return self._changed(call, ())

    def delete(self, call: Call) -> Answer:
        """``DELETE /bookings/{booking_id}``."""
        booking_id = call.ids["booking_id"]
        if self._state.bookings.get(booking_id) is None:
            return error(404, "Booking not found")
        self._state.bookings.remove(booking_id)
        return Answer(status=204, effect={"kind": "booking.deleted", "id": booking_id})

    def _changed(self, call: Call, required: tuple[str, ...]) -> Answer:
        old = self._state.bookings.get(call.ids["booking_id"])
        body = call.body()
        errors = schema_errors(body, NEW_BOOKING, required)
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        if old is None:
            return error(404, "Booking not found")
        row = {**old, **body, "booking_id": old["booking_id"]}
        if row == old:
            return json_answer(200, old)
        row["modification_date"] = rfc3339(self._state.clock.now())
        return self._refusal(row) or self._stored(row, 200, "booking.updated")

    def _stored(self, row: Row, status: int, kind: str) -> Answer:
        if row["item_id"] is None:
            row["item_id"] = self._free_items(row)[0]
        booking_id = int(str(row["booking_id"]))
        self._state.bookings.put(booking_id, row)
        headers = (("Location", f"{BASE}/bookings/{booking_id}"),) if status == 201 else ()
        return json_answer(status, row, headers=headers, effect={"kind": kind, "id": booking_id})

    def _refusal(self, row: Row) -> Answer | None:
        statuses = self._state.settings.unverified.booking_statuses
        if row["status"] is not None and row["status"] not in statuses:
            message = f"Not in enum list: {', '.join(statuses)}."
            return refused(self._state, [{"message": message, "path": "/body/status"}])
        for name, known in (
            ("biblio_id", self._state.biblios),
            ("pickup_library_id", self._state.settings.libraries),
        ):
            if row[name] not in known:
                return error(400, f"Given {name} does not exist")
        if self._state.patrons.get(int(str(row["patron_id"]))) is None:
            return error(400, "Given patron_id does not exist")
        if row["item_id"] is not None and row["item_id"] not in self._items(row):
            return error(400, "Given item_id does not exist")
        if parse_instant(str(row["start_date"])) >= parse_instant(str(row["end_date"])):
            return error(400, "Invalid parameter(s)", parameters=["start_date", "end_date"])
        if not self._free_items(row):
            clash = self._state.settings.unverified.booking_clash_status
            return error(clash, "Booking would conflict")
        return None

    def _items(self, row: Row) -> list[int]:
        return [
            item_id
            for item_id, item in self._state.items.items()
            if item["biblio_id"] == row["biblio_id"]
        ]

    def _free_items(self, row: Row) -> list[int]:
        """The items this booking could take; the one it names, or any of the biblio."""
        wanted = self._items(row) if row["item_id"] is None else [int(str(row["item_id"]))]
        rivals = self._state.bookings.having("biblio_id", row["biblio_id"])
        taken = {rival["item_id"] for rival in rivals if _clashes(rival, row)}
        return [item_id for item_id in wanted if item_id not in taken]

    def _shown(
        self, call: Call, rows: list[Row], *, headers: tuple[tuple[str, str], ...] | None
    ) -> Answer:
        embeds = call.words("x-koha-embed")
        strangers = [each for each in embeds if each not in EMBEDS]
        if strangers:
            text = f"Embeding {strangers[0]} is not authorised. Check your x-koha-embed headers or remove it."
            return error(400, text)
        shown = [{**row, **{each: self._embedded(row, each) for each in embeds}} for row in rows]
        if headers is None:
            return json_answer(200, shown[0])
        return json_answer(200, shown, headers=headers)

    def _embedded(self, row: Row, name: str) -> object:
        if name == "biblio":
            return self._state.biblios.get(int(str(row["biblio_id"])))
        if name == "item":
            return self._state.items.get(int(str(row["item_id"])))
        if name == "patron":
            return self._state.patrons.get(int(str(row["patron_id"])))
        code = str(row["pickup_library_id"])
        return {"library_id": code, "name": self._state.settings.libraries[code]}


def _clashes(rival: Row, row: Row) -> bool:
    if rival["booking_id"] == row["booking_id"] or rival["status"] == "cancelled":
        return False
    starts, ends = parse_instant(str(row["start_date"])), parse_instant(str(row["end_date"]))
    rival_starts = parse_instant(str(rival["start_date"]))
    rival_ends = parse_instant(str(rival["end_date"]))
    return starts < rival_ends and rival_starts < ends
