"""Who is this? The rules that join a login to a citizen, as one table without a table of the database.

A login is joined by itself in two cases only: the realm names a subject we know, or FranceConnect
vouches for six fields that are all equal. Everything weaker is proposed or looked at by a person, and an
e-mail address is never evidence.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from identity import names
from identity.civil_status import Alike, compared, contradicts, is_complete
from schemas.logins import CIVIL_STATUS, CivilStatus, Level, SignedIn

FRANCECONNECT_LEVELS: Final[Mapping[str, Level]] = {
    "eidas1": Level.ACCOUNT_PROVED,
    "eidas2": Level.STRONG,
    "eidas3": Level.STRONG,
}
LOCAL: Final = "realm"
"""Alias of a person who has an account of the realm's own."""
OFFICER: Final = "officer"
"""Source of a value that somebody read on a document."""


class Rule(StrEnum):
    """Which line of the table decided; kept in the journal."""

    KNOWN_SUBJECT = "known_subject"
    KNOWN_ACCOUNT = "known_account"
    NEW_PERSON = "new_person"
    SIX_EQUAL = "six_equal"
    BOTH_PROVED = "both_proved"
    LINKED_AGAIN = "linked_again"
    NEAR_MATCH = "near_match"
    SEVERAL_CANDIDATES = "several_candidates"
    SUBJECT_ELSEWHERE = "subject_elsewhere"
    OTHER_SUBJECT = "other_subject"
    OTHER_CIVIL_STATUS = "other_civil_status"
    KEYS_DISAGREE = "keys_disagree"
    OTHER_PERSON = "other_person"
    TAKEN_AWAY = "taken_away"


class Act(StrEnum):
    """What happens next."""

    SIGN_IN = "sign_in"
    CREATE = "create"
    LINK = "link"
    PROPOSE = "propose"
    REVIEW = "review"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginKey:
    """What a login is known by."""

    issuer: str
    alias: str
    subject: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one sign-in says of a person: the keys of one answer, its level, its civil status.

    ``account`` is the realm's own account behind it, which ties the keys together.
    """

    keys: tuple[LoginKey, ...]
    account: str = field(repr=False)
    level: Level
    alias: str
    civil_status: CivilStatus | None = field(default=None, repr=False)

    @property
    def provider(self) -> LoginKey | None:
        """Return the key of whoever signed the person in, None when it named no subject."""
        return next((key for key in self.keys if key.alias == self.alias), None)

    @property
    def franceconnect(self) -> LoginKey | None:
        """Return the key FranceConnect knows the person by, if it is one."""
        return next((key for key in self.keys if names.is_franceconnect(key.alias)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who holds one of a claim's keys today."""

    key: LoginKey
    citizen_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A citizen whose civil status looks like the claim's.

    ``sources``: who vouched for each field; ``aliases``: the providers whose subject they hold already.
    """

    citizen_id: UUID
    civil_status: CivilStatus = field(repr=False)
    sources: frozenset[str]
    aliases: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rules say; ``others`` are the citizens a person must compare it with."""

    act: Act
    rule: Rule
    citizen_id: UUID | None = None
    others: tuple[UUID, ...] = ()


def claim_of(answer: SignedIn) -> Claim:
    """Return what an answer of the citizens' realm claims, in words of ours."""
    alias, account = answer.value(names.IDP_ALIAS) or LOCAL, answer.value(names.KC_USER) or ""
    subject = answer.value(names.FC_SUB) if names.is_franceconnect(alias) else account
    keys = {
        names.REALM_SAML: answer.name_id,
        names.REALM_TOKEN: account,
        **({alias: subject} if subject else {}),
    }
    return Claim(
        keys=tuple(
            LoginKey(issuer=answer.issuer, alias=name, subject=value)
            for name, value in keys.items()
        ),
        account=account,
        level=level_of(answer),
        alias=alias,
        civil_status=_civil_status(answer) if names.is_franceconnect(alias) else None,
    )


def level_of(answer: SignedIn) -> Level:
    """Return what a sign-in proved: FranceConnect's word for FranceConnect, else a proved contact."""
    if names.is_franceconnect(answer.value(names.IDP_ALIAS)):
        return FRANCECONNECT_LEVELS.get(answer.value(names.FC_ACR) or "", Level.DECLARED)
    is_proved = answer.value(names.EMAIL_VERIFIED) == "true"
    return Level.CONTACT_PROVED if is_proved else Level.DECLARED


def session_level(proved: Level, login: Level) -> Level:
    """Return the level of a session: what this sign-in proved, as far as the link is trusted."""
    return min(proved, login, Level.STRONG)


def level_in_service(session: Level, account: Level) -> Level:
    """Return what a session is worth in one service: a place proved there lifts a contact, and no more."""
    is_lifted = session >= Level.CONTACT_PROVED and account >= Level.ACCOUNT_PROVED
    return max(session, Level.ACCOUNT_PROVED) if is_lifted else session


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a citizen has already: their aliases, and the fields FranceConnect or an officer vouched for."""

    aliases: frozenset[str] = frozenset()
    vouched: Mapping[str, str] = field(default_factory=dict, repr=False)


def decide(
    claim: Claim,
    owners: Sequence[Owner],
    candidates: Sequence[Candidate],
    *,
    standing: Mapping[UUID, Standing],
    taken_away: Collection[LoginKey] = (),
) -> Decision:
    """Return what a sign-in leads to, by what is known of its keys and of people alike.

    ``standing`` is what each owner has already, ``taken_away`` the keys that somebody took away from
    their citizen.
    """
    found = {owner.citizen_id for owner in owners}
    if len(found) > 1:
        return Decision(act=Act.REVIEW, rule=Rule.KEYS_DISAGREE, others=tuple(sorted(found)))
    if found:
        (citizen_id,) = found
        return _known(claim, owners, standing.get(citizen_id, Standing()), taken_away)
    if not candidates or claim.civil_status is None or claim.franceconnect is None:
        return Decision(act=Act.CREATE, rule=Rule.NEW_PERSON)
    return _by_civil_status(claim, claim.civil_status, candidates)


def decide_link(
    claim: Claim,
    owners: Sequence[Owner],
    *,
    citizen_id: UUID,
    standing: Standing,
    taken_away: Collection[LoginKey] = (),
) -> Decision:
    """Return what happens when a citizen who is signed in proves a second login.

    ``standing`` is what they have already. A login that was taken away from them, or from somebody else,
    comes back by this proof, under a rule of its own.
    """
    others = {owner.citizen_id for owner in owners} - {citizen_id}
    if others:
        return Decision(act=Act.REVIEW, rule=Rule.SUBJECT_ELSEWHERE, others=tuple(sorted(others)))
    against = _against_subject(claim, owners, standing)
    if against is not None:
        return Decision(act=Act.REVIEW, rule=against, others=(citizen_id,))
    rule = Rule.LINKED_AGAIN if claim.provider in taken_away else Rule.BOTH_PROVED
    return Decision(act=Act.LINK, rule=rule, citizen_id=citizen_id)


def decide_again(
    claim: Claim,
    owners: Sequence[Owner],
    *,
    citizen_id: UUID,
    standing: Standing,
    taken_away: Collection[LoginKey] = (),
) -> Decision:
    """Return whether a forced sign-in is the same person's; what it brings along is no better trusted."""
    if {owner.citizen_id for owner in owners} == {citizen_id}:
        return _known(claim, owners, standing, taken_away)
    return Decision(act=Act.REFUSE, rule=Rule.OTHER_PERSON)


def _known(
    claim: Claim, owners: Sequence[Owner], standing: Standing, taken_away: Collection[LoginKey]
) -> Decision:
    """Return what an answer leads to whose keys are one citizen's, or nobody's yet."""
    (citizen_id,) = {owner.citizen_id for owner in owners}
    against = _against_subject(claim, owners, standing)
    if against is None and claim.provider in taken_away and _is_new(claim.provider, owners):
        against = Rule.TAKEN_AWAY
    if against is not None:
        return Decision(act=Act.REVIEW, rule=against, others=(citizen_id,))
    is_brought = claim.provider is not None and _is_new(claim.provider, owners)
    rule = Rule.KNOWN_ACCOUNT if is_brought else Rule.KNOWN_SUBJECT
    return Decision(act=Act.SIGN_IN, rule=rule, citizen_id=citizen_id)


def _against_subject(claim: Claim, owners: Sequence[Owner], standing: Standing) -> Rule | None:
    """Return why a subject of FranceConnect that is new here may be somebody else's than the citizen's."""
    key = claim.franceconnect
    if key is None or not _is_new(key, owners):
        return None
    if key.alias in standing.aliases:
        return Rule.OTHER_SUBJECT
    if claim.civil_status is not None and contradicts(claim.civil_status, standing.vouched):
        return Rule.OTHER_CIVIL_STATUS
    return None


def _is_new(key: LoginKey | None, owners: Sequence[Owner]) -> bool:
    return all(owner.key != key for owner in owners)


def _by_civil_status(claim: Claim, ours: CivilStatus, candidates: Sequence[Candidate]) -> Decision:
    likely = [one for one in candidates if _is_likely(ours, one.civil_status)]
    ids = tuple(sorted(one.citizen_id for one in likely))
    if not likely:
        return Decision(act=Act.CREATE, rule=Rule.NEW_PERSON)
    if len(likely) > 1:
        return Decision(act=Act.REVIEW, rule=Rule.SEVERAL_CANDIDATES, others=ids)
    (one,) = likely
    alike = compared(ours, one.civil_status)
    if any(names.is_franceconnect(alias) for alias in one.aliases):
        # with a field that differs it is a twin or a corrected name: somebody of their own, until a
        # person has looked
        is_somebody_else = Alike.DIFFERENT in alike.values()
        act = Act.PROPOSE if is_somebody_else else Act.REVIEW
        return Decision(act=act, rule=Rule.OTHER_SUBJECT, others=ids)
    is_certain = (
        all(alike[name] is Alike.EQUAL for name in CIVIL_STATUS)
        and is_complete(ours)
        and all(is_vouched(source) for source in one.sources)
        and claim.level >= Level.ACCOUNT_PROVED
    )
    if is_certain:
        return Decision(act=Act.LINK, rule=Rule.SIX_EQUAL, citizen_id=one.citizen_id)
    return Decision(act=Act.PROPOSE, rule=Rule.NEAR_MATCH, others=ids)


def _is_likely(ours: CivilStatus, theirs: CivilStatus) -> bool:
    """Tell whether at most one field differs."""
    return sum(one is Alike.DIFFERENT for one in compared(ours, theirs).values()) <= 1


def is_vouched(source: str) -> bool:
    """Tell whether a value of this source counts: FranceConnect's, or read on a document by an officer."""
    return source == OFFICER or names.is_franceconnect(source)


def _civil_status(answer: SignedIn) -> CivilStatus | None:
    values = {name: answer.value(name) or "" for name in CIVIL_STATUS}
    return CivilStatus(**values) if values["birth_name"] and values["given_names"] else None
