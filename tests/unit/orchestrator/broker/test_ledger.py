"""The ledger believes each answer for what it answers, and nothing else."""

import pytest

from orchestrator.broker.publisher import Ledger


def published(*rows):
    ledger = Ledger()
    for row in rows:
        ledger.published(row, f"m{row}")
    return ledger


def test_answers_in_any_order_settle_their_own_rows():
    ledger = published(10, 11, 12)

    ledger.accepted(2, multiple=False)
    ledger.rejected(1, multiple=False)
    assert not ledger.is_settled
    ledger.accepted(3, multiple=False)

    assert ledger.is_settled
    sent = ledger.sent()
    assert (set(sent.confirmed), sent.refused) == ({11, 12}, (10,))


def test_the_highest_tag_answered_says_nothing_of_those_below():
    ledger = published(10, 11, 12)

    ledger.accepted(3, multiple=False)

    assert not ledger.is_settled


@pytest.mark.parametrize("tag", [0, 3])
def test_one_answer_for_many_settles_all_up_to_its_tag(tag):
    ledger = published(10, 11, 12)

    ledger.rejected(2, multiple=False)
    ledger.accepted(tag, multiple=True)

    sent = ledger.sent()
    assert (sent.confirmed, sent.refused) == ((10, 12), (11,))


def test_what_came_back_is_refused_though_it_is_confirmed_afterwards():
    ledger = published(10, 11)

    ledger.returned("m11")
    ledger.accepted(2, multiple=True)

    assert ledger.went_nowhere
    sent = ledger.sent()
    assert (sent.confirmed, sent.refused) == ((10,), (11,))


def test_answers_to_nothing_we_published_change_nothing():
    ledger = published(10)

    ledger.accepted(9, multiple=False)
    ledger.returned("somebody else's")
    ledger.accepted(1, multiple=False)
    ledger.accepted(1, multiple=False)

    assert ledger.sent().confirmed == (10,)


def test_tags_go_on_from_window_to_window():
    ledger = published(10)
    ledger.accepted(1, multiple=False)
    ledger.sent()

    ledger.published(20, "m20")
    assert not ledger.is_settled
    ledger.accepted(2, multiple=False)

    assert ledger.sent().confirmed == (20,)
