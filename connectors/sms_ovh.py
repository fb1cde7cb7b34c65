"""Connector for OVH's SMS gateway: signed calls, one message each, found again by its tag.

System's document and what to ask of the operator: docs/partners/sms_ovh.md.
"""

import hashlib
import threading
from collections.abc import Collection, Mapping
from typing import Any, Final, NoReturn

from connectors.kit import (
    Answer,
    Connector,
    Fields,
    Manifest,
    Outgoing,
    PartnerHttp,
    PersonalField,
    Secret,
    Setting,
    operation,
    segment,
)
from schemas import clock
from schemas.commands import Command
from schemas.errors import (
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
)
from schemas.receipts import ProbeLevel, Receipt
from schemas.sms_text import GSM_7, weigh

API: Final = "/1.0"
LONGEST_TAG: Final = 20
PENDING_LOOKED_AT: Final = 50
TRANSACTIONAL: Final = frozenset({"access_code.delivery", "booking", "service.enrolment"})
DOOR: Final = frozenset(
    {"INVALID_KEY", "INVALID_CREDENTIAL", "NOT_CREDENTIAL", "NOT_GRANTED_CALL", "INVALID_SIGNATURE"}
)
OUT_OF_TIME: Final = "QUERY_TIME_OUT"


class SmsOvh(Connector):
    """Sends one text message and remembers it by the gateway's own number."""

    manifest = Manifest(
        name="sms_ovh",
        title="SMS OVHcloud",
        kinds=frozenset({"message"}),
        capabilities=frozenset({"sms"}),
        settings=(
            Setting(
                "base_url",
                kind="url",
                title="Adresse de l'API",
                help="Adresse de l'API OVHcloud, sans numéro de version.",
                example="https://eu.api.ovh.com",
                default="https://eu.api.ovh.com",
                required=False,
            ),
            Setting(
                "service_name",
                title="Compte SMS",
                help="Nom du compte SMS dans l'espace client.",
                example="sms-xx00000-1",
            ),
            Setting(
                "sender",
                title="Expéditeur",
                help="Expéditeur validé par l'opérateur (11 caractères au plus) ; vide : numéro court "
                "qui accepte les réponses.",
                example="VILLE",
                required=False,
            ),
            Secret(
                "application_key", title="Clé d'application", help="« Application key » de l'API."
            ),
            Secret(
                "application_secret", title="Secret d'application", help="« Application secret »."
            ),
            Secret("consumer_key", title="Clé de consommateur", help="« Consumer key » validée."),
        ),
        personal_fields=(
            PersonalField(
                name="receiver", pii="contact", purpose="access_code.delivery", eraser="operator"
            ),
            PersonalField(
                name="message", pii="free_text", purpose="access_code.delivery", eraser="operator"
            ),
        ),
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        super().__init__(settings, secrets)
        self._offset: int | None = None
        self._lock = threading.Lock()
        self._account = f"{API}/sms/{segment(str(settings['service_name']))}"

    def check(self, level: ProbeLevel, transport: PartnerHttp) -> None:
        """Read the gateway's clock, then our credential, then the account's credits and sender."""
        match level:
            case ProbeLevel.REACHABLE:
                self._measure(transport)
            case ProbeLevel.AUTHENTICATED:
                self._call(transport, "GET", f"{API}/auth/currentCredential").fields()
            case ProbeLevel.TRANSACTION:
                self._check_account(transport)

    @operation("send", pivot=True)
    def send(self, call: Command, http: PartnerHttp) -> Receipt:
        """Send one text to one number, once: a repetition first looks for its tag."""
        tag = _tag(call)
        receiver = str(call.data["to"])
        if call.may_repeat:
            found = self._found(http, tag, receiver)
            if found is not None:
                return found
        body = self._body(call, tag=tag, receiver=receiver)
        report = self._call(http, "POST", f"{self._account}/jobs", json=body).fields()
        if report.items_of("invalidReceivers"):
            raise http.failure(PartnerRejectedError, "invalid_receiver")
        ids = report.items_of("ids")
        if len(ids) != 1:
            raise http.failure(PartnerContractBrokenError, "ids: one was expected")
        return Receipt(external_ref=str(ids[0]), data={"segments": weigh(body["message"]).parts})

    def _body(self, call: Command, *, tag: str, receiver: str) -> dict[str, Any]:
        text = str(call.data["text"])
        sender = call.data.get("sender") or self.settings.get("sender")
        from_whom = {"sender": sender} if sender else {"senderForResponse": True}
        return {
            "message": text,
            "receivers": [receiver],
            **from_whom,
            "noStopClause": call.purpose in TRANSACTIONAL,
            "priority": "high",
            "coding": "7bit" if weigh(text).alphabet == GSM_7 else "8bit",
            "charset": "UTF-8",
            "tag": tag,
        }

    def _found(self, http: PartnerHttp, tag: str, receiver: str) -> Receipt | None:
        """Look among the waiting messages first: one that leaves meanwhile is then found among the sent."""
        waiting = self._call(http, "GET", f"{self._account}/jobs").items()[-PENDING_LOOKED_AT:]
        for number in waiting:
            found = self._matching(http, f"jobs/{number}", tag, receiver)
            if found is not None:
                return found
        sent = self._call(http, "GET", f"{self._account}/outgoing", params={"tag": tag}).items()
        for number in sent:
            found = self._matching(http, f"outgoing/{number}", tag, receiver)
            if found is not None:
                return found
        return None

    def _matching(self, http: PartnerHttp, path: str, tag: str, receiver: str) -> Receipt | None:
        answer = self._call(http, "GET", f"{self._account}/{path}", accept={404})
        if answer.status == 404:
            return None
        row = answer.fields()
        if row.get("tag") != tag or row.get("receiver") != receiver:
            return None
        return Receipt(
            external_ref=str(row.integer("id")), data={"segments": row.integer("numberOfSms")}
        )

    def _check_account(self, http: PartnerHttp) -> None:
        account = self._call(http, "GET", self._account).fields()
        if not _is_positive(account):
            raise http.failure(PartnerMisconfiguredError, "no_credit")
        sender = self.settings.get("sender")
        if sender:
            row = self._call(http, "GET", f"{self._account}/senders/{segment(sender)}").fields()
            if row.text("status") != "enable":
                raise http.failure(PartnerMisconfiguredError, "sender_refused")

    def _call(
        self,
        http: PartnerHttp,
        method: str,
        path: str,
        *,
        accept: Collection[int] = (),
        **options: Any,
    ) -> Answer:
        """Send one signed call; a clock that drifted is measured again once, nothing was done by then."""
        for is_last in (False, True):
            offset = self._offset if self._offset is not None else self._measure(http)
            answer = http.request(
                method,
                path,
                sign=lambda outgoing, offset=offset: self._sign(outgoing, offset),  # type: ignore[misc]
                accept={400, 403, 404, *accept},
                **options,
            )
            if answer.status < 400 or answer.status in accept:
                return answer
            if _code(answer) != OUT_OF_TIME or is_last:
                _refuse(http, answer)
            self._measure(http)
        raise http.failure(PartnerMisconfiguredError, OUT_OF_TIME.lower())

    def _measure(self, http: PartnerHttp) -> int:
        """Measure how far our clock is from the gateway's, which alone counts."""
        with self._lock:
            theirs = http.get(f"{API}/auth/time").value()
            if not isinstance(theirs, int) or isinstance(theirs, bool):
                raise http.failure(PartnerContractBrokenError, "time: a number was expected")
            self._offset = theirs - int(clock.utcnow().timestamp())
            return self._offset

    def _sign(self, outgoing: Outgoing, offset: int) -> None:
        """Sign the very bytes that leave."""
        moment = str(int(clock.utcnow().timestamp()) + offset)
        head = "+".join(
            (
                self.secrets["application_secret"],
                self.secrets["consumer_key"],
                outgoing.method or "",
                outgoing.url or "",
                "",
            )
        )
        signed = head.encode() + _bytes(outgoing.body) + b"+" + moment.encode()
        # SHA-1 is the gateway's scheme, not our choice.
        digest = hashlib.sha1(signed, usedforsecurity=False).hexdigest()
        outgoing.headers["X-Ovh-Application"] = self.secrets["application_key"]
        outgoing.headers["X-Ovh-Consumer"] = self.secrets["consumer_key"]
        outgoing.headers["X-Ovh-Timestamp"] = moment
        outgoing.headers["X-Ovh-Signature"] = f"$1${digest}"


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else b""


def _tag(call: Command) -> str:
    """Return the reference the journey gave, or one made of the call's key: the same for every try."""
    given = call.data.get("reference")
    if isinstance(given, str) and 0 < len(given) <= LONGEST_TAG:
        return given
    return hashlib.sha256(call.key.encode()).hexdigest()[:LONGEST_TAG]


def _is_positive(account: Fields) -> bool:
    credit = account.get("creditsLeft")
    return isinstance(credit, int | float) and credit > 0


def _code(answer: Answer) -> object:
    return answer.problem().get("errorCode")


def _refuse(http: PartnerHttp, answer: Answer) -> NoReturn:
    """Raise what a refusal means: our access, our account, or this message."""
    code = _code(answer)
    if code in DOOR or code == OUT_OF_TIME:
        raise http.failure(PartnerMisconfiguredError, f"{str(code).lower()}: HTTP {answer.status}")
    if answer.status in {403, 404}:
        raise http.failure(PartnerMisconfiguredError, f"account_refused: HTTP {answer.status}")
    raise http.failure(PartnerRejectedError, f"refused: HTTP {answer.status}")
