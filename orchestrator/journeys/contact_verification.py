"""Somebody typed a contact on one of our pages: a one-time code proves that it is theirs.

The basis is the person's own request on our page, kept as the message that starts the run.
"""

from orchestrator.engine.journey import Journey, Notify


def by_request(source: str, subject: str) -> str:
    """Each request for a code is a run of its own: its subject names the form and the sending."""
    return f"{source} {subject}"


VERIFICATION = Journey(
    name="contact.verification",
    version=1,
    starts_on=("contact.verification_requested.v1",),
    key=by_request,
    steps=(Notify("verification.code", purpose="access_code.delivery"),),
)
