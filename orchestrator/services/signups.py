"""Sign-up on a poster's page: two short forms, a verification code, then one message to the hub.

The person is not in the hub before the contact is proved: until then a form lives for an hour, under
a data key of its own. Whatever is posted twice, or a hundred times at once, has one effect: the form
is found by its own token, a code belongs to the very address it was sent to, and the message that
starts the journey has one id. The answer never tells whether a person is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from hmac import compare_digest
from typing import Any, Final
from uuid import UUID

from marshmallow import ValidationError

from orchestrator.services.access_codes import bucket_of
from orchestrator.services.ports.library import Asked, Limit, OwnMessages, Signup, SignupRows
from orchestrator.services.purposes import POSTER_ARRIVAL, NoticeText, shown_notice
from schemas import clock
from schemas.consent_proof import CODE_DELIVERY, PREREGISTRATION
from schemas.fields import EmailAddress, read_phone
from schemas.keys import HubKeys, keyed_digest
from schemas.messages import Message

SOURCE: Final = "/hub/citizen"
REGISTERED: Final = "poster.registration_requested.v1"
ASKED: Final = "contact.verification_requested.v1"
INTERESTS_PROFILE: Final = "interests.profile"
INTERESTS: Final = (
    *("novels", "comics", "children", "music", "films"),
    *("games", "digital", "workshops", "languages", "heritage"),
)
INTERESTS_AT_MOST: Final = 5
CODE_LASTS: Final = timedelta(minutes=10)
RESEND_AFTER: Final = timedelta(seconds=30)
TRIES: Final = 5


def verification_code(keys: HubKeys, signup_id: UUID, sends: int) -> str:
    """Return the 6 digits that prove the contact of one send of one form."""
    digest = keyed_digest(keys.verification, signup_id.bytes, bytes([sends]))
    return f"{int.from_bytes(digest) % 10**6:06d}"


def read_contact(
    channel: str, typed: str, *, mobile_prefixes: tuple[str, ...] = ("+336", "+337")
) -> str | None:
    """Return the address codes may go to by this channel, or None when it cannot be one."""
    if channel == "sms":
        number = read_phone(typed)
        return number if number and number.startswith(mobile_prefixes) else None
    try:
        return str(EmailAddress().read(typed.strip()))
    except ValidationError:
        return None


def poster_notice(language: str) -> NoticeText:
    """Return the text shown beside the boxes of the form."""
    return shown_notice(POSTER_ARRIVAL, language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first form: nothing in it says who somebody is."""

    placement: str
    language: str
    age_band: str
    postal_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The second form; ``person`` and ``interests`` are None when their box was left empty."""

    commune: str
    channel: str
    address: str
    person: tuple[str, str] | None
    interests: tuple[str, ...] | None
    notice: NoticeText


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """How many verification codes may leave, so that nobody's telephone is flooded through us."""

    per_form: int = 6
    per_contact_an_hour: int = 3
    per_network_an_hour: int = 30
    per_placement_a_day: int = 300
    overall_a_day: int = 3000


class Checked(Enum):
    """What became of a typed verification code."""

    VERIFIED = "verified"
    WRONG = "wrong"
    NO_MORE_TRIES = "no_more_tries"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signups:
    """The use cases of the sign-up pages."""

    rows: SignupRows
    intake: OwnMessages
    keys: HubKeys
    notice: Callable[[str], NoticeText] = poster_notice
    budgets: Budgets = Budgets()

    def start(self, token: str, start: Start) -> Signup:
        """Keep the answers of the first form under the form's token."""
        body = {
            "language": start.language,
            "age_band": start.age_band,
            "postal_code": start.postal_code,
        }
        signup = self.rows.open(self._digest(token), placement=start.placement, body=body)
        kept = {name: signup.body[name] for name in body}
        if (signup.placement, kept) == (start.placement, body):
            return signup
        return self.rows.replace(signup, placement=start.placement, body=body)

    def find(self, token: str | None) -> Signup | None:
        """Return the form of a token, if it is not past its hour."""
        return self.rows.find(self._digest(token)) if token else None

    def ask(self, signup: Signup, choices: Choices, *, network: str) -> Asked:
        """Keep the choices and send a verification code; the same choices again send nothing."""
        body = self._body(signup, choices)
        if _is_same(signup.body, body):
            self._send(signup)
            return Asked.SENT
        return self._ask(signup, body, network)

    def ask_again(self, signup: Signup, *, network: str) -> Asked:
        """Send another code to the same contact."""
        return self._ask(signup, signup.body, network)

    def check(self, signup: Signup, typed: str) -> Checked:
        """Compare a typed verification code; a right one hands the sign-up to the hub."""
        if signup.verified_at is None:
            outcome = self._compare(signup, typed)
            if outcome is not Checked.VERIFIED:
                return outcome
        self.register(self.rows.find_by_id(signup.id) or signup)
        return Checked.VERIFIED

    def register(self, signup: Signup) -> None:
        """Tell the hub once what a person with a proved contact asked for."""
        if signup.verified_at is None:
            return
        self.intake.receive_own(
            Message(
                type=REGISTERED,
                source=SOURCE,
                id=f"{signup.id}-registration",
                subject=str(signup.id),
                time=signup.verified_at,
                data=_registration(signup),
            )
        )

    def may_ask_again_in(self, signup: Signup) -> int:
        """Return the seconds until another code may be asked for, zero when it may be now."""
        if signup.sent_at is None:
            return 0
        left = signup.sent_at + RESEND_AFTER - clock.utcnow()
        return max(0, round(left.total_seconds() + 0.5))

    def _ask(self, signup: Signup, body: Mapping[str, Any], network: str) -> Asked:
        if signup.verified_at is not None:
            return Asked.SENT
        address = body["contact"]["address"]
        contact = keyed_digest(self.keys.bucket, b"signup of", address.lower().encode())
        limits = self._limits(signup, address, network)
        asked = self.rows.ask(signup, body=body, contact=contact, limits=limits)
        now = self.rows.find_by_id(signup.id)
        if (
            now
            and asked is Asked.TOO_SOON
            and now.sends > signup.sends
            and _is_same(now.body, body)
        ):
            asked = Asked.SENT  # the same form, posted at the same moment
        if asked is Asked.SENT:
            self._send(now)
        return asked

    def _send(self, signup: Signup | None) -> None:
        """Have the code of this send delivered; each send is a run of its own, hence its subject."""
        if signup is None or signup.verified_at is not None:
            return
        data = {
            "contact": signup.body["contact"],
            "language": signup.body["language"],
            "signup_id": str(signup.id),
            "sends": signup.sends,
        }
        self.intake.receive_own(
            Message(
                type=ASKED,
                source=SOURCE,
                id=f"{signup.id}-{signup.sends}",
                subject=f"{signup.id}-{signup.sends}",
                time=signup.sent_at,
                data=data,
            )
        )

    def _compare(self, signup: Signup, typed: str) -> Checked:
        if signup.sent_at is None or clock.utcnow() > signup.sent_at + CODE_LASTS:
            return Checked.TOO_LATE
        if signup.tries >= TRIES:
            return Checked.NO_MORE_TRIES
        expected = verification_code(self.keys, signup.id, signup.sends)
        if compare_digest(expected.encode(), _digits(typed).encode()):
            is_verified = self.rows.verify(signup.id, sends=signup.sends)
            return Checked.VERIFIED if is_verified else Checked.NO_MORE_TRIES
        tries = self.rows.count_wrong_try(signup.id)
        return Checked.WRONG if tries < TRIES else Checked.NO_MORE_TRIES

    def _body(self, signup: Signup, choices: Choices) -> dict[str, Any]:
        kept = {name: signup.body[name] for name in ("language", "age_band", "postal_code")}
        chosen: dict[str, Any] = {
            "commune": choices.commune,
            "contact": {"channel": choices.channel, "address": choices.address},
        }
        purposes = [CODE_DELIVERY]
        if choices.person is not None:
            purposes.append(PREREGISTRATION)
            family_name, given_name = choices.person
            chosen["person"] = {"family_name": family_name, "given_name": given_name}
        if choices.interests and signup.body["age_band"] not in ("under_15", "15_17"):
            purposes.append(INTERESTS_PROFILE)
            chosen["interests"] = sorted(choices.interests)
        chosen["consent"] = {
            "purposes": purposes,
            "channel": choices.channel,
            "notice_version": choices.notice.version,
            "notice_sha256": choices.notice.sha256,
            "method": "verification_code",
            "collected_at": clock.rfc3339(clock.utcnow()),
            "locale": choices.notice.locale,
            "collected_by": SOURCE,
        }
        return {**kept, **chosen}

    def _limits(self, signup: Signup, address: str, network: str) -> tuple[Limit, ...]:
        hour, day, most = timedelta(hours=1), timedelta(days=1), self.budgets
        asked = (
            ("signup.form", str(signup.id), most.per_form, hour),
            ("signup.contact", address.lower(), most.per_contact_an_hour, hour),
            ("signup.network", network, most.per_network_an_hour, hour),
            ("signup.placement", signup.placement, most.per_placement_a_day, day),
            ("signup.overall", "", most.overall_a_day, day),
        )
        return tuple(
            bucket_of(self.keys, scope, value, at_most, within=within)
            for scope, value, at_most, within in asked
        )

    def _digest(self, token: str) -> bytes:
        return keyed_digest(self.keys.session, b"signup", token.encode())


def _registration(signup: Signup) -> dict[str, Any]:
    body = signup.body
    data = {name: body[name] for name in ("commune", "language", "age_band", "contact", "consent")}
    optional = {name: body[name] for name in ("person", "interests") if name in body}
    return {"placement": signup.placement, **data, **optional}


def _is_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return "consent" in before and _without_moment(before) == _without_moment(after)


def _without_moment(body: Mapping[str, Any]) -> dict[str, Any]:
    consent = {name: body["consent"][name] for name in body["consent"] if name != "collected_at"}
    return {**body, "consent": consent}


def _digits(typed: str) -> str:
    return "".join(letter for letter in typed if letter.isascii() and letter.isdigit())


__all__ = [
    "INTERESTS",
    "SOURCE",
    "Budgets",
    "Checked",
    "Choices",
    "Signups",
    "Start",
    "poster_notice",
    "read_contact",
    "verification_code",
]
