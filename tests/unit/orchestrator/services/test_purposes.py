import hashlib

import pytest

from orchestrator.services.purposes import (
    NOTICES,
    PARTNER_ARRIVAL,
    POSTER_ARRIVAL,
    PURPOSES,
    RECIPIENTS,
    notice_of,
    notice_sha256,
    purpose_of,
)
from schemas.consent_proof import HUB

CATALOGUE = {
    "library.preregistration",
    "access_code.delivery",
    "library.news",
    "interests.profile",
    "service.enrolment",
    "booking",
    "recommendation",
}
# A text that was shown is never changed: write another version beside it, and add its digest here.
DIGESTS = {
    ("arrival-partner-1", "fr"): "3432fc3e25f6b876",
    ("arrival-partner-1", "en"): "39deba1ab79730b8",
    ("arrival-poster-1", "fr"): "26719cff17a75f6a",
    ("arrival-poster-1", "en"): "88911865c3cb4cd1",
}


def test_the_catalogue_is_complete_and_in_both_languages():
    assert {purpose.id for purpose in PURPOSES} == CATALOGUE
    for purpose in PURPOSES:
        assert set(purpose.title) == set(purpose.text) == {"fr", "en"}
        assert set(purpose.recipients) <= set(RECIPIENTS)
        assert purpose.retention
    assert purpose_of("booking").legal_basis == "contract"
    assert purpose_of("nothing") is None


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: f"{notice.version}-{notice.locale}")
def test_a_notice_names_the_hub_and_only_purposes_of_the_catalogue(notice):
    assert HUB in notice.recipients
    assert "Parvis" in notice.text
    assert set(notice.purposes) <= CATALOGUE
    assert notice.sha256 == hashlib.sha256(notice.text.encode()).hexdigest()


def test_a_text_that_was_published_is_never_reworded():
    assert {(notice.version, notice.locale): notice.sha256[:16] for notice in NOTICES} == DIGESTS


def test_a_notice_is_found_by_version_and_language():
    assert notice_of(PARTNER_ARRIVAL, "FR").locale == "fr"
    assert notice_of(POSTER_ARRIVAL, "en").locale == "en"
    assert notice_of(PARTNER_ARRIVAL, "de") is None
    assert notice_sha256("unknown", "fr") is None
    assert notice_sha256(POSTER_ARRIVAL, "fr") == notice_of(POSTER_ARRIVAL, "fr").sha256
