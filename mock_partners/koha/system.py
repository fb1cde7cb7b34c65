"""One Koha as a mock: its routes tied to their handlers, behind the fault switch."""

from collections.abc import Callable, Mapping

from mock_partners.clock import MockClock
from mock_partners.desk import View
from mock_partners.koha.access import Access
from mock_partners.koha.bookings import BOOKING_REQUIRED, Bookings
from mock_partners.koha.circulation import (
    ARTICLE_QUERY,
    CLUB_HOLD,
    HOLD_REQUIRED,
    SUSPENSION,
    Circulation,
)
from mock_partners.koha.fields import HOLD, NEW_BOOKING, PATRON, as_schema
from mock_partners.koha.openapi import described
from mock_partners.koha.passwords import NEW_PASSWORD, VALIDATION, Passwords
from mock_partners.koha.patrons import Patrons
from mock_partners.koha.queries import RESERVED
from mock_partners.koha.routes import Call, Match, Route, Router
from mock_partners.koha.settings import KohaSettings
from mock_partners.koha.state import State, gone_wrong
from mock_partners.wire import Answer, Request, json_answer

__all__ = ["Koha"]

PATRON_BODY: Mapping[str, object] = {"$ref": "#/definitions/patron"}
LIST_QUERY = tuple(sorted(RESERVED))
PATRON_QUERY = (*LIST_QUERY, *(name for name, each in PATRON.items() if each.kind != "array"))
EDIT = {"borrowers": "edit_borrowers"}
PLACE_HOLDS = {"reserveforothers": "place_holds"}
CIRCULATE = {"circulate": "circulate_remaining_permissions"}
BOOK = {"circulate": "manage_bookings"}
LOGIN = "token"


class Koha:
    """A Koha server's REST face: pure state, no socket."""

    def __init__(self, settings: KohaSettings, clock: MockClock) -> None:
        self._settings = settings
        self._clock = clock
        self.error_bodies: Mapping[int, object] = {500: gone_wrong()}
        self.reset()
        self.operations = frozenset({*(route.name for route in self._router.routes), "unknown"})

    def reset(self) -> None:
        """Go back to the records of the settings."""
        self._state = State(settings=self._settings, clock=self._clock)
        self._access = Access(self._state)
        self._router = Router(self._routes())

    def operation(self, request: Request) -> str:
        """The route's name, ``unknown`` for a path Koha has not."""
        match = self._router.find(request)
        return "unknown" if match is None else match.route.name

    def answer(self, request: Request) -> Answer:
        """Answer as Koha does: credentials, rights, parameters, then the work."""
        match = self._router.find(request)
        if match is None:
            return json_answer(
                404, {"errors": [{"message": "Not Found.", "path": "/"}], "status": 404}
            )
        call = Call(request=request, ids=match.ids)
        refusal = self._refusal(match, call)
        return refusal or match.route.handler(call)

    def revoked(self, request: Request) -> Answer:
        """The API client was switched off."""
        if self.operation(request) == LOGIN:
            return self._access.bad_client()
        return self._access.unauthenticated()

    def lose_sessions(self) -> None:
        """Forget every token issued."""
        self._state.tokens.clear()

    def views(self) -> Mapping[str, View]:
        """``GET /_mock/patrons``: the records, as a librarian would see them."""
        return {"patrons": lambda _: {"patrons": list(self._state.patrons)}}

    def _refusal(self, match: Match, call: Call) -> Answer | None:
        if match.route.right is not None:
            refusal = self._access.refusal(call, match.route.right)
            if refusal is not None:
                return refusal
        if match.wrong is not None:
            wrong = {"message": "Expected integer - got string.", "path": f"/{match.wrong}"}
            return json_answer(400, {"errors": [wrong], "status": 400})
        return None

    def _describe(self, _: Call) -> Answer:
        return json_answer(200, described(self._router.routes, self._settings))

    def _routes(self) -> tuple[Route, ...]:
        return (
            _route("GET", "/", "describe", self._describe),
            _route("POST", "/oauth/token", LOGIN, self._access.token),
            *self._patron_routes(),
            *self._hold_routes(),
            *self._loan_routes(),
            *self._booking_routes(),
        )

    def _patron_routes(self) -> tuple[Route, ...]:
        patrons, passwords = Patrons(self._state), Passwords(self._state)
        one = "/patrons/{patron_id}"
        new = as_schema(NEW_PASSWORD, NEW_PASSWORD)
        check = as_schema(VALIDATION, ())
        erase = {"borrowers": "delete_borrowers"}
        return (
            _route(
                "GET", "/patrons", "list_patrons", patrons.search, right=EDIT, query=PATRON_QUERY
            ),
            _route("POST", "/patrons", "add_patron", patrons.add, right=EDIT, schema=PATRON_BODY),
            _route("GET", one, "get_patron", patrons.get, right=EDIT),
            _route("PUT", one, "update_patron", patrons.replace, right=EDIT, schema=PATRON_BODY),
            _route("DELETE", one, "delete_patron", patrons.delete, right=erase),
            _route(
                "POST", f"{one}/password", "set_password", passwords.set, right=EDIT, schema=new
            ),
            _route(
                "POST",
                "/auth/password/validation",
                "validate_password",
                passwords.validate,
                right={"borrowers": "1"},
                schema=check,
            ),
        )

    def _hold_routes(self) -> tuple[Route, ...]:
        desk = Circulation(self._state)
        one = "/holds/{hold_id}"
        wait = f"{one}/suspension"
        hold = as_schema(HOLD, HOLD_REQUIRED)
        pause = as_schema(SUSPENSION, ())
        club = as_schema(CLUB_HOLD, ("biblio_id", "pickup_library_id"))
        clubs = "/clubs/{club_id}/holds"
        return (
            _route(
                "GET", "/holds", "list_holds", desk.list_holds, right=PLACE_HOLDS, query=LIST_QUERY
            ),
            _route("POST", "/holds", "add_hold", desk.add_hold, right=PLACE_HOLDS, schema=hold),
            _route("DELETE", one, "delete_hold", desk.delete_hold, right=PLACE_HOLDS),
            _route(
                "POST", wait, "suspend_hold", desk.suspend_hold, right=PLACE_HOLDS, schema=pause
            ),
            _route("DELETE", wait, "resume_hold", desk.resume_hold, right=PLACE_HOLDS),
            _route(
                "POST", clubs, "add_club_hold", desk.hold_for_club, right=PLACE_HOLDS, schema=club
            ),
        )

    def _loan_routes(self) -> tuple[Route, ...]:
        desk = Circulation(self._state)
        one = "/checkouts/{checkout_id}"
        article = "/article_requests/{article_request_id}"
        return (
            _route("GET", "/checkouts", "list_checkouts", desk.list_checkouts, right=CIRCULATE),
            _route("GET", one, "get_checkout", desk.get_checkout, right=CIRCULATE),
            _route("POST", f"{one}/renewal", "renew_checkout", desk.renew, right=CIRCULATE),
            _route("POST", f"{one}/renewals", "renew_checkout", desk.renew, right=CIRCULATE),
            _route(
                "GET",
                f"{one}/allows_renewal",
                "allows_renewal",
                desk.allows_renewal,
                right=CIRCULATE,
            ),
            _route(
                "DELETE",
                article,
                "cancel_article_request",
                desk.cancel_article,
                right={"reserveforothers": "1"},
                query=ARTICLE_QUERY,
            ),
        )

    def _booking_routes(self) -> tuple[Route, ...]:
        bookings = Bookings(self._state)
        one = "/bookings/{booking_id}"
        whole = as_schema(NEW_BOOKING, BOOKING_REQUIRED)
        some = as_schema(NEW_BOOKING, ())
        return (
            _route(
                "GET", "/bookings", "list_bookings", bookings.search, right=BOOK, query=LIST_QUERY
            ),
            _route("POST", "/bookings", "add_booking", bookings.add, right=BOOK, schema=whole),
            _route("GET", one, "get_booking", bookings.get, right=BOOK),
            _route("PUT", one, "replace_booking", bookings.replace, right=BOOK, schema=whole),
            _route("PATCH", one, "update_booking", bookings.change, right=BOOK, schema=some),
            _route("DELETE", one, "delete_booking", bookings.delete, right=BOOK),
        )


def _route(  # noqa: PLR0913  one line of a table
    method: str,
    path: str,
    name: str,
    handler: Callable[[Call], Answer],
    *,
    right: Mapping[str, str] | None = None,
    query: tuple[str, ...] = (),
    schema: Mapping[str, object] | None = None,
) -> Route:
    return Route(
        method=method,
        path=path,
        name=name,
        right=right,
        handler=handler,
        query=query,
        schema=schema,
    )
