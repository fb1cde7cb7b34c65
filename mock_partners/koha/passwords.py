"""Passwords: setting one, and checking one for another application (with the lock-out)."""

from collections.abc import Mapping
from hmac import compare_digest

from mock_partners.koha.fields import Member, schema_errors
from mock_partners.koha.routes import Call
from mock_partners.koha.state import State, error, refused
from mock_partners.koha.table import Row
from mock_partners.wire import Answer, json_answer

__all__ = ["NEW_PASSWORD", "VALIDATION", "Passwords"]

NEW_PASSWORD: Mapping[str, Member] = {
    "password": Member(is_nullable=False),
    "password_2": Member(is_nullable=False),
}
VALIDATION: Mapping[str, Member] = {
    "identifier": Member(is_nullable=False),
    "userid": Member(is_nullable=False),
    "password": Member(is_nullable=False),
}
FAILED = "Validation failed"
BOTH = "Bad request. Only one identifier attribute can be passed."


class Passwords:
    """``/patrons/{patron_id}/password`` and ``/auth/password/validation``."""

    def __init__(self, state: State) -> None:
        self._state = state

    def set(self, call: Call) -> Answer:
        """Give a patron a new password."""
        patron_id = call.ids["patron_id"]
        body = call.body()
        errors = schema_errors(body, NEW_PASSWORD, NEW_PASSWORD)
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        row = self._state.patrons.get(patron_id)
        if row is None:
            return error(404, "Patron not found.")
        refusal = self._weakness(str(body["password"]), str(body["password_2"]))
        return refusal or self._keep(patron_id, row, str(body["password"]))

    def validate(self, call: Call) -> Answer:
        """Say whether a password is that of a patron."""
        body = call.body()
        errors = schema_errors(body, VALIDATION, ())
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        if "identifier" in body and "userid" in body:
            return error(400, BOTH)
        row = self._person(body)
        if row is None:
            return error(400, FAILED)
        return self._verdict(row, str(body.get("password", "")))

    def _weakness(self, password: str, again: str) -> Answer | None:
        least = self._state.settings.preferences.minPasswordLength
        if password != again:
            return error(400, "Passwords don't match")
        if password != password.strip():
            return error(400, "Password contains leading/trailing whitespace character(s)")
        if len(password) < least:
            return error(
                400, f"Password length ({len(password)}) is shorter than required ({least})"
            )
        return None

    def _keep(self, patron_id: int, row: Row, password: str) -> Answer:
        vault = self._state.vaults[patron_id]
        vault.password, vault.failures, vault.expires_on = password, 0, None
        row["login_attempts"] = 0
        effect = {"kind": "password.set", "id": patron_id}
        return json_answer(200, "", effect=effect, reference=self._state.reference(row))

    def _person(self, body: Mapping[str, object]) -> Row | None:
        if "userid" in body:
            found = self._state.patrons.having("userid", body["userid"])
        else:
            identifier = body.get("identifier", "")
            found = self._state.patrons.having("userid", identifier)
            found = found or self._state.patrons.having("cardnumber", identifier)
        return found[0] if found else None

    def _verdict(self, row: Row, password: str) -> Answer:
        vault = self._state.vaults[int(str(row["patron_id"]))]
        limit = self._state.settings.preferences.FailedLoginAttempts
        if limit and vault.failures >= limit:
            return error(400, FAILED)
        if vault.password is None or not compare_digest(vault.password.encode(), password.encode()):
            vault.failures += 1
            row["login_attempts"] = vault.failures
            return error(400, FAILED)
        today = self._state.clock.now().date().isoformat()
        if vault.expires_on is not None and vault.expires_on < today:
            return error(400, "Password expired")
        vault.failures = 0
        row["login_attempts"] = 0
        names = ("cardnumber", "patron_id", "userid")
        return json_answer(201, {name: row[name] for name in names})
