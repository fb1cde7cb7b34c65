import pytest

from orchestrator.engine.retry import DEFAULT, Cascade, Level, RetryPolicy
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1s x2; 0s x3; then dead-letter", "« 0s x3 » : un délai est d'au moins 1s"),
        ("1s x0; then dead-letter", "« 1s x0 » : un délai"),
        ("1s x201; then dead-letter", "au plus 200 reprises"),
        ("1s; then dead-letter", "illisible : écrivez par exemple"),
    ],
)
def test_the_refusal_of_a_policy_says_what_is_wrong_with_it(text, said):
    with pytest.raises(ConfigurationError, match=said):
        RetryPolicy.read(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "5min x10; then dead-letter",
            "toutes les 5 minutes, 10 fois ; puis mise au rebut",
        ),
        (
            "1s x2; 1h x1; 2d x2; then wait-for-a-person",
            (
                "chaque seconde, 2 fois, puis une fois après 1 heure, puis tous les 2 jours, "
                "2 fois ; puis décision d'une personne"
            ),
        ),
    ],
)
def test_a_policy_is_told_in_french(text, said):
    assert RetryPolicy.read(text).sentence() == said


def test_the_tries_in_all_count_the_first_one():
    policy = RetryPolicy.read("1s x2; 10s x3; 5min x10; then dead-letter")
    assert policy.tries == 16
    assert policy.seconds == 2 + 30 + 3000


@pytest.mark.parametrize(
    "text", [DEFAULT, "90s x1; then wait-for-a-person", "60s x2; then dead-letter"]
)
def test_a_policy_written_out_reads_as_the_same_policy(text):
    policy = RetryPolicy.read(text)
    assert RetryPolicy.read(policy.written()) == policy


def test_the_most_specific_level_decides_and_is_known():
    hub, own, special = (RetryPolicy.read(f"{n}s x1; then dead-letter") for n in (1, 2, 3))
    cascade = Cascade(hub=hub, profiles={"ils": own}, operations={("ils", "activate"): special})
    decided = [
        cascade.decide(*asked)
        for asked in (("sms", "send"), ("ils", "lookup"), ("ils", "activate"))
    ]
    assert [each.policy for each in decided] == [hub, own, special]
    assert [each.level for each in decided] == [Level.HUB, Level.PROFILE, Level.OPERATION]
    assert Cascade().decide("sms", "send").level is Level.DEFAULT
    assert Cascade().for_system("sms", "send") == RetryPolicy.read(DEFAULT)
