"""Holds, loans and their renewal, holds of a club, article requests."""

from collections.abc import Mapping
from datetime import timedelta

from mock_partners.clock import parse_instant, rfc3339
from mock_partners.koha.fields import HOLD, Member, schema_errors
from mock_partners.koha.queries import QueryRefusedError, listed
from mock_partners.koha.routes import BASE, Call
from mock_partners.koha.state import State, error, refused
from mock_partners.koha.table import Row, Table
from mock_partners.wire import Answer, json_answer

__all__ = ["CLUB_HOLD", "SUSPENSION", "Circulation"]

HOLD_REQUIRED = ("patron_id", "pickup_library_id")
SUSPENSION: Mapping[str, Member] = {"end_date": Member(format="date")}
CLUB_HOLD: Mapping[str, Member] = {
    "biblio_id": Member(kind="integer", is_nullable=False),
    "pickup_library_id": Member(is_nullable=False),
    "item_id": Member(kind="integer"),
    "expiration_date": Member(format="date"),
    "notes": Member(),
    "default_patron_home": Member(kind="boolean"),
}
LOAN = timedelta(days=21)
CHECKOUT_MEMBERS = ("checkout_id", "patron_id", "item_id", "due_date", "library_id")
HOLD_MEMBERS = ("hold_id", "patron_id", "biblio_id", "item_id", "pickup_library_id", "status")
ARTICLE_QUERY = ("cancellation_reason", "notes")


class Circulation:
    """The routes under ``/holds``, ``/checkouts``, ``/clubs`` and ``/article_requests``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add_hold(self, call: Call) -> Answer:
        """``POST /holds``."""
        body = call.body()
        errors = schema_errors(body, HOLD, HOLD_REQUIRED)
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        refusal = self._unknown_things(body) or self._not_allowed(call, body)
        return refusal or self._hold(body)

    def list_holds(self, call: Call) -> Answer:
        """``GET /holds``."""
        return self._listed(call, self._state.holds, HOLD_MEMBERS)

    def delete_hold(self, call: Call) -> Answer:
        """``DELETE /holds/{hold_id}``: a cancellation, or only the wish of one."""
        hold = self._state.holds.get(call.ids["hold_id"])
        if hold is None:
            return error(404, "Hold not found.")
        hold_id = call.ids["hold_id"]
        if "cancellation-request-flow" in call.words("x-koha-override"):
            hold["cancellation_requested"] = True
            effect = {"kind": "hold.cancellation_requested", "id": hold_id}
            return Answer(status=202, effect=effect)
        self._state.holds.remove(hold_id)
        return Answer(status=204, effect={"kind": "hold.cancelled", "id": hold_id})

    def suspend_hold(self, call: Call) -> Answer:
        """``POST /holds/{hold_id}/suspension``."""
        hold = self._state.holds.get(call.ids["hold_id"])
        body = call.body() if call.request.body else {}
        errors = schema_errors(body, SUSPENSION, ())
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        if hold is None:
            return error(404, "Hold not found.")
        hold |= {"suspended": True, "suspended_until": body.get("end_date")}
        effect = {"kind": "hold.suspended", "id": hold["hold_id"]}
        headers = (("Location", call.request.path),)
        return json_answer(201, {"end_date": body.get("end_date")}, headers=headers, effect=effect)

    def resume_hold(self, call: Call) -> Answer:
        """``DELETE /holds/{hold_id}/suspension``."""
        hold = self._state.holds.get(call.ids["hold_id"])
        if hold is None:
            return error(404, "Hold not found.")
        hold |= {"suspended": False, "suspended_until": None}
        return Answer(status=204, effect={"kind": "hold.resumed", "id": hold["hold_id"]})

    def list_checkouts(self, call: Call) -> Answer:
        """``GET /checkouts``."""
        return self._listed(call, self._state.checkouts, CHECKOUT_MEMBERS)

    def get_checkout(self, call: Call) -> Answer:
        """``GET /checkouts/{checkout_id}``."""
        checkout = self._state.checkouts.get(call.ids["checkout_id"])
        return error(404, "Checkout not found") if checkout is None else json_answer(200, checkout)

    def renew(self, call: Call) -> Answer:
        """``POST /checkouts/{checkout_id}/renewal`` (newer versions: ``…/renewals``)."""
        checkout = self._state.checkouts.get(call.ids["checkout_id"])
        if checkout is None:
            return error(404, "Checkout not found")
        reason = self._why_not_renewed(checkout)
        if reason is not None:
            return error(403, f"Renewal not authorized ({reason})")
        due_at = parse_instant(str(checkout["due_date"]))
        checkout["due_date"] = rfc3339(max(due_at, self._state.clock.now()) + LOAN)
        checkout["renewals_count"] = int(str(checkout["renewals_count"])) + 1
        effect = {"kind": "checkout.renewed", "id": checkout["checkout_id"]}
        headers = (("Location", call.request.path),)
        return json_answer(201, checkout, headers=headers, effect=effect)

    def allows_renewal(self, call: Call) -> Answer:
        """``GET /checkouts/{checkout_id}/allows_renewal``."""
        checkout = self._state.checkouts.get(call.ids["checkout_id"])
        if checkout is None:
            return error(404, "Checkout not found")
        reason = self._why_not_renewed(checkout)
        answer = {
            "allows_renewal": reason is None,
            "max_renewals": self._state.settings.preferences.renewalsallowed,
            "current_renewals": checkout["renewals_count"],
            "unseen_renewals": checkout["unseen_renewals"],
            "error": reason,
        }
        return json_answer(200, answer)

    def hold_for_club(self, call: Call) -> Answer:
        """``POST /clubs/{club_id}/holds``."""
        club_id = call.ids["club_id"]
        body = call.body()
        errors = schema_errors(body, CLUB_HOLD, ("biblio_id", "pickup_library_id"))
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        if club_id not in self._state.clubs:
            return error(404, "Club not found")
        if body["biblio_id"] not in self._state.biblios:
            return error(404, "biblio_id not found")
        if body["pickup_library_id"] not in self._state.settings.libraries:
            return error(400, "The supplied pickup location is not valid")
        effect = {"kind": "club.held", "id": club_id}
        return json_answer(201, {"club_id": club_id, **body}, effect=effect)

    def cancel_article(self, call: Call) -> Answer:
        """``DELETE /article_requests/{article_request_id}``."""
        wanted = self._state.article_requests.pop(call.ids["article_request_id"], None)
        if wanted is None:
            return error(404, "Article request not found")
        effect = {"kind": "article_request.cancelled", "id": wanted["article_request_id"]}
        return Answer(status=204, effect=effect)

    def _listed(self, call: Call, table: Table, members: tuple[str, ...]) -> Answer:
        size = self._state.settings.preferences.RESTdefaultPageSize
        try:
            page = listed(call.request, table, members=members, page_size=size)
        except QueryRefusedError as refusal:
            return json_answer(400, refusal.body)
        return json_answer(200, list(page.rows), headers=page.headers)

    def _unknown_things(self, body: Mapping[str, object]) -> Answer | None:
        biblio_id, item_id = body.get("biblio_id"), body.get("item_id")
        if biblio_id is None and item_id is None:
            return error(400, "At least one of biblio_id, item_id should be given")
        item = self._state.items.get(int(str(item_id))) if item_id is not None else None
        if item_id is not None and item is None and biblio_id is None:
            return error(404, "item_id not found.")
        if (
            item_id is not None
            and biblio_id is not None
            and (item or {}).get("biblio_id") != biblio_id
        ):
            return error(400, f"Item {item_id} doesn't belong to biblio {biblio_id}")
        if biblio_id is not None and biblio_id not in self._state.biblios:
            return error(404, "biblio_id not found.")
        if self._state.patrons.get(int(str(body["patron_id"]))) is None:
            return error(400, "patron_id not found")
        if body["pickup_library_id"] not in self._state.settings.libraries:
            return error(400, "The supplied pickup location is not valid")
        return None

    def _not_allowed(self, call: Call, body: Mapping[str, object]) -> Answer | None:
        preferences = self._state.settings.preferences
        own = self._state.holds.having("patron_id", body["patron_id"])
        reason: str | None = None
        if len(own) + 1 > preferences.maxreserves:
            reason = "tooManyReserves"
        elif any(self._is_same(hold, body) for hold in own):
            reason = "itemAlreadyOnHold"
        may_override = preferences.AllowHoldPolicyOverride and "any" in call.words(
            "x-koha-override"
        )
        if reason is None or may_override:
            return None
        return error(403, f"Hold cannot be placed. Reason: {reason}")

    def _is_same(self, hold: Row, body: Mapping[str, object]) -> bool:
        if body.get("item_id") is not None:
            return hold["item_id"] == body["item_id"]
        return hold["biblio_id"] == body["biblio_id"]

    def _hold(self, body: Mapping[str, object]) -> Answer:
        now = self._state.clock.now()
        hold_id = self._state.holds.new_id()
        biblio_id = (
            body.get("biblio_id") or self._state.items[int(str(body["item_id"]))]["biblio_id"]
        )
        queue = sum(hold["biblio_id"] == biblio_id for hold in self._state.holds)
        hold: Row = {name: body.get(name) for name in HOLD}
        hold |= {"hold_id": hold_id, "biblio_id": biblio_id, "priority": queue + 1, "status": None}
        hold |= {"hold_date": body.get("hold_date") or now.date().isoformat()}
        hold |= {"suspended": False, "suspended_until": None, "timestamp": rfc3339(now)}
        hold |= {"non_priority": bool(body.get("non_priority")), "cancellation_requested": False}
        self._state.holds.put(hold_id, hold)
        headers = (("Location", f"{BASE}/holds/{hold_id}"),)
        return json_answer(
            201, hold, headers=headers, effect={"kind": "hold.placed", "id": hold_id}
        )

    def _why_not_renewed(self, checkout: Row) -> str | None:
        held = any(hold["item_id"] == checkout["item_id"] for hold in self._state.holds)
        if held:
            return "on_reserve"
        limit = self._state.settings.preferences.renewalsallowed
        return "too_many" if int(str(checkout["renewals_count"])) >= limit else None
