from types import SimpleNamespace

from orchestrator.engine.breaker import RAMP_MOST
from orchestrator.engine.retry import Level
from orchestrator.services.system_policies import SystemPolicies

POLICIES = {
    "retry": "1s x1; then dead-letter",
    "profiles": {
        "ils": {"retry": "2s x1; then dead-letter", "max_rps": 7},
        "sms": {"operations": {"send": "3s x1; then dead-letter"}},
    },
}


def build(policies):
    offer = SimpleNamespace(now=SimpleNamespace(policies=policies))
    offer.current = lambda: offer.now
    return offer, SystemPolicies(offer)


def test_policies_are_read_once_per_revision_of_the_configuration():
    offer, policies = build(POLICIES)
    first = policies.cascade()
    assert policies.cascade() is first
    offer.now = SimpleNamespace(policies={"retry": "9s x1; then dead-letter"})
    assert policies.cascade().for_system("ils", "lookup").delays == (9,)


def test_each_level_of_the_configuration_decides_where_it_speaks():
    _, policies = build(POLICIES)
    cascade = policies.cascade()
    asked = {
        ("ils", "lookup"): (Level.PROFILE, 2),
        ("sms", "send"): (Level.OPERATION, 3),
        ("sms", "other"): (Level.HUB, 1),
        ("mail", "send"): (Level.HUB, 1),
    }
    for (profile, operation), (level, seconds) in asked.items():
        decided = cascade.decide(profile, operation)
        assert (decided.level, decided.policy.delays) == (level, (seconds,))


def test_a_city_without_policies_has_ours():
    _, policies = build({})
    assert policies.cascade().decide("ils", "lookup").level is Level.DEFAULT


def test_a_system_says_how_many_runs_a_second_it_takes_when_it_comes_back():
    _, policies = build(POLICIES)
    assert policies.most_per_second("ils") == 7
    assert policies.most_per_second("sms") == RAMP_MOST
    assert build({})[1].most_per_second("ils") == RAMP_MOST
