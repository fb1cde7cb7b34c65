import pytest

from orchestrator.engine.retry import DEFAULT, RetryPolicy
from schemas.errors import ConfigurationError


def test_lines_add_up_in_their_order():
    policy = RetryPolicy.read("1s x2; 10s x1; 5min x2; then dead-letter")
    assert policy.delays == (1, 1, 10, 300, 300)
    assert [policy.delay_after(n) for n in (1, 3, 5, 6)] == [1, 10, 300, None]
    assert policy.end == "stuck"


def test_a_policy_may_end_with_a_person():
    assert RetryPolicy.read("2h x1; then wait-for-a-person").end == "waiting_human"


def test_the_default_is_within_its_own_bounds():
    assert len(RetryPolicy.read(DEFAULT).delays) == 30


@pytest.mark.parametrize(
    "text",
    [
        "",
        "then dead-letter",
        "1s x2",
        "0s x2; then dead-letter",
        "1s x0; then dead-letter",
        "-1s x2; then dead-letter",
        "1s; then dead-letter",
        "1w x2; then dead-letter",
        "1s x2; then never",
        "1s x201; then dead-letter",
        "1d x31; then dead-letter",
        "１s x2; then dead-letter",
    ],
)
def test_what_is_no_policy_is_refused_in_words(text):
    with pytest.raises(ConfigurationError, match="Politique de reprise"):
        RetryPolicy.read(text)
