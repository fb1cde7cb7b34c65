"""Someone arrives in town: a place is kept for them at the nearest library, and a code opens it.

What leaves the hub depends on what the event proved: the commune alone stays here, a contact gets
the code, a name makes the record in the library's own system.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestrator.engine import effects as e
from orchestrator.engine.journey import (
    PIVOT,
    Call,
    Choose,
    Done,
    End,
    IssueCode,
    Journey,
    Local,
    Notify,
    Require,
    StepContext,
    Wait,
)
from orchestrator.engine.world import KnownPreregistration
from schemas import ids
from schemas.receipts import Receipt

UNCLAIMED = timedelta(days=90)
CONTROLLER = "ville"
_LAPSED = {
    "expired": "expired",
    "cancelled": "withdrawn",
    "compensated": "withdrawn",
    "failed": "withdrawn",
}


def by_sender_and_subject(source: str, subject: str) -> str:
    """One run at a time for one sender's reference."""
    return f"{source} {subject}"


def announce_person(context: StepContext) -> Done | End:
    """Make a new, unlinked person of what was announced; never an existing one."""
    data = context.start.data
    if context.world.territory_of(data["commune"]) is None:
        return End("out_of_territory")
    known = context.world.preregistration_of(context.start.source, context.start.subject)
    if known is not None:
        return _welcome_back(context, known)
    citizen_id, preregistration_id = ids.uuid7(), ids.uuid7()
    our_ref, expires_at = ids.new_reference(), context.now + UNCLAIMED
    subject_ref = ids.new_pseudonym()
    made: tuple[e.Effect, ...] = (
        e.CitizenAnnounced(
            id=citizen_id,
            language=str(data.get("language") or "fr"),
            age_band=data.get("age_band"),
        ),
        e.PseudonymGiven(citizen_id=citizen_id, service="journal", pseudonym=subject_ref),
        e.PreregistrationStaged(
            id=preregistration_id,
            source=context.start.source,
            subject=context.start.subject,
            citizen_id=citizen_id,
            our_ref=our_ref,
            expires_at=expires_at,
        ),
    )
    output = _announced(preregistration_id, our_ref, expires_at)
    facts = _facts_of(context, citizen_id, subject_ref)
    return Done(output=output, effects=made + facts, citizen_id=citizen_id)


def _welcome_back(context: StepContext, known: KnownPreregistration) -> Done | End:
    """The same sender speaks of the same person again, after the first run has ended."""
    if known.state == "activated":
        return End("already_registered")
    expires_at = context.now + UNCLAIMED
    subject_ref = context.world.pseudonym_of(known.citizen_id, "journal") or ids.new_pseudonym()
    made: tuple[e.Effect, ...] = (
        e.PseudonymGiven(citizen_id=known.citizen_id, service="journal", pseudonym=subject_ref),
        e.PreregistrationRenewed(id=known.id, expires_at=expires_at),
    )
    return Done(
        output=_announced(known.id, known.our_ref, expires_at),
        effects=made + _facts_of(context, known.citizen_id, subject_ref),
        citizen_id=known.citizen_id,
    )


def _announced(preregistration_id: UUID, our_ref: str, expires_at: datetime) -> dict[str, Any]:
    return {
        "preregistration_id": str(preregistration_id),
        "our_ref": our_ref,
        "expires_on": expires_at.date().isoformat(),
    }


def _facts_of(context: StepContext, citizen_id: UUID, subject_ref: str) -> tuple[e.Effect, ...]:
    """The data key is the person's now; consents and interests that came along are kept."""
    made: list[e.Effect] = []
    if context.data_key_id is not None:
        made.append(e.DataKeyGiven(id=context.data_key_id, citizen_id=citizen_id))
    proof = context.start.data.get("consent")
    if proof:
        made.append(_consent(context, proof, subject_ref))
        if "interests.profile" in proof["purposes"]:
            themes = context.start.data.get("interests") or ()
            made += [e.InterestKept(citizen_id=citizen_id, theme=theme) for theme in themes]
    return tuple(made)


def _consent(context: StepContext, proof: Mapping[str, Any], subject_ref: str) -> e.ConsentRecorded:
    version, locale = proof["notice_version"], proof["locale"]
    return e.ConsentRecorded(
        record_id=ids.uuid7(),
        subject_ref=subject_ref,
        controller=CONTROLLER,
        purposes=tuple(proof["purposes"]),
        channel=proof.get("channel") or "none",
        recipients=context.world.notice_recipients(version, locale),
        notice_version=version,
        notice_sha256=proof["notice_sha256"],
        locale=locale,
        ui_evidence={"method": proof["method"]},
        collected_by=proof.get("collected_by") or context.start.source,
        event_type="given",
        event_time=_moment(proof["collected_at"]),
    )


def _moment(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def nearest_open_library(context: StepContext) -> Done | End:
    """Find the nearest open library and the service that answers for it."""
    data = context.start.data
    location = data.get("location")
    point = (location["lat"], location["lon"]) if location else None
    chosen = context.world.nearest_open_library(data["commune"], point)
    if chosen is None or context.citizen_id is None:
        return End("no_library")
    preregistration_id = UUID(context.outputs["announce"]["preregistration_id"])
    made: list[e.Effect] = [
        e.PlaceChosen(id=preregistration_id, place_id=chosen.place_id, service_id=chosen.service_id)
    ]
    output: dict[str, Any] = {
        "place_id": chosen.place_id,
        "name": chosen.name,
        "commune": chosen.commune,
        "distance_km": round(chosen.distance_km, 2),
        "service_id": chosen.service_id,
    }
    if chosen.service_id:
        pseudonym = context.world.pseudonym_of(context.citizen_id, chosen.service_id)
        output["pseudonym"] = pseudonym or ids.new_pseudonym()
        made.append(
            e.PseudonymGiven(
                citizen_id=context.citizen_id,
                service=chosen.service_id,
                pseudonym=output["pseudonym"],
            )
        )
    return Done(output=output, effects=tuple(made))


def record_data(context: StepContext) -> Mapping[str, Any] | None:
    """Build what the library's system is told, or None when no name came with a proof.

    The contact stays here: people gave it for the code, and the texts they agreed to say so.
    """
    person = context.start.data.get("person")
    if not person:
        return None
    early = context.outputs.get("preregister") or {}
    announced = context.outputs["announce"]
    return {
        "our_ref": announced["our_ref"],
        "external_ref": early.get("external_ref"),
        "family_name": person["family_name"],
        "given_name": person.get("given_name"),
        "commune": context.start.data["commune"],
        "commune_name": context.world.commune_name(context.start.data["commune"]),
        "language": context.start.data.get("language") or "fr",
        "expires_on": announced["expires_on"],
    }


def preregistered(context: StepContext, receipt: Receipt) -> tuple[e.Effect, ...]:
    """The library's system has the record, or the desk will get the line."""
    state = "transmitted" if receipt.data.get("state") == "created" else "staged"
    return _moved(context, state, receipt.external_ref)


def activated(context: StepContext, receipt: Receipt) -> tuple[e.Effect, ...]:
    """The record bears its real category."""
    return _moved(context, "activated", receipt.external_ref)


def lapsed(context: StepContext, outcome: str) -> tuple[e.Effect, ...]:
    """Nobody claimed the pre-registration in time, or the run was stopped or given up."""
    state = _LAPSED.get(outcome)
    announced = context.outputs.get("announce")
    return _moved(context, state, None) if state and announced else ()


def _moved(context: StepContext, state: str, external_ref: str | None) -> tuple[e.Effect, ...]:
    preregistration_id = UUID(context.outputs["announce"]["preregistration_id"])
    return (e.PreregistrationMoved(id=preregistration_id, state=state, external_ref=external_ref),)


ARRIVAL = Journey(
    name="library.arrival",
    version=1,
    starts_on=(
        "utility.contract_opened.v1",
        "lease.signed.v1",
        "student_card.issued.v1",
        "sport.membership_opened.v1",
        "poster.registration_requested.v1",
    ),
    key=by_sender_and_subject,
    steps=(
        Local("announce", announce_person),
        Choose("library", nearest_open_library),
        IssueCode(valid_for=timedelta(days=30)),
        Notify("library.code", purpose="access_code.delivery"),
        Call(
            "library",
            "preregister",
            purpose="library.preregistration",
            undo="cancel_preregistration",
            data=record_data,
            then=preregistered,
        ),
        Wait("access_code.redeemed", timeout=UNCLAIMED, otherwise=End("expired")),
        Require(purpose="library.preregistration", timeout=UNCLAIMED, otherwise=End("expired")),
        Call(
            "library",
            "activate",
            purpose="library.preregistration",
            undo=PIVOT,
            data=record_data,
            then=activated,
        ),
    ),
    on_end=lapsed,
)
