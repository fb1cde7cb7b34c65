"""What is told when the realm and the hub say different things of people's logins."""

from types import SimpleNamespace

import pytest

from orchestrator.services.ports.reconciliation import KnownPerson
from orchestrator.services.reconciliation import Difference, Differs, Reconciliation
from schemas import ids

LINK = ("france-connect", "a-subject")
ACCOUNT, SECOND, LOGIN = ids.uuid7(), ids.uuid7(), ids.uuid7()


def account(*links, is_correlatable=False):
    return SimpleNamespace(links=frozenset(links), is_correlatable=is_correlatable)


def compared(realm, *, links=None, accounts=None, resting=()):
    person = KnownPerson(
        accounts=accounts or {ACCOUNT: "one"}, links=links or {}, resting=frozenset(resting)
    )
    people = SimpleNamespace(people=lambda issuer: iter([person]))
    reading = SimpleNamespace(find=realm.get)
    comparing = Reconciliation(people=people, realm=reading, issuer="https://idp.example.org")
    return list(comparing.differences())


def test_who_says_the_same_is_not_told():
    assert compared({"one": account(LINK)}, links={LOGIN: LINK}) == []


def test_an_account_that_is_gone_takes_its_link_with_it():
    assert compared({}, links={LOGIN: LINK}) == [
        Difference(kind=Differs.ACCOUNT_GONE, login_id=ACCOUNT),
        Difference(kind=Differs.LINK_GONE, login_id=LOGIN, alias="france-connect"),
    ]


def test_a_link_the_hub_does_not_have_is_told_by_the_account_it_is_at():
    told = Difference(kind=Differs.LINK_ELSEWHERE, login_id=ACCOUNT, alias="france-connect")

    assert compared({"one": account(LINK)}) == [told]


def test_another_subject_of_the_same_provider_is_another_link():
    other = ("france-connect", "another-subject")

    kinds = [one.kind for one in compared({"one": account(other)}, links={LOGIN: LINK})]

    assert kinds == [Differs.LINK_ELSEWHERE, Differs.LINK_GONE]


def test_a_link_may_be_at_any_account_of_the_person():
    realm = {"one": account(), "two": account(LINK)}

    assert compared(realm, links={LOGIN: LINK}, accounts={ACCOUNT: "one", SECOND: "two"}) == []


def test_what_an_agent_closed_by_a_merge_may_stay_there():
    assert compared({"one": account(LINK)}, resting=[LINK]) == []


@pytest.mark.parametrize(("known", "count"), [("one", 0), ("another", 2)])
def test_other_providers_are_known_by_the_account(known, count):
    realm = {"one": account(("social", "whatever-it-says"))}

    assert len(compared(realm, links={LOGIN: ("social", known)})) == count


def test_one_name_at_every_service_is_told():
    told = Difference(kind=Differs.ONE_NAME, login_id=ACCOUNT)

    assert compared({"one": account(is_correlatable=True)}) == [told]
