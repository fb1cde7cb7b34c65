from orchestrator.services.rate_limits import RateLimits, RatePolicy


def limits(**options):
    return RateLimits(bucket_key=b"k" * 32, **options)


def test_each_process_has_its_share_of_a_quota():
    shared = limits(processes=4, partner=RatePolicy(name="default", quota=8))
    seen = [shared.take("volt").is_exceeded for _ in range(3)]
    assert seen == [False, False, True]


def test_a_share_is_never_nothing():
    assert RatePolicy(name="default", quota=3).share(8).quota == 1


def test_what_all_partners_take_together_is_bounded():
    both = limits(everybody=RatePolicy(name="hub", quota=2))
    both.take("volt")
    both.take("agence")
    refused = both.take("volt")
    assert refused.is_exceeded
    assert refused.policy.name == "hub"


def test_what_is_left_goes_down_to_nothing():
    few = limits(partner=RatePolicy(name="default", quota=2))
    assert [few.take("volt").remaining for _ in range(3)] == [1, 0, 0]


def test_partners_are_told_apart_by_pseudonyms():
    some = limits()
    volt, agency = some.take("volt").headers(), some.take("agence").headers()
    assert volt[0] != agency[0]
    assert "volt" not in str(volt)


def test_a_window_begins_anew_when_it_is_over():
    elapsed = [0.0]
    few = limits(partner=RatePolicy(name="default", quota=1), monotonic=lambda: elapsed[0])
    assert [few.take("volt").is_exceeded for _ in range(2)] == [False, True]
    elapsed[0] = 59.5
    refused = few.take("volt")
    assert (refused.is_exceeded, refused.resets_in) == (True, 1)
    elapsed[0] = 60.0
    assert not few.take("volt").is_exceeded
