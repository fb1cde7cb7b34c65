"""Errors as the caller sees them: RFC 9457 problems, each with its page and its request id.

The class of an error carries status and slug; this module only renders. No member holds anything of
a person, of our inside or of the caller's text but the names of members it sent.
"""

from typing import Any, Final

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from orchestrator.api.english import in_english
from orchestrator.api.problem_texts import PROBLEMS, Language
from orchestrator.api.replies import Reply, json_reply
from schemas import clock
from schemas.errors import (
    AccessRefusedError,
    ClockSkewError,
    InvalidPayloadError,
    MethodNotAllowedError,
    ParvisError,
    RecentSignInNeededError,
    TokenRefusedError,
)

MEDIA_TYPE: Final = "application/problem+json"
_LANGUAGES: Final = ("fr", "en")
_DETAILED: Final = frozenset({"malformed", "too-large", "unsupported-media-type", "conflict"})
_MOST_ERRORS: Final = 50


def language_of(accept: str | None) -> Language:
    """Return the language asked for by an Accept-Language header: French but for English."""
    if not accept:
        return "fr"
    for tag, quality in parse_accept_header(accept[:200], LanguageAccept):
        primary = tag.partition("-")[0].lower()
        if quality > 0 and primary in _LANGUAGES:
            return "en" if primary == "en" else "fr"
    return "fr"


def problem_reply(
    error: ParvisError, *, public_url: str, request_id: str, language: Language
) -> Reply:
    """Return the problem that tells a caller what happened and what to do."""
    text = PROBLEMS[error.slug]
    words = text.words(language)
    problem: dict[str, Any] = {
        "type": f"{public_url}/problems/{error.slug}",
        "title": words.title,
        "status": error.status,
        "request_id": request_id,
        "retryable": text.is_retryable,
        "hint": words.advice,
    }
    problem |= _specifics(error, language)
    reply = json_reply(problem, status=error.status, media_type=MEDIA_TYPE)
    reply.headers += [
        ("Content-Language", language),
        ("Vary", "Accept-Language"),
        ("Parvis-Should-Retry", "true" if text.is_retryable else "false"),
    ]
    reply.headers += _headers(error)
    return reply


def detail_of(error: ParvisError, language: Language) -> str | None:
    """Return the sentence about this very refusal, when there is more to say than its name."""
    if isinstance(error, InvalidPayloadError) and error.errors:
        pairs = [f"{place} : {_said(text, language)}" for place, text in error.errors[:3]]
        return " ".join(pairs)
    if isinstance(error, RecentSignInNeededError):
        return _said(error.title, language)
    if error.slug in _DETAILED and error.detail:
        return _said(error.detail, language)
    return None


def _specifics(error: ParvisError, language: Language) -> dict[str, Any]:
    """Return the members that only this kind of error has."""
    members: dict[str, Any] = {}
    if isinstance(error, InvalidPayloadError):
        members["errors"] = [
            {"detail": _said(sentence, language), "pointer": place}
            for place, sentence in error.errors[:_MOST_ERRORS]
        ]
    elif (detail := detail_of(error, language)) is not None:
        members["detail"] = detail
    if isinstance(error, ClockSkewError):
        members["server_time"] = clock.rfc3339(clock.utcnow())
    if isinstance(error, RecentSignInNeededError):
        members["max_age"] = error.max_age
    return members


def _headers(error: ParvisError) -> list[tuple[str, str]]:
    headers = []
    if isinstance(error, MethodNotAllowedError):
        headers.append(("Allow", ", ".join(error.allowed)))
    challenge = _challenge(error)
    if challenge:
        headers.append(("WWW-Authenticate", f"Bearer {challenge}"))
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers.append(("Retry-After", str(max(1, int(retry_after)))))
    return headers


def _challenge(error: ParvisError) -> str:
    """Return what RFC 6750 section 3 and RFC 9470 section 3 have a caller with a token told."""
    match error:
        case TokenRefusedError():
            return f'error="{error.error}"'
        case RecentSignInNeededError():
            return f'error="insufficient_user_authentication", max_age="{error.max_age}"'
        case AccessRefusedError():
            return 'error="insufficient_scope"'
        case _:
            return ""


def _said(sentence: str, language: Language) -> str:
    return sentence if language == "fr" else in_english(sentence)
