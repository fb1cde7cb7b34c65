"""The city's systems as a campaign has them: they keep what reached them and count it themselves.

Some know a repeated call by its idempotency key, some know nothing: their connector looks before it
leaps when the engine says that an earlier try may have got through, and a repetition without that
word is a second record. That is what invariant 3 is held against.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from schemas import clock
from schemas.errors import (
    PartnerAlreadyDoneError,
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerThrottledError,
    PartnerUnavailableError,
    Recovery,
)
from schemas.receipts import Exchange, ProbeResult, Receipt

GOOD = "good"
# what may become of a call: did the effect happen, and what does the caller see
FATES = {
    GOOD: (True, None),
    "refused": (False, lambda p, o: PartnerUnavailableError(p, o, "no connection")),
    "unavailable": (
        False,
        lambda p, o: PartnerUnavailableError(p, o, "HTTP 503", outcome_unknown=True),
    ),
    "asked_later": (
        False,
        lambda p, o: PartnerUnavailableError(
            p, o, "HTTP 503", retry_after=90, outcome_unknown=True
        ),
    ),
    "lost_before": (False, lambda p, o: PartnerUnavailableError(p, o, outcome_unknown=True)),
    "lost_after": (True, lambda p, o: PartnerUnavailableError(p, o, outcome_unknown=True)),
    "throttled": (False, lambda p, o: PartnerThrottledError(p, o, "HTTP 429", retry_after=40)),
    "rejected": (False, lambda p, o: PartnerRejectedError(p, o, "HTTP 422")),
    "garbage": (True, lambda p, o: PartnerContractBrokenError(p, o, "no JSON")),
    "locked_out": (False, lambda p, o: PartnerMisconfiguredError(p, o, "HTTP 401")),
}
PASSING = ("refused", "unavailable", "asked_later", "lost_before", "lost_after", "throttled")
FINAL = ("rejected", "garbage")
UNKNOWN = ("unavailable", "asked_later", "lost_before", "lost_after")
KEYED = frozenset({"koha_aix", "drop_sorgues"})
SAYING_AGAIN = frozenset({"koha_draguignan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call on its way to a system."""

    profile: str
    operation: str
    key: str
    purpose: str
    data: dict
    pseudonym: str
    may_repeat: bool

    @property
    def run_id(self) -> UUID:
        return UUID(self.key.split(":")[0])

    @property
    def makes(self) -> bool:
        """Whether it made something that an undo takes back."""
        return self.operation == "preregister"

    @property
    def is_undo(self) -> bool:
        return self.key.endswith(":undo")


@dataclass
class System:
    """What one system holds: things by reference, made and removed by calls."""

    profile: str
    is_keyed: bool
    says_again: bool = False
    held: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    made: Counter = field(default_factory=Counter)
    known_keys: dict[str, Receipt] = field(default_factory=dict)
    calls: list[tuple[Call, str]] = field(default_factory=list)
    in_flight: Counter = field(default_factory=Counter)
    overlapped: set[str] = field(default_factory=set)

    def apply(self, call: Call) -> Receipt:
        """Do what the call asks; a keyed system does the same key once.

        Raises:
            PartnerAlreadyDoneError: it is there already, and this system says so by an error.
        """
        if self.is_keyed and call.key in self.known_keys:
            return self.known_keys[call.key]
        receipt = self._done(call)
        if self.is_keyed:
            self.known_keys[call.key] = receipt
        return receipt

    def doubled(self) -> list[str]:
        """Return the references that more than one live thing bears, overlapping calls apart."""
        return [
            reference
            for reference, things in self.held.items()
            if len(things) > 1 and reference not in self.overlapped
        ]

    def _done(self, call: Call) -> Receipt:
        reference = reference_of(call)
        things = self.held[reference]
        match call.operation:
            case "cancel_preregistration":
                things.clear()
                return Receipt(data={"state": "cancelled"})
            case "activate" if call.data.get("external_ref") in things:
                return Receipt(external_ref=call.data["external_ref"], data={"state": "activated"})
            case "activate" if call.data.get("external_ref"):
                raise PartnerRejectedError(self.profile, call.operation, "expired")
        if call.may_repeat and things:
            if self.says_again:
                raise PartnerAlreadyDoneError(self.profile, call.operation, things[0])
            return self._receipt(call, things[0])
        self.made[reference] += 1
        things.append(f"{self.profile}-{sum(self.made.values())}")
        return self._receipt(call, things[-1])

    @staticmethod
    def _receipt(call: Call, thing: str) -> Receipt:
        data = {
            "send": {"segments": 1},
            "preregister": {"state": "created"},
            "activate": {"state": "activated"},
        }.get(call.operation, {})
        return Receipt(external_ref=thing, data=data)


def reference_of(call: Call) -> str:
    """Return the name under which a system keeps what a call makes."""
    return str(call.data.get("our_ref") or call.data.get("reference") or call.key)


class City:
    """Every system of the city; ``opening`` is given to the gateway instead of the kit's."""

    def __init__(self, ask, watch, is_up) -> None:
        """``ask`` parks a call and returns its fate, ``watch`` sees each call as it arrives."""
        self.is_up = is_up
        self.systems: dict[str, System] = {}
        self._ask = ask
        self._watch = watch

    def system(self, profile: str) -> System:
        if profile not in self.systems:
            self.systems[profile] = System(
                profile=profile, is_keyed=profile in KEYED, says_again=profile in SAYING_AGAIN
            )
        return self.systems[profile]

    def opening(self, owner):
        """Return what opens a profile for one process."""
        return lambda _connector, profile, _settings, _secrets: Door(self, profile, owner)

    def exchanged(self, owner, call: Call, log: list[Exchange]) -> Receipt:
        """Carry one call to its system and its answer back."""
        system, asked_at = self.system(call.profile), clock.utcnow()
        self._watch(call)
        system.in_flight[call.key] += 1
        try:
            fate = self._ask("partner.asked", owner, call) or GOOD
            if system.in_flight[call.key] > 1:
                system.overlapped.add(reference_of(call))
            system.calls.append((call, fate))
            has_effect, error = FATES[fate]
            receipt = system.apply(call) if has_effect else None
        finally:
            system.in_flight[call.key] -= 1
        self._ask("partner.answers", owner, call)
        log.append(_exchange(call, asked_at, fate))
        if error is not None:
            raise error(call.profile, call.operation)
        return receipt


class Door:
    """One profile as one process has it open."""

    def __init__(self, city: City, profile: str, owner: object) -> None:
        self._city, self._profile, self._owner = city, profile, owner

    def call(self, operation, command, log):
        call = Call(
            profile=self._profile,
            operation=operation,
            key=command.key,
            purpose=command.purpose,
            data=dict(command.data),
            pseudonym=command.pseudonym,
            may_repeat=command.may_repeat,
        )
        return self._city.exchanged(self._owner, call, log)

    def probe(self, level):
        is_up = self._city.is_up(self._profile)
        return ProbeResult(
            level=level,
            is_up=is_up,
            probed_at=clock.utcnow(),
            recovery=None if is_up else Recovery.RETRY,
        )

    def close(self):
        """Nothing is kept open."""


def _exchange(call: Call, asked_at, fate: str) -> Exchange:
    return Exchange(
        profile=call.profile,
        operation=call.operation,
        address=f"POST {call.profile}.example.org/{call.operation}",
        asked_at=asked_at,
        ended_at=clock.utcnow(),
        outcome=fate,
        request=call.data,
    )
