"""Patrons: create, read, list, replace, delete."""

from collections.abc import Mapping
from datetime import date, timedelta

from mock_partners.clock import rfc3339
from mock_partners.koha.fields import PATRON, blank_patron, fold, known_members, schema_errors
from mock_partners.koha.queries import QueryRefusedError, listed
from mock_partners.koha.routes import BASE, Call
from mock_partners.koha.state import State, Vault, error, refused
from mock_partners.koha.table import Row
from mock_partners.wire import Answer, json_answer

__all__ = ["Patrons"]

EMBEDS = frozenset({"extended_attributes", "checkouts+count", "overdues+count", "library"})
DUPLICATE = "A patron record matching these details already exists"
ENUMERATED = {"check_previous_checkout": ("yes", "no", "inherit"), "privacy": (0, 1, 2)}
ENROLMENT = timedelta(days=365)


class Patrons:
    """The routes under ``/patrons``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._members = known_members(PATRON, state.settings.version)
        self._last_card = 0
        for patron in state.settings.patrons:
            self._seed(patron)

    def add(self, call: Call) -> Answer:
        """``POST /patrons``."""
        body = call.body()
        errors = schema_errors(body, self._members)
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        refusal = self._bad_parameter(body) or self._foreign(body) or self._bad_attributes(body)
        if refusal is not None:
            return refusal
        row = self._new_row(body)
        refusal = self._taken(row, None)
        if refusal is None and self._state.twin(row) is not None:
            refusal = error(409, DUPLICATE)
        return refusal or self._created(row, body)

    def get(self, call: Call) -> Answer:
        """``GET /patrons/{patron_id}``."""
        row = self._state.patrons.get(call.ids["patron_id"])
        if row is None:
            return error(404, "Patron not found.")
        return self._shown(call, [row], is_list=None)

    def search(self, call: Call) -> Answer:
        """``GET /patrons``: every member is a filter."""
        size = self._state.settings.preferences.RESTdefaultPageSize
        names = [name for name, member in self._members.items() if member.kind != "array"]
        try:
            page = listed(call.request, self._state.patrons, members=names, page_size=size)
        except QueryRefusedError as refusal:
            return json_answer(400, refusal.body)
        return self._shown(call, list(page.rows), is_list=page.headers)

    def replace(self, call: Call) -> Answer:
        """``PUT /patrons/{patron_id}``: the whole record."""
        patron_id = call.ids["patron_id"]
        old = self._state.patrons.get(patron_id)
        body = call.body()
        errors = schema_errors(body, self._members)
        if errors:
            return refused(self._state, errors)
        assert isinstance(body, Mapping)  # noqa: S101  the schema has just said so
        if old is None:
            return error(404, "Patron not found")
        refusal = self._wrong_values(body) or self._foreign(body) or self._bad_attributes(body)
        if refusal is not None:
            return refusal
        row = self._replaced(old, body)
        return self._taken(row, patron_id) or self._updated(old, row, body)

    def delete(self, call: Call) -> Answer:
        """``DELETE /patrons/{patron_id}``."""
        patron_id = call.ids["patron_id"]
        row = self._state.patrons.get(patron_id)
        if row is None:
            return error(404, "Patron not found")
        if row.get("protected"):
            text = "Protected patrons cannot be deleted"
            return error(400, text, error_code="is_protected")
        if self._state.checkouts.having("patron_id", patron_id):
            return error(409, "Pending checkouts prevent deletion", error_code="has_checkouts")
        self._forget(patron_id)
        effect = {"kind": "patron.deleted", "id": patron_id}
        reference = self._state.reference(row)
        return Answer(status=204, effect=effect, reference=reference)

    def _created(self, row: Row, body: Mapping[str, object]) -> Answer:
        patron_id = int(str(row["patron_id"] or self._state.patrons.new_id()))
        row["patron_id"] = patron_id
        self._state.patrons.put(patron_id, row)
        self._state.vaults[patron_id] = Vault()
        card = str(row["cardnumber"] or "")
        if card.isascii() and card.isdigit():
            self._last_card = max(self._last_card, int(card))
        self._keep_attributes(patron_id, body)
        return json_answer(
            201,
            row,
            headers=(("Location", f"{BASE}/patrons/{patron_id}"),),
            effect={"kind": "patron.created", "id": patron_id},
            reference=self._state.reference(row),
        )

    def _updated(self, old: Row, row: Row, body: Mapping[str, object]) -> Answer:
        patron_id = int(str(old["patron_id"]))
        before = [(each["type"], each["value"]) for each in self._state.attributes[patron_id]]
        self._keep_attributes(patron_id, body)
        after = [(each["type"], each["value"]) for each in self._state.attributes[patron_id]]
        reference = self._state.reference(row)
        if row == old and before == after:
            if self._state.settings.unverified.no_changes == 204:
                return Answer(status=204, reference=reference)
            return json_answer(200, old, reference=reference)
        row["updated_on"] = rfc3339(self._state.clock.now())
        self._state.patrons.put(patron_id, row)
        effect = {"kind": "patron.updated", "id": patron_id}
        return json_answer(200, row, effect=effect, reference=reference)

    def _new_row(self, body: Mapping[str, object]) -> Row:
        today = self._state.clock.now().date()
        row = blank_patron(self._state.settings.version)
        row |= {"date_enrolled": today.isoformat(), "updated_on": rfc3339(self._state.clock.now())}
        row |= {key: value for key, value in body.items() if key != "extended_attributes"}
        if row["expiry_date"] is None:
            enrolled = date.fromisoformat(str(row["date_enrolled"] or today.isoformat()))
            row["expiry_date"] = (enrolled + ENROLMENT).isoformat()
        if not row["userid"]:
            row["userid"] = self._free_userid(row)
        if not row["cardnumber"]:
            row["cardnumber"] = self._next_card()
        return row

    def _replaced(self, old: Row, body: Mapping[str, object]) -> Row:
        kept = {name: old[name] for name in ("patron_id", "restricted", "anonymized", "updated_on")}
        row = blank_patron(self._state.settings.version)
        row |= {key: value for key, value in body.items() if key != "extended_attributes"}
        row |= kept
        if not row["userid"]:
            row["userid"] = old["userid"]
        return row

    def _free_userid(self, row: Row) -> str:
        words = f"{row.get('firstname') or ''}.{row.get('surname') or ''}".lower()
        stem = "".join(sign for sign in fold(words) if sign.isalnum() or sign == ".").strip(".")
        userid, offset = stem, 0
        while self._state.patrons.having("userid", userid):
            offset += 1
            userid = f"{stem}{offset}"
        return userid

    def _next_card(self) -> str | None:
        if not self._state.settings.preferences.autoMemberNum:
            return None
        return str(self._last_card + 1)

    def _taken(self, row: Row, patron_id: int | None) -> Answer | None:
        """The 409 that names the key already held by somebody else."""
        wished = row["patron_id"]
        if patron_id is None and wished is not None and self._state.patrons.get(int(str(wished))):
            return error(409, "Duplicate ID", conflict="PRIMARY")
        for name in ("cardnumber", "userid"):
            if row.get(name) and any(
                other["patron_id"] != patron_id
                for other in self._state.patrons.having(name, row[name])
            ):
                return error(409, "Duplicate ID", conflict=name)
        return None

    def _foreign(self, body: Mapping[str, object]) -> Answer | None:
        settings = self._state.settings
        for name, known in (
            ("library_id", settings.libraries),
            ("category_id", settings.categories),
        ):
            if body[name] not in known:
                return error(400, f"Given {name} does not exist")
        return None

    def _bad_parameter(self, body: Mapping[str, object]) -> Answer | None:
        """A creation refused for a value its column cannot hold."""
        if not str(body["surname"]).strip():
            return _missing(["surname"])
        wrong = _wrong_enumerations(body)
        return error(400, f"Given {wrong[0]} does not exist") if wrong else None

    def _wrong_values(self, body: Mapping[str, object]) -> Answer | None:
        """An update refused for a missing or an impossible value."""
        if not str(body["surname"]).strip():
            return _missing(["surname"])
        wrong = _wrong_enumerations(body)
        return error(400, "Invalid parameter(s)", parameters=wrong) if wrong else None

    def _bad_attributes(self, body: Mapping[str, object]) -> Answer | None:
        kinds = self._state.settings.attribute_types
        given = _attributes(body)
        seen: set[str] = set()
        for each in given:
            kind = str(each.get("type"))
            if kind not in kinds:
                return error(400, f"Tried to use an invalid attribute type. type={kind}")
            if kind in seen and not kinds[kind].get("repeatable"):
                text = f"Tried to add more than one non-repeatable attributes. type={kind}"
                return error(400, text)
            seen.add(kind)
        for kind, rules in kinds.items():
            if rules.get("mandatory") and kind not in seen:
                return error(400, f"Missing mandatory extended attribute (type={kind})")
        return None

    def _keep_attributes(self, patron_id: int, body: Mapping[str, object]) -> None:
        if "extended_attributes" in body or patron_id not in self._state.attributes:
            self._state.attributes[patron_id] = [
                {
                    "extended_attribute_id": number,
                    "type": each.get("type"),
                    "value": each.get("value"),
                }
                for number, each in enumerate(_attributes(body), start=1)
            ]

    def _forget(self, patron_id: int) -> None:
        self._state.patrons.remove(patron_id)
        self._state.vaults.pop(patron_id, None)
        self._state.attributes.pop(patron_id, None)
        for hold in self._state.holds.having("patron_id", patron_id):
            self._state.holds.remove(int(str(hold["hold_id"])))

    def _seed(self, patron: Mapping[str, object]) -> None:
        own = ("password", "password_expiration_date")
        body = {key: value for key, value in patron.items() if key not in own}
        errors = schema_errors(body, self._members)
        if errors:
            msg = f"patrons: {errors}"
            raise ValueError(msg)
        row = self._new_row(body)
        self._created(row, body)
        vault = self._state.vaults[int(str(row["patron_id"]))]
        vault.password = None if patron.get("password") is None else str(patron["password"])
        ends = patron.get("password_expiration_date")
        vault.expires_on = None if ends is None else str(ends)

    def _shown(
        self, call: Call, rows: list[Row], *, is_list: tuple[tuple[str, str], ...] | None
    ) -> Answer:
        embeds = call.words("x-koha-embed")
        strangers = [each for each in embeds if each not in EMBEDS]
        if strangers:
            text = f"Embeding {strangers[0]} is not authorised. Check your x-koha-embed headers or remove it."
            return error(400, text)
        shown = [self._embedded(row, embeds) for row in rows] if embeds else rows
        reference = self._state.reference(rows[0]) if len(rows) == 1 else None
        if is_list is None:
            return json_answer(200, shown[0], reference=reference)
        return json_answer(200, shown, headers=is_list, reference=reference)

    def _embedded(self, row: Row, embeds: list[str]) -> Row:
        patron_id = int(str(row["patron_id"]))
        checkouts = self._state.checkouts.having("patron_id", patron_id)
        today = rfc3339(self._state.clock.now())
        more: Row = {
            "extended_attributes": self._state.attributes[patron_id],
            "checkouts_count": len(checkouts),
            "overdues_count": sum(str(each.get("due_date") or "9") < today for each in checkouts),
            "library": self._library(row),
        }
        return {**row, **{_member(each): more[_member(each)] for each in embeds}}

    def _library(self, row: Row) -> Row:
        code = str(row["library_id"])
        return {"library_id": code, "name": self._state.settings.libraries[code]}


def _member(embed: str) -> str:
    return embed.replace("+", "_")


def _attributes(body: Mapping[str, object]) -> list[Mapping[str, object]]:
    given = body.get("extended_attributes", [])
    return [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []


def _missing(names: list[str]) -> Answer:
    return error(400, "Missing mandatory parameter(s)", parameters=names)


def _wrong_enumerations(body: Mapping[str, object]) -> list[str]:
    return [
        name for name, allowed in ENUMERATED.items() if body.get(name, allowed[0]) not in allowed
    ]
