"""Koha's refusals as codes of ours: only this table reads its texts, and none of them goes further."""

import re
from typing import Final, NoReturn

from connectors.kit import Answer, PartnerHttp
from schemas.errors import PartnerError, PartnerMisconfiguredError, PartnerRejectedError

FOREIGN_KEY: Final = re.compile(r"Given (category_id|library_id) does not exist")
POINTER: Final = re.compile(r"/body(?:/([a-z][a-z0-9_]{0,40}))?")
TEXTS: Final[tuple[tuple[str, type[PartnerError], str], ...]] = (
    ("Missing mandatory extended attribute", PartnerRejectedError, "attribute_required"),
    ("Tried to use an invalid attribute type", PartnerRejectedError, "attribute_refused"),
    ("Tried to add more than one non-repeatable", PartnerRejectedError, "attribute_refused"),
    ("Missing mandatory parameter(s)", PartnerRejectedError, "value_missing"),
    ("Invalid parameter(s)", PartnerRejectedError, "value_refused"),
)
KEYS: Final = frozenset({"cardnumber", "userid"})


def judge_refusal(http: PartnerHttp, answer: Answer) -> NoReturn:
    """Raise what a 400 means: our binding is wrong, or this request is refused for good."""
    problem = answer.problem()
    text = str(problem.get("error", ""))
    foreign = FOREIGN_KEY.match(text)
    if foreign is not None:
        raise http.failure(PartnerMisconfiguredError, f"binding_refused: {foreign[1]}")
    for start, kind, code in TEXTS:
        if text.startswith(start):
            raise http.failure(kind, code)
    errors = problem.get("errors")
    if isinstance(errors, list):
        raise http.failure(PartnerRejectedError, f"schema_refused: {_pointers(errors)}")
    raise http.failure(PartnerRejectedError, "refused: HTTP 400")


def judge_conflict(http: PartnerHttp, answer: Answer) -> NoReturn:
    """Raise what a 409 means when no record bears our reference: never retried, never adopted."""
    conflict = answer.problem().get("conflict")
    if conflict in KEYS:
        raise http.failure(PartnerRejectedError, f"key_taken: {conflict}")
    raise http.failure(PartnerRejectedError, "duplicate: another record matches, the desk decides")


def _pointers(errors: list[object]) -> str:
    paths = [str(each.get("path", "")) for each in errors if isinstance(each, dict)]
    known = {match[1] or "body" for path in paths if (match := POINTER.fullmatch(path))}
    return " ".join(sorted(known)) or "body"
