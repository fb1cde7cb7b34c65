"""What the library accepts and we do not: one pure function over a verified answer.

Sources: SAML 2.0 Core 2.3-2.7, Profiles 4.1.4.3. The library was asked to be as strict as it can be; each
rule here stands for something it still lets through.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from saml2 import saml, samlp
from saml2.ident import code

from identity.saml.codes import Code
from identity.saml.instants import moment
from schemas.errors import SamlRefusedError
from schemas.logins import SignedIn

SLACK: Final = timedelta(seconds=60)
ISSUED_WITHIN: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(minutes=10)
MOST_ATTRIBUTES: Final = 64
MOST_VALUE_BYTES: Final = 4096
LONGEST_NAME: Final = 256
ONE_AT_MOST: Final = ("fc_acr", "fc_sub", "idp_alias", "username", "email_verified")
EXACTLY_ONE: Final = ("kc_user",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an answer must be about."""

    entity_id: str
    acs: str
    issuer: str
    request_id: str
    now: datetime


def signed_in(response: samlp.Response, expected: Expected) -> SignedIn:
    """Return what a verified answer says; raises SamlRefusedError with the rule it breaks."""
    assertion = _only_assertion(response)
    _check_response(response, expected)
    _check_issuers(response, assertion, expected)
    _check_instant(assertion.issue_instant, expected.now)
    until = _check_conditions(assertion, expected)
    until = min(until, _check_confirmation(assertion, expected))
    index, ends_at = _session(assertion)
    return SignedIn(
        issuer=expected.issuer,
        request_id=expected.request_id,
        message_ids=(str(response.id), str(assertion.id)),
        name_id=_name_id(assertion),
        session_index=index,
        valid_until=until,
        session_ends_at=ends_at,
        attributes=_attributes(assertion),
    )


def check_instant(text: str | None, now: datetime) -> None:
    """Refuse a message that was not made about now."""
    _check_instant(text, now)


def _only_assertion(response: samlp.Response) -> saml.Assertion:
    if len(response.assertion) != 1 or response.encrypted_assertion:
        raise SamlRefusedError(Code.ASSERTIONS)
    assertion = response.assertion[0]
    if assertion.version != "2.0" or response.version != "2.0":
        raise SamlRefusedError(Code.VERSION)
    return assertion


def _check_response(response: samlp.Response, expected: Expected) -> None:
    if response.destination != expected.acs:
        raise SamlRefusedError(Code.DESTINATION)
    _check_instant(response.issue_instant, expected.now)
    if response.in_response_to != expected.request_id:
        raise SamlRefusedError(Code.UNSOLICITED)


def _check_issuers(response: samlp.Response, assertion: saml.Assertion, expected: Expected) -> None:
    for issuer in (response.issuer, assertion.issuer):
        if issuer is None or issuer.text != expected.issuer:
            raise SamlRefusedError(Code.ISSUER)


def _check_instant(text: str | None, now: datetime) -> None:
    if abs(moment(text, Code.ISSUE_INSTANT) - now) > ISSUED_WITHIN:
        raise SamlRefusedError(Code.ISSUE_INSTANT)


def _check_conditions(assertion: saml.Assertion, expected: Expected) -> datetime:
    conditions = assertion.conditions
    if conditions is None:
        raise SamlRefusedError(Code.CONDITIONS)
    begins = moment(conditions.not_before, Code.CONDITIONS)
    ends = moment(conditions.not_on_or_after, Code.CONDITIONS)
    if ends - begins > LONGEST or ends <= begins:
        raise SamlRefusedError(Code.CONDITIONS)
    if not begins - SLACK <= expected.now < ends + SLACK:
        raise SamlRefusedError(Code.LIFETIME)
    restrictions = conditions.audience_restriction
    if not restrictions or any(_audiences(one) != [expected.entity_id] for one in restrictions):
        raise SamlRefusedError(Code.AUDIENCE)
    return ends


def _audiences(restriction: Any) -> list[str]:
    return [audience.text for audience in restriction.audience]


def _check_confirmation(assertion: saml.Assertion, expected: Expected) -> datetime:
    confirmations = assertion.subject.subject_confirmation if assertion.subject else []
    if len(confirmations) != 1 or confirmations[0].method != saml.SCM_BEARER:
        raise SamlRefusedError(Code.CONFIRMATION)
    data = confirmations[0].subject_confirmation_data
    if data is None or data.not_before is not None:
        raise SamlRefusedError(Code.CONFIRMATION)
    ends = moment(data.not_on_or_after, Code.CONFIRMATION)
    if expected.now >= ends + SLACK:
        raise SamlRefusedError(Code.LIFETIME)
    if data.recipient != expected.acs:
        raise SamlRefusedError(Code.RECIPIENT)
    if data.in_response_to != expected.request_id:
        raise SamlRefusedError(Code.UNSOLICITED)
    return ends


def _session(assertion: saml.Assertion) -> tuple[str, datetime | None]:
    statements = assertion.authn_statement
    if len(statements) != 1 or not statements[0].session_index:
        raise SamlRefusedError(Code.SESSION_INDEX)
    ends = statements[0].session_not_on_or_after
    return str(statements[0].session_index), moment(ends, Code.CONDITIONS) if ends else None


def _name_id(assertion: saml.Assertion) -> str:
    name_id = assertion.subject.name_id
    if name_id is None or not (name_id.text or "").strip():
        raise SamlRefusedError(Code.NAME_ID)
    if name_id.format != saml.NAMEID_FORMAT_PERSISTENT or len(name_id.text) > LONGEST_NAME:
        raise SamlRefusedError(Code.NAME_ID)
    if not name_id.text.isprintable():
        raise SamlRefusedError(Code.NAME_ID)
    return str(code(name_id))


def _attributes(assertion: saml.Assertion) -> dict[str, tuple[str, ...]]:
    statements = assertion.attribute_statement
    given = statements[0].attribute if len(statements) == 1 else []
    found = {str(one.name): _values(one.attribute_value) for one in given}
    if len(statements) > 1 or len(found) != len(given) or len(given) > MOST_ATTRIBUTES:
        raise SamlRefusedError(Code.ATTRIBUTES)
    if any(len(found.get(name, ())) > 1 for name in ONE_AT_MOST):
        raise SamlRefusedError(Code.ATTRIBUTES)
    if any(len(found.get(name, ())) != 1 for name in EXACTLY_ONE):
        raise SamlRefusedError(Code.ATTRIBUTES)
    return found


def _values(values: Iterable[Any]) -> tuple[str, ...]:
    found = tuple(str(value.text or "") for value in values)
    if any(len(value.encode()) > MOST_VALUE_BYTES for value in found):
        raise SamlRefusedError(Code.ATTRIBUTE_SIZE)
    return found
