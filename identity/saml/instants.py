"""SAML's instants, apart from the library so that reading one loads nothing of it."""

from datetime import UTC, datetime

from identity.saml.codes import Code
from schemas.errors import SamlRefusedError


def moment(text: str | None, fault: Code) -> datetime:
    """Read an instant; SAML's are UTC and say so (Core 1.3.3)."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError as error:
        raise SamlRefusedError(fault) from error
    if found.tzinfo is None:
        raise SamlRefusedError(fault)
    return found.astimezone(UTC)
