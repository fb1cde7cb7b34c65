"""A partner passes an opposition on: what the person refused there is withdrawn here.

The partner gets the same answer whether or not it ever announced this person to us.
"""

from orchestrator.engine import effects as e
from orchestrator.engine.journey import Done, End, Journey, Local, StepContext
from schemas import ids


def by_sender_and_subject(source: str, subject: str) -> str:
    """One run at a time for one sender's reference."""
    return f"{source} {subject}"


def record_withdrawal(context: StepContext) -> Done | End:
    """Record the withdrawal of the purposes; the gate of every later step reads it."""
    known = context.world.preregistration_of(context.start.source, context.start.subject)
    if known is None:
        return End("unknown_subject")
    subject_ref = context.world.pseudonym_of(known.citizen_id, "journal")
    if subject_ref is None:
        return End("unknown_subject")
    data = context.start.data
    withdrawn = e.ConsentRecorded(
        record_id=ids.uuid7(),
        subject_ref=subject_ref,
        controller="ville",
        purposes=tuple(data["purposes"]),
        channel=data.get("channel") or "none",
        recipients=(),
        notice_version="",
        notice_sha256="",
        locale="fr",
        ui_evidence={"method": "partner"},
        collected_by=context.start.source,
        event_type="withdrawn",
        event_time=context.now,
    )
    return Done(effects=(withdrawn,), citizen_id=known.citizen_id)


WITHDRAWAL = Journey(
    name="contact.withdrawal",
    version=1,
    starts_on=("contact.withdrawn.v1",),
    key=by_sender_and_subject,
    steps=(Local("record_withdrawal", record_withdrawal),),
)
