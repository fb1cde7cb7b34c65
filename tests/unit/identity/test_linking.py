"""Who is this? Each line of the table of decisions, beside the case that is almost it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.linking import (
    OFFICER,
    Act,
    Candidate,
    Claim,
    Decision,
    LoginKey,
    Owner,
    Rule,
    Standing,
    claim_of,
    decide,
    decide_again,
    decide_link,
    level_in_service,
    level_of,
    session_level,
)
from schemas.logins import CivilStatus, Level, SignedIn

ISSUER = "https://idp.test/realms/parvis"
ANNE, BRUNO, CHLOE = (UUID(int=number) for number in (1, 2, 3))
FC, FC_PLUS = "france-connect", "france-connect-plus"
ZOE = {
    "given_names": "Zoé Marie",
    "birth_name": "LŒUVRE",
    "birthdate": "1990-04-02",
    "gender": "female",
    "birthplace": "13055",
    "birthcountry": "99100",
}


def person(**changes):
    return CivilStatus(**{**ZOE, **changes})


def key(alias, subject="1"):
    return LoginKey(issuer=ISSUER, alias=alias, subject=f"{alias}-{subject}")


def claim(alias=FC, *, level=Level.ACCOUNT_PROVED, civil_status=None, subject="1"):
    is_franceconnect = alias.startswith("france")
    return Claim(
        keys=(key("realm_saml", subject), key("realm_token", subject), key(alias, subject)),
        account=f"user-{subject}",
        level=level,
        alias=alias,
        civil_status=(civil_status or person()) if is_franceconnect else None,
    )


def candidate(citizen_id=ANNE, *, sources=(FC,), aliases=(), **changes):
    return Candidate(
        citizen_id=citizen_id,
        civil_status=person(**changes),
        sources=frozenset(sources),
        aliases=frozenset(aliases),
    )


def standing(*aliases, **vouched):
    return Standing(aliases=frozenset(aliases), vouched=vouched)


def decided(said=None, owners=(), candidates=(), annes=None, taken_away=()):
    standings = {ANNE: annes} if annes else {}
    return decide(said or claim(), owners, candidates, standing=standings, taken_away=taken_away)


def answer(**attributes):
    return SignedIn(
        issuer=ISSUER,
        request_id="_r",
        message_ids=("_m", "_a"),
        name_id="G-1",
        session_index="s::c",
        valid_until=datetime(2027, 1, 1, tzinfo=UTC),
        session_ends_at=None,
        attributes={name: (value,) for name, value in attributes.items()},
    )


# --- somebody we know ----------------------------------------------------------------------------


@pytest.mark.parametrize("alias", ["realm_saml", "realm_token", FC])
def test_one_key_that_is_known_is_enough(alias):
    said = decided(owners=[Owner(key=key(alias), citizen_id=ANNE)])

    rule = Rule.KNOWN_SUBJECT if alias == FC else Rule.KNOWN_ACCOUNT
    assert said == Decision(act=Act.SIGN_IN, rule=rule, citizen_id=ANNE)


def test_keys_of_two_people_open_nothing():
    owners = [
        Owner(key=key("realm_saml"), citizen_id=BRUNO),
        Owner(key=key("realm_token"), citizen_id=ANNE),
    ]

    assert decided(owners=owners) == Decision(
        act=Act.REVIEW, rule=Rule.KEYS_DISAGREE, others=(ANNE, BRUNO)
    )


def test_another_subject_of_franceconnect_in_one_account_is_looked_at():
    owners = [Owner(key=key("realm_saml"), citizen_id=ANNE)]

    said = decided(owners=owners, annes=standing("realm_saml", FC))

    assert (said.act, said.rule) == (Act.REVIEW, Rule.OTHER_SUBJECT)


def test_franceconnects_second_door_to_the_same_person_is_no_other_subject():
    owners = [Owner(key=key("realm_saml"), citizen_id=ANNE)]

    said = decided(claim(FC_PLUS), owners, annes=standing("realm_saml", FC))

    assert said.act is Act.SIGN_IN


def test_a_login_that_was_taken_away_does_not_come_back_by_itself():
    owners = [Owner(key=key("realm_saml"), citizen_id=ANNE)]

    said = decided(owners=owners, taken_away={key(FC)})

    assert (said.act, said.rule, said.citizen_id) == (Act.REVIEW, Rule.TAKEN_AWAY, None)


def test_a_login_linked_again_by_proof_signs_in_although_it_was_taken_away_once():
    owners = [Owner(key=key("realm_saml"), citizen_id=ANNE), Owner(key=key(FC), citizen_id=ANNE)]

    assert decided(owners=owners, taken_away={key(FC)}).act is Act.SIGN_IN


@pytest.mark.parametrize("field", ZOE)
def test_a_known_account_that_brings_somebody_elses_civil_status_is_looked_at(field):
    owners = [Owner(key=key("realm_saml"), citizen_id=ANNE)]

    said = decided(owners=owners, annes=standing("realm", **{**ZOE, field: "other"}))

    assert said == Decision(act=Act.REVIEW, rule=Rule.OTHER_CIVIL_STATUS, others=(ANNE,))


@pytest.mark.parametrize(
    "vouched",
    [{}, ZOE, ZOE | {"given_names": "ZOE-MARIE", "birth_name": "loeuvre"}, {"gender": "female"}],
)
def test_a_known_account_that_brings_an_equal_civil_status_or_the_first_one_is_joined(vouched):
    owners = [Owner(key=key("realm_saml"), citizen_id=ANNE)]

    said = decided(owners=owners, annes=standing("realm", **vouched))

    assert said == Decision(act=Act.SIGN_IN, rule=Rule.KNOWN_ACCOUNT, citizen_id=ANNE)


def test_a_field_that_is_only_near_is_looked_at():
    owners = [Owner(key=key("realm_saml"), citizen_id=ANNE)]

    said = decided(owners=owners, annes=standing("realm", given_names="Zoé"))

    assert said.rule is Rule.OTHER_CIVIL_STATUS


def test_a_subject_we_know_may_bring_a_corrected_civil_status():
    owners = [Owner(key=key(FC), citizen_id=ANNE)]

    assert decided(owners=owners, annes=standing(FC, birth_name="AUTRE")).act is Act.SIGN_IN


# --- somebody new ----------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [claim(), claim("realm"), claim("social")])
def test_nobody_alike_makes_a_new_person(said):
    assert decided(said) == Decision(act=Act.CREATE, rule=Rule.NEW_PERSON)


@pytest.mark.parametrize("alias", ["realm", "social"])
def test_a_login_without_civil_status_is_nobodys_candidate(alias):
    assert decided(claim(alias), candidates=[candidate()]).act is Act.CREATE


def test_six_equal_fields_vouched_for_on_both_sides_are_one_person():
    written_otherwise = candidate(given_names="ZOE-MARIE", birth_name="Loeuvre")

    assert decided(candidates=[written_otherwise]) == Decision(
        act=Act.LINK, rule=Rule.SIX_EQUAL, citizen_id=ANNE
    )


@pytest.mark.parametrize("sources", [(FC,), (OFFICER,), (FC, OFFICER), (FC_PLUS,)])
def test_franceconnect_and_officers_vouch(sources):
    assert decided(candidates=[candidate(sources=sources)]).act is Act.LINK


def test_a_person_born_abroad_is_joined_without_a_place():
    abroad = {"birthplace": "", "birthcountry": "99350"}

    said = decided(claim(civil_status=person(**abroad)), candidates=[candidate(**abroad)])

    assert said.act is Act.LINK


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"given_names": "Zoé"}),
        ({"given_names": "Zoé"}, {}),
        ({}, {"given_names": "Léa Marie"}),
        ({}, {"birth_name": "DUPONT"}),
        ({}, {"birthdate": "1990-04-03"}),
        ({"birthdate": "1990-04-00"}, {"birthdate": "1990-04-00"}),
        ({"birthdate": "1990-00-00"}, {"birthdate": "1990-00-00"}),
        ({"birthdate": "1990-04-00"}, {"birthdate": "1990-04-01"}),
        ({"birthdate": "1990-00-00"}, {"birthdate": "1990-01-01"}),
        ({}, {"gender": "male"}),
        ({"gender": "unspecified"}, {"gender": "unspecified"}),
        ({"gender": "unspecified"}, {}),
        ({}, {"birthplace": "2A004"}),
        ({"birthplace": ""}, {"birthplace": ""}),
    ],
)
def test_anything_weaker_is_proposed_and_joins_nothing(ours, theirs):
    said = decided(claim(civil_status=person(**ours)), candidates=[candidate(**theirs)])

    assert said == Decision(act=Act.PROPOSE, rule=Rule.NEAR_MATCH, others=(ANNE,))


@pytest.mark.parametrize("sources", [("declared",), (FC, "declared"), ("social",), ("realm",)])
def test_a_field_nobody_vouched_for_is_proposed(sources):
    assert decided(candidates=[candidate(sources=sources)]).act is Act.PROPOSE


@pytest.mark.parametrize("level", [Level.DECLARED, Level.CONTACT_PROVED])
def test_a_sign_in_that_proved_no_account_joins_nothing(level):
    assert decided(claim(level=level), candidates=[candidate()]).act is Act.PROPOSE


def test_two_fields_that_differ_are_somebody_else():
    assert decided(candidates=[candidate(given_names="Léa", birthplace="2A004")]) == Decision(
        act=Act.CREATE, rule=Rule.NEW_PERSON
    )


def test_several_alike_are_for_a_person_to_decide():
    said = decided(candidates=[candidate(BRUNO), candidate(ANNE), candidate(CHLOE, gender="male")])

    assert said == Decision(
        act=Act.REVIEW, rule=Rule.SEVERAL_CANDIDATES, others=(ANNE, BRUNO, CHLOE)
    )


@pytest.mark.parametrize("alias", [FC, FC_PLUS, "franceconnect"])
def test_two_subjects_of_franceconnect_are_never_joined(alias):
    said = decided(candidates=[candidate(aliases=(alias, "realm_saml"))])

    assert said == Decision(act=Act.REVIEW, rule=Rule.OTHER_SUBJECT, others=(ANNE,))


def test_twins_are_two_people_until_somebody_has_looked():
    said = decided(candidates=[candidate(given_names="Léa Marie", aliases=(FC,))])

    assert said == Decision(act=Act.PROPOSE, rule=Rule.OTHER_SUBJECT, others=(ANNE,))


# --- a second login, a proof -------------------------------------------------------------------------


def test_both_proved_in_one_session_are_joined():
    said = decide_link(claim(), [], citizen_id=ANNE, standing=standing("realm"))

    assert said == Decision(act=Act.LINK, rule=Rule.BOTH_PROVED, citizen_id=ANNE)


def test_a_login_that_was_taken_away_once_is_joined_by_a_rule_of_its_own():
    said = decide_link(
        claim(), [], citizen_id=ANNE, standing=standing("realm"), taken_away={key(FC)}
    )

    assert said == Decision(act=Act.LINK, rule=Rule.LINKED_AGAIN, citizen_id=ANNE)


def test_a_login_of_somebody_else_is_never_taken_over():
    owners = [Owner(key=key(FC), citizen_id=BRUNO)]

    said = decide_link(claim(), owners, citizen_id=ANNE, standing=standing())

    assert (said.act, said.rule, said.others) == (Act.REVIEW, Rule.SUBJECT_ELSEWHERE, (BRUNO,))


def test_a_second_subject_of_franceconnect_is_not_joined_by_its_owner_either():
    said = decide_link(claim(), [], citizen_id=ANNE, standing=standing(FC))

    assert (said.act, said.rule) == (Act.REVIEW, Rule.OTHER_SUBJECT)


@pytest.mark.parametrize(
    ("owners", "act"),
    [
        ([Owner(key=key(FC), citizen_id=ANNE)], Act.SIGN_IN),
        ([], Act.REFUSE),
        ([Owner(key=key(FC), citizen_id=BRUNO)], Act.REFUSE),
        (
            [
                Owner(key=key(FC), citizen_id=ANNE),
                Owner(key=key("realm_saml"), citizen_id=BRUNO),
            ],
            Act.REFUSE,
        ),
    ],
)
def test_a_proof_is_the_same_persons_or_none(owners, act):
    assert decide_again(claim(), owners, citizen_id=ANNE, standing=standing()).act is act


def test_a_link_does_not_join_the_civil_status_of_somebody_else():
    said = decide_link(
        claim(), [], citizen_id=ANNE, standing=standing("realm", birthdate="1971-12-31")
    )

    assert (said.act, said.rule) == (Act.REVIEW, Rule.OTHER_CIVIL_STATUS)


@pytest.mark.parametrize(
    ("annes", "taken_away", "rule"),
    [
        (standing("realm", FC), (), Rule.OTHER_SUBJECT),
        (standing("realm", birthdate="1971-12-31"), (), Rule.OTHER_CIVIL_STATUS),
        (standing("realm"), {key(FC)}, Rule.TAKEN_AWAY),
    ],
)
def test_a_proof_brings_nothing_along_that_a_sign_in_would_not(annes, taken_away, rule):
    owners = [Owner(key=key("realm_saml"), citizen_id=ANNE)]

    said = decide_again(claim(), owners, citizen_id=ANNE, standing=annes, taken_away=taken_away)

    assert (said.act, said.rule) == (Act.REVIEW, rule)


# --- levels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"idp_alias": FC, "fc_acr": "eidas1"}, Level.ACCOUNT_PROVED),
        ({"idp_alias": FC_PLUS, "fc_acr": "eidas2"}, Level.STRONG),
        ({"idp_alias": FC_PLUS, "fc_acr": "eidas3"}, Level.STRONG),
        ({"idp_alias": FC}, Level.DECLARED),
        ({"idp_alias": FC, "fc_acr": ""}, Level.DECLARED),
        ({"idp_alias": FC, "fc_acr": "eidas4"}, Level.DECLARED),
        ({"idp_alias": FC, "fc_acr": "EIDAS2"}, Level.DECLARED),
        ({"idp_alias": FC, "email_verified": "true"}, Level.DECLARED),
        ({"fc_acr": "eidas3"}, Level.DECLARED),
        ({"idp_alias": "social", "fc_acr": "eidas3"}, Level.DECLARED),
        (
            {"idp_alias": "social", "fc_acr": "eidas3", "email_verified": "true"},
            Level.CONTACT_PROVED,
        ),
        ({"email_verified": "true"}, Level.CONTACT_PROVED),
        ({"email_verified": "True"}, Level.DECLARED),
        ({}, Level.DECLARED),
    ],
)
def test_a_level_is_franceconnects_word_from_franceconnect_only(said, level):
    assert level_of(answer(kc_user="u", **said)) is level


def test_an_attribute_said_twice_is_not_heard():
    said = answer(kc_user="u", idp_alias=FC)
    said.attributes["fc_acr"] = ("eidas3", "eidas1")

    assert level_of(said) is Level.DECLARED


@given(st.sampled_from(Level), st.sampled_from(Level))
def test_a_session_is_never_worth_more_than_its_sign_in_its_link_or_strong(proved, login):
    level = session_level(proved, login)

    assert level == min(proved, login, Level.STRONG)


@given(st.sampled_from(Level), st.sampled_from(Level))
def test_a_place_proved_in_a_service_lifts_a_contact_there_and_nothing_else(session, place):
    is_lifted = session is Level.CONTACT_PROVED and place >= Level.ACCOUNT_PROVED

    assert level_in_service(session, place) == (Level.ACCOUNT_PROVED if is_lifted else session)


# --- what an answer claims -----------------------------------------------------------------------------


def test_franceconnect_is_known_by_its_own_subject_and_says_who_somebody_is():
    said = claim_of(answer(kc_user="u", idp_alias=FC, fc_acr="eidas1", fc_sub="s", **ZOE))

    assert {one.alias: one.subject for one in said.keys} == {
        "realm_saml": "G-1",
        "realm_token": "u",
        FC: "s",
    }
    assert said.civil_status == person()


def test_other_providers_are_known_by_the_realms_account_and_vouch_for_nobody():
    said = claim_of(answer(kc_user="u", idp_alias="social", fc_sub="s", **ZOE))

    assert {one.alias: one.subject for one in said.keys}["social"] == "u"
    assert (said.civil_status, said.franceconnect) == (None, None)


def test_franceconnect_without_a_subject_is_no_login_of_its_own():
    said = claim_of(answer(kc_user="u", idp_alias=FC, fc_acr="eidas1", **ZOE))

    assert (said.provider, said.franceconnect) == (None, None)


def test_an_address_is_no_part_of_a_claim():
    plain = claim_of(answer(kc_user="u"))

    assert claim_of(answer(kc_user="u", email="zoe@example.org")) == plain


def test_a_claim_shows_no_subject_when_printed():
    said = claim_of(answer(kc_user="u-secret", idp_alias=FC, fc_sub="s-secret", **ZOE))

    shown = repr(said) + repr(said.keys)
    for clear in ("u-secret", "s-secret", "G-1", "LŒUVRE", "Zoé", "1990"):
        assert clear not in shown
