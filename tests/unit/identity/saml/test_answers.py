"""Each rule about an answer: the one thing that is wrong, its word, and the twin that is right."""

import base64
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from identity.saml.codes import Code
from mock_partners.keycloak.alterations import BEFORE, moved
from mock_partners.keycloak.answers import answer
from mock_partners.keycloak.attacks import AFTER, EVIL
from mock_partners.keycloak.drafts import SHA1
from mock_partners.keycloak.keys import new_pair
from schemas.errors import SamlRefusedError
from schemas.logins import Asked, Binding, SamlMessage
from tests.unit.identity.saml.realm import ATTRIBUTES, ISSUER, Facing

# what is let through: each says why it does no harm
HARMLESS = {
    "comment_in_name_id": "the whole text is read, comment or not",
    "instruction_in_name_id": "the whole text is read, whatever stands in it",
    "old_sign_in": "the realm always writes the time of the answer",
    "relative_namespace": "nothing of the message is in that namespace, and the signature holds or not",
}
REFUSED = {
    "no_name_id": Code.EMPTY,
    "empty_name_id": Code.NAME_ID,
    "transient_name_id": Code.NAME_ID,
    "no_assertion": Code.ASSERTIONS,
    "two_assertions": Code.ASSERTIONS,
    "encrypted_beside": Code.ASSERTIONS,
    "no_conditions": Code.CONDITIONS,
    "no_not_before": Code.CONDITIONS,
    "no_not_on_or_after": Code.CONDITIONS,
    "long_conditions": Code.CONDITIONS,
    "conditions_over": Code.LIFETIME,
    "conditions_to_come": Code.LIFETIME,
    "no_audience": Code.AUDIENCE,
    "other_audience": Code.AUDIENCE,
    "audience_beside": Code.AUDIENCE,
    "second_audience": Code.AUDIENCE,
    "no_destination": Code.DESTINATION,
    "other_destination": Code.EMPTY,
    "old_response": Code.ISSUE_INSTANT,
    "early_response": Code.ISSUE_INSTANT,
    "yesterdays_response": Code.EMPTY,
    "old_assertion": Code.ISSUE_INSTANT,
    "no_recipient": Code.RECIPIENT,
    "other_recipient": Code.RECIPIENT,
    "sender_vouches": Code.CONFIRMATION,
    "two_confirmations": Code.CONFIRMATION,
    "no_confirmation": Code.CONFIRMATION,
    "confirmation_without_end": Code.CONFIRMATION,
    "confirmation_with_begin": Code.CONFIRMATION,
    "confirmation_over": Code.LIFETIME,
    "other_request": Code.UNSOLICITED,
    "other_request_inside": Code.UNSOLICITED,
    "unasked": Code.UNSOLICITED,
    "other_issuer": Code.SIGNATURE,
    "other_issuer_inside": Code.SIGNATURE,
    "no_session_index": Code.SESSION_INDEX,
    "no_statement": Code.SESSION_INDEX,
    "session_over": Code.LIFETIME,
    "same_attribute_twice": Code.ATTRIBUTES,
    "two_values": Code.ATTRIBUTES,
    "two_levels": Code.ATTRIBUTES,
    "no_account": Code.ATTRIBUTES,
    "second_statement": Code.ATTRIBUTES,
    "many_attributes": Code.ATTRIBUTES,
    "large_value": Code.ATTRIBUTE_SIZE,
    "status_not_success": Code.STATUS,
    "version_1": Code.VERSION,
    "assertion_version_1": Code.VERSION,
    "wrapped_1": Code.SIGNATURE,
    "wrapped_2": Code.SIGNATURE,
    "wrapped_3": Code.SIGNATURE,
    "wrapped_4": Code.SIGNATURE,
    "wrapped_5": Code.SIGNATURE,
    "wrapped_6": Code.SIGNATURE,
    "wrapped_7": Code.SIGNATURE,
    "wrapped_8": Code.SIGNATURE,
    "tampered": Code.SIGNATURE,
    "tampered_attribute": Code.SIGNATURE,
    "response_signature_stripped": Code.SIGNATURE,
    "assertion_signature_stripped": Code.SIGNATURE,
    "both_signatures_stripped": Code.SIGNATURE,
    "same_id_twice": Code.SIGNATURE,
    "doctype": Code.DOCTYPE,
    "entity": Code.DOCTYPE,
}


@pytest.fixture(scope="module")
def facing():
    return Facing()


def judged(facing, text):
    """What an answer says, or the word it is refused by; anything else raised fails the test."""
    try:
        return facing.read(text), None
    except SamlRefusedError as error:
        return None, error.code


def refusal(facing, change=None, **changes):
    with pytest.raises(SamlRefusedError) as caught:
        facing.answered(change, **changes)
    return caught.value.code


def test_an_answer_in_order_is_read(facing):
    about = facing.about()

    found = facing.read(answer(about))

    assert found.issuer == ISSUER
    assert found.session_index == about.session_index
    assert about.name_id in found.name_id
    assert {name: (value,) for name, value in ATTRIBUTES.items()} == found.attributes
    assert len(found.message_ids) == 2


def test_every_alteration_is_judged():
    assert REFUSED.keys() | HARMLESS.keys() == BEFORE.keys() | AFTER.keys()


@pytest.mark.parametrize("change", REFUSED)
def test_one_thing_that_is_wrong_is_refused_by_its_word(facing, change):
    assert refusal(facing, change) is REFUSED[change]


@pytest.mark.parametrize("change", HARMLESS)
def test_what_does_no_harm_never_makes_it_somebody_else(facing, change):
    about = facing.about()
    found, word = judged(facing, answer(about, change))
    if found is None:
        assert word is Code.SIGNATURE
    else:
        assert about.name_id in found.name_id
        assert EVIL not in found.name_id


def test_sha1_is_no_algorithm(facing):
    assert refusal(facing, digest=SHA1) is Code.SIGNATURE


CONDITIONS, CONFIRMED = "//a:Conditions", "//a:SubjectConfirmationData"
STATEMENT = "//a:AuthnStatement"
CLOCK = [  # instants apart from now in seconds, one minute of slack; the word, None where it is read
    ({(CONDITIONS, "NotBefore"): 59}, None),
    ({(CONDITIONS, "NotBefore"): 61, (CONDITIONS, "NotOnOrAfter"): 120}, Code.LIFETIME),
    ({(CONDITIONS, "NotBefore"): -120, (CONDITIONS, "NotOnOrAfter"): -59}, None),
    ({(CONDITIONS, "NotBefore"): -120, (CONDITIONS, "NotOnOrAfter"): -61}, Code.LIFETIME),
    ({(CONDITIONS, "NotBefore"): -240, (CONDITIONS, "NotOnOrAfter"): 360}, None),
    ({(CONDITIONS, "NotBefore"): -241, (CONDITIONS, "NotOnOrAfter"): 360}, Code.CONDITIONS),
    ({(CONDITIONS, "NotOnOrAfter"): 0}, Code.CONDITIONS),
    ({(CONFIRMED, "NotOnOrAfter"): -59}, None),
    ({(CONFIRMED, "NotOnOrAfter"): -61}, Code.LIFETIME),
    ({(STATEMENT, "SessionNotOnOrAfter"): -59}, None),
    ({(STATEMENT, "SessionNotOnOrAfter"): -61}, Code.LIFETIME),
    ({("/p:Response", "IssueInstant"): -300}, None),
    ({("/p:Response", "IssueInstant"): -301}, Code.ISSUE_INSTANT),
    ({("/p:Response", "IssueInstant"): 300}, None),
    ({("/p:Response", "IssueInstant"): 301}, Code.ISSUE_INSTANT),
    ({("//a:Assertion", "IssueInstant"): -300}, None),
    ({("//a:Assertion", "IssueInstant"): -301}, Code.ISSUE_INSTANT),
    ({("//a:Assertion", "IssueInstant"): 301}, Code.ISSUE_INSTANT),
    ({(STATEMENT, "AuthnInstant"): 3600}, None),
]


def clock_names(value):
    if isinstance(value, dict):
        return ",".join(
            f"{path.rpartition(':')[2]}.{name}{by:+}" for (path, name), by in value.items()
        )
    return str(value)


@pytest.mark.parametrize(("instants", "word"), CLOCK, ids=clock_names)
def test_each_instant_counts_to_the_second(facing, instants, word):
    def changed(root, about):
        for (path, name), by in instants.items():
            moved(path, name, timedelta(seconds=by))(root, about)

    with time_machine.travel(datetime(2026, 11, 23, 12, 0, tzinfo=UTC), tick=False):
        assert judged(facing, answer(facing.about(), changed))[1] is word


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_ten_minutes_wrong_lets_nobody_in(facing, minutes):
    """Ours or the realm's: the words say which instants to compare."""
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        said = answer(facing.about(now=now + timedelta(minutes=minutes)))
        assert judged(facing, said)[1] is Code.LIFETIME


def test_a_key_that_is_nobodys_is_refused(facing):
    assert refusal(facing, key=new_pair()) == Code.SIGNATURE


def test_a_key_that_the_message_brings_along_is_not_believed(facing):
    assert refusal(facing, attacker=new_pair()) == Code.SIGNATURE


def test_an_answer_by_redirect_is_none(facing):
    message = SamlMessage(binding=Binding.REDIRECT, text=answer(facing.about()))
    with pytest.raises(SamlRefusedError):
        facing.provider.read_answer(message, asked=Asked(request_id="_a_request", relay_key="r"))


@pytest.mark.parametrize(
    ("seconds", "is_taken"), [(-59, True), (59, True), (-301, False), (301, False)]
)
def test_a_clock_that_is_a_little_off_is_borne(facing, seconds, is_taken):
    now = datetime.now(UTC) + timedelta(seconds=seconds)
    if is_taken:
        assert facing.answered(now=now)
    else:
        assert refusal(facing, now=now)


# --- keys ------------------------------------------------------------------------------------------------


def test_the_realm_changes_its_key_and_nobody_notices():
    facing = Facing()
    assert facing.answered()
    facing.ring.rotate()
    facing.publish()

    assert facing.answered()
    assert facing.descriptions.fetches == 1


def test_both_keys_of_a_realm_count_while_it_announces_both(facing):
    assert facing.answered(key=facing.ring.pairs[1])


def test_a_key_that_the_realm_took_back_counts_no_more():
    facing = Facing()
    old = facing.ring.pairs[1]
    assert facing.answered(key=old)
    facing.ring.forget_old()
    facing.publish()
    facing.descriptions.refresh()

    assert refusal(facing, key=old) == Code.SIGNATURE


def test_forged_answers_do_not_make_us_fetch_without_end():
    facing = Facing()
    facing.answered()
    facing.descriptions.is_allowed = False

    for _ in range(5):
        assert refusal(facing, key=new_pair()) == Code.SIGNATURE
    assert facing.descriptions.fetches == 0


def test_a_certificate_that_is_over_still_names_its_key():
    facing = Facing()
    facing.ring.pairs.insert(0, new_pair(lasts=timedelta(days=-1)))
    facing.publish()
    facing.descriptions.refresh()

    assert facing.answered()


# --- hostile ---------------------------------------------------------------------------------------------


def mutated(text, chances):
    """One answer with a few bytes changed, moved, doubled or cut."""
    raw = bytearray(base64.b64decode(text))
    for _ in range(chances.randint(1, 3)):
        place = chances.randrange(len(raw))
        match chances.randrange(4):
            case 0:
                raw[place] = chances.randrange(256)
            case 1:
                del raw[place : place + chances.randint(1, 40)]
            case 2:
                piece = raw[place : place + chances.randint(1, 80)]
                raw[chances.randrange(len(raw)) : 0] = piece
            case _:
                raw[place:place] = chances.choice(
                    [b"<a/>", b"<!---->", b"&amp;", b"\x00", b'ID="x"']
                )
    return base64.b64encode(bytes(raw)).decode()


def attack(facing, times, seed):
    """What became of mutated answers, counted by its word, and the slowest in milliseconds."""
    chances, slowest, counted = random.Random(seed), 0.0, Counter()
    about = facing.about()
    good = answer(about)
    assert facing.read(good).session_index == about.session_index
    for _ in range(times):
        begun = time.thread_time()
        found, word = judged(facing, mutated(good, chances))
        slowest = max(slowest, time.thread_time() - begun)
        counted[str(word)] += 1
        if found is None:
            assert word in set(Code)
        else:  # what was changed is no part of what is signed: a comment, blanks inside a tag
            assert about.name_id in found.name_id, "accepted, and about somebody else"
            assert found.attributes == {name: (value,) for name, value in ATTRIBUTES.items()}
    return counted, round(slowest * 1000, 1)


def test_mutated_answers_never_open_for_anybody_else(facing):
    facing.descriptions.is_allowed = False
    counted, _ = attack(facing, 300, seed=20261123)

    assert counted.total() == 300
    assert counted["None"] < 30, counted
    assert {"not_xml", "not_utf8", "signature"} <= counted.keys()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_thousand_mutated_answers(facing, record_property):
    facing.descriptions.is_allowed = False
    counted, slowest = attack(facing, 10_000, seed=1)
    record_property("slowest_ms_of_processor", slowest)
    record_property("words", dict(counted))
    report = {"attempt": 10_000, "slowest_ms_of_processor": slowest, **counted}
    sys.stdout.write(f"{report}\n")
