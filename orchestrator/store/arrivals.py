"""A citizen's answer of the realm, in the transaction that takes it in: decided, linked, a session opened.

Locks are taken on every subject of the answer and on its civil status before anything is read, so that two
first sign-ins of one person make one citizen, and two people claiming one subject get one owner. Then the
citizens concerned are locked, in the order of their ids and before the session, and only what is read
afterwards counts: whoever unlinks or merges at the same moment is seen, or sees us.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from identity import names
from identity.linking import (
    LOCAL,
    Act,
    Candidate,
    Claim,
    Decision,
    Standing,
    claim_of,
    decide,
    decide_again,
    decide_link,
    session_level,
)
from orchestrator.services.ports.sign_in import Arrival, Outcome, Session
from orchestrator.store import journal, logins
from orchestrator.store.connections import Connection
from orchestrator.store.identity_cases import NewCase, open_case, told_apart, told_the_same
from orchestrator.store.logins import Bond, LoginRow, Sealing
from orchestrator.store.person_keys import key_of, new_key, pseudonym_of
from orchestrator.store.sessions import (
    citizen_of,
    end_others,
    end_session,
    live_session,
    name_hash,
    new_session_id,
    open_session,
)
from orchestrator.store.vault import Vault
from schemas import ids
from schemas.errors import SamlRefusedError
from schemas.keys import HubKeys
from schemas.logins import Face, Level, SamlPurpose

_NEW_CITIZEN: Final = "INSERT INTO citizen(id, state) VALUES (%s, 'active')"
_ACTIVE: Final = """
SELECT id FROM citizen WHERE id = %s AND state = 'active' AND merged_into IS NULL FOR UPDATE"""
_OUTCOMES: Final = {
    SamlPurpose.LOGIN: Outcome.SIGNED_IN,
    SamlPurpose.STEP_UP: Outcome.STEPPED_UP,
    SamlPurpose.LINK: Outcome.LINKED,
    SamlPurpose.UNLINK: Outcome.PROVED,
}
_METHODS: Final = {
    Act.CREATE: "first_login",
    Act.PROPOSE: "first_login",
    Act.SIGN_IN: "same_person",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenArrivals:
    """Takes in answers of the citizens' realm."""

    vault: Vault
    keys: HubKeys

    def take(self, connection: Connection, arrival: Arrival) -> Outcome:
        """Decide who this is and do what the decision says; who proved nothing is nobody here."""
        claim = claim_of(arrival.answer)
        if claim.level < Level.CONTACT_PROVED:
            return Outcome.UNPROVED
        logins.lock_claim(connection, self.keys, claim)
        known, session = self._at_hand(connection, arrival, claim)
        decision = self._decide(connection, arrival, claim, (known, session))
        match decision.act:
            case Act.REFUSE:
                raise SamlRefusedError(decision.rule)
            case Act.REVIEW:
                self._review(connection, claim, decision, session)
                return Outcome.UNDER_REVIEW
            case _:
                return self._join(connection, arrival, claim, (decision, known, session))

    # --- who ----------------------------------------------------------------------------------------

    def _at_hand(
        self, connection: Connection, arrival: Arrival, claim: Claim
    ) -> tuple[list[LoginRow], Session | None]:
        """Return the logins known and the session this goes on in; their citizens are locked first."""
        asked = arrival.asked
        also = None
        if asked.purpose is not SamlPurpose.LOGIN:
            also = citizen_of(connection, asked.session_id)
        known = logins.settled_logins(connection, self.keys, claim, also=also)
        return known, self._session(connection, arrival)

    def _session(self, connection: Connection, arrival: Arrival) -> Session | None:
        """Return the session a conversation goes on in; one that ended meanwhile ends it too."""
        if arrival.asked.purpose is SamlPurpose.LOGIN:
            return None
        session = live_session(connection, arrival.asked.session_id, Face.CITIZEN)
        if session is None or session.citizen_id is None:
            raise SamlRefusedError("session_over")
        return session

    def _decide(
        self,
        connection: Connection,
        arrival: Arrival,
        claim: Claim,
        at_hand: tuple[list[LoginRow], Session | None],
    ) -> Decision:
        known, session = at_hand
        owners = logins.owners_of(known)
        people = [owner.citizen_id for owner in owners]
        if session is not None and session.citizen_id is not None:
            people.append(session.citizen_id)
        standing = self._standing(connection, claim, people)
        taken_away = logins.taken_away(connection, self.keys, claim)
        if session is None or session.citizen_id is None:
            alike = [] if owners else self._alike(connection, claim)
            return decide(claim, owners, alike, standing=standing, taken_away=taken_away)
        mine = standing[session.citizen_id]
        if arrival.asked.purpose is SamlPurpose.LINK:
            return decide_link(
                claim,
                owners,
                citizen_id=session.citizen_id,
                standing=mine,
                taken_away=taken_away,
            )
        return decide_again(
            claim, owners, citizen_id=session.citizen_id, standing=mine, taken_away=taken_away
        )

    def _standing(
        self, connection: Connection, claim: Claim, people: list[UUID]
    ) -> dict[UUID, Standing]:
        """Return what people have already; an agent who has looked knows better than the fields."""
        standing = logins.standing_of(connection, self.vault, people)
        same = told_the_same(connection, self._hashes(claim))
        return {
            one: Standing(aliases=has.aliases) if one in same else has
            for one, has in standing.items()
        }

    def _hashes(self, claim: Claim) -> list[bytes]:
        return [logins.subject_hash(self.keys, key) for key in claim.keys]

    def _alike(self, connection: Connection, claim: Claim) -> list[Candidate]:
        """Return the people who look like the claim, but those an agent has told apart from them."""
        found = logins.candidates(connection, self.vault, self.keys, claim)
        if not found:
            return []
        apart = told_apart(connection, self._hashes(claim))
        return [one for one in found if one.citizen_id not in apart]

    # --- done ---------------------------------------------------------------------------------------

    def _join(
        self,
        connection: Connection,
        arrival: Arrival,
        claim: Claim,
        decided: tuple[Decision, list[LoginRow], Session | None],
    ) -> Outcome:
        decision, known, session = decided
        citizen_id = self._citizen(connection, decision)
        sealing = Sealing(
            vault=self.vault,
            keys=self.keys,
            data_key=key_of(connection, self.vault, citizen_id),
        )
        rows = self._logins(connection, claim, decision, (sealing, citizen_id, known))
        login = logins.risen(connection, _main(claim, rows), claim.level)
        level = session_level(claim.level, login.level)
        if arrival.asked.purpose is SamlPurpose.STEP_UP and level < arrival.asked.level_wanted:
            raise SamlRefusedError("level")
        logins.mark_used(connection, rows)
        logins.keep_civil_status(connection, sealing, claim, login=login)
        kept = self._open(connection, arrival, (claim, login, level, session))
        is_new_link = len(rows) > len(known) and (bool(known) or decision.act is Act.LINK)
        if is_new_link:
            end_others(connection, citizen_id, kept=kept, reason="linked")
        if decision.act is Act.PROPOSE:
            self._case(connection, "proposed_match", decision, claim, (citizen_id, login.id))
        before = next((row.level for row in known if row.id == login.id), Level.DECLARED)
        record = {
            "action": "linked" if is_new_link else "signed_in",
            "rule": str(decision.rule),
            "alias": claim.alias,
            "level_before": int(before),
            "level": int(level),
            "evidence": [one.hex() for one in self._hashes(claim)],
            "conversation": arrival.asked.id,
        }
        self._tell(connection, (sealing, citizen_id), record)
        return _OUTCOMES[arrival.asked.purpose]

    def _citizen(self, connection: Connection, decision: Decision) -> UUID:
        """Return whom this is, locked; a new one when nobody is."""
        if decision.citizen_id is None:
            made = ids.uuid7()
            connection.execute(_NEW_CITIZEN, (made,))
            new_key(connection, self.vault, made)
            return made
        if connection.execute(_ACTIVE, (decision.citizen_id,)).fetchone() is None:
            raise SamlRefusedError("closed")
        return decision.citizen_id

    def _logins(
        self,
        connection: Connection,
        claim: Claim,
        decision: Decision,
        held: tuple[Sealing, UUID, list[LoginRow]],
    ) -> list[LoginRow]:
        """Join the keys that are not yet the citizen's."""
        sealing, citizen_id, known = held
        there = {row.key for row in known}
        method = _METHODS.get(decision.act, str(decision.rule))
        # what a local account proves is proved anew at each sign-in, and never more than a contact
        level = Level.CONTACT_PROVED if claim.alias == LOCAL else claim.level
        bond = Bond(citizen_id=citizen_id, level=level, method=method, account=claim.account)
        added = [
            logins.add_login(connection, sealing, key, bond)
            for key in claim.keys
            if key not in there
        ]
        return [*known, *added]

    def _open(
        self,
        connection: Connection,
        arrival: Arrival,
        who: tuple[Claim, LoginRow, Level, Session | None],
    ) -> tuple[UUID, ...]:
        """Open a session with an id and a cookie of its own; the one before it ends."""
        claim, login, level, before = who
        if before is not None:
            end_session(connection, before.id, reason=str(arrival.asked.purpose))
        values = session_values(arrival, self.keys)
        values |= {
            "face": Face.CITIZEN,
            "actor": None,
            "login": login.id,
            "citizen": login.citizen_id,
            "alias": claim.alias,
            "level": level,
        }
        values["name"] = self._sealed_name(connection, arrival, login, values["id"])
        open_session(connection, values)
        return (values["id"],)

    def _sealed_name(
        self, connection: Connection, arrival: Arrival, login: LoginRow, session_id: UUID
    ) -> bytes:
        return sealed_name(connection, self.vault, login.id, session_id, arrival.answer.name_id)

    # --- told ---------------------------------------------------------------------------------------

    def _review(
        self, connection: Connection, claim: Claim, decision: Decision, session: Session | None
    ) -> None:
        citizen_id = session.citizen_id if session else None
        self._case(connection, "review", decision, claim, (citizen_id, None))

    def _case(
        self,
        connection: Connection,
        kind: str,
        decision: Decision,
        claim: Claim,
        whose: tuple[UUID | None, UUID | None],
    ) -> None:
        citizen_id, login_id = whose
        key = claim.franceconnect or claim.keys[0]
        case = NewCase(
            kind=kind,
            rule=str(decision.rule),
            citizen_id=citizen_id,
            others=decision.others,
            login_id=login_id,
            alias=key.alias,
            subject_hash=logins.subject_hash(self.keys, key),
        )
        open_case(connection, self.vault, case)

    def _tell(
        self, connection: Connection, whose: tuple[Sealing, UUID], record: dict[str, Any]
    ) -> None:
        sealing, citizen_id = whose
        entry = journal.JournalEntry(
            type=f"identity.{record['action']}",
            actor_ref="citizen",
            subject_ref=pseudonym_of(connection, citizen_id),
            record=record,
        )
        journal.write(connection, sealing.data_key, entry)


def session_values(arrival: Arrival, keys: HubKeys) -> dict[str, Any]:
    """Return what a session's row says of its conversation."""
    return {
        "id": new_session_id(),
        "digest": arrival.opening.digest,
        "csrf": arrival.opening.csrf,
        "lasts": arrival.opening.lasts,
        "ends_at": arrival.answer.session_ends_at,
        "name_hash": name_hash(keys, arrival.answer.name_id),
        "index": arrival.answer.session_index,
        "is_proof": arrival.asked.is_forced,
    }


_LOGIN_KEY: Final = """
SELECT k.id, k.wrapped FROM login l JOIN data_key k ON k.id = l.data_key_id WHERE l.id = %s"""


def sealed_name(
    connection: Connection, vault: Vault, login_id: UUID, session_id: UUID, name_id: str
) -> bytes:
    """Seal a name under the key its login is sealed with, so that it can be given back at logout."""
    row = connection.execute(_LOGIN_KEY, (login_id,)).fetchone()
    if row is None:
        raise SamlRefusedError("erased")
    return vault.open_key(row["id"], bytes(row["wrapped"])).seal(session_id, name_id.encode())


def _main(claim: Claim, rows: list[LoginRow]) -> LoginRow:
    """Return the login that vouches for the session: the provider's own, else the realm's."""
    wanted = claim.franceconnect or next(key for key in claim.keys if key.alias == names.REALM_SAML)
    return next(row for row in rows if row.key == wanted)
