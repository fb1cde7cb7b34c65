import pytest

from identity.keycloak.difference import MARK, differences, is_marked, merged

OURS = "https://parvis.example.org"


def test_only_what_is_wanted_is_looked_at():
    assert differences({"a": 1}, {"a": 1, "b": 2}) == ()


@pytest.mark.parametrize("nothing", [None, "", [], {}, False])
def test_what_is_empty_is_as_good_as_absent(nothing):
    assert differences({"a": nothing}, {}) == ()
    assert differences({"a": nothing}, {"a": None}) == ()


def test_something_where_nothing_is_wanted_is_told():
    assert differences({"a": False}, {"a": True}) == ("a : non voulu, oui trouvé",)


def test_names_have_no_order():
    assert differences({"a": ["x", "y"]}, {"a": ["y", "x"]}) == ()
    assert differences({"a": ["x"]}, {"a": ["x", "z"]}) == ("a : « x » voulu, « x, z » trouvé",)


def test_a_text_is_not_a_truth_value():
    assert differences({"a": "true"}, {"a": True}) == ("a : « true » voulu, oui trouvé",)


def test_a_difference_names_its_path():
    told = differences({"config": {"a": {"b": "x"}}}, {"config": {"a": {"b": "y"}}})

    assert told == ("config.a.b : « x » voulu, « y » trouvé",)


@pytest.mark.parametrize("name", ["clientSecret", "password", "saml.signing.certificate"])
def test_a_secret_that_differs_is_told_without_its_value(name):
    told = differences({"config": {name: "of-value"}}, {"config": {name: "another"}})

    assert told == (f"config.{name} diffère",)


def test_a_long_value_is_cut():
    (told,) = differences({"a": "x" * 500}, {})

    assert len(told) < 100


def test_merging_keeps_what_others_set_and_changes_neither_side():
    found, wanted = {"a": {"x": 1, "y": 2}, "b": [1]}, {"a": {"y": 3}, "b": [2]}

    together = merged(found, wanted)

    assert together == {"a": {"x": 1, "y": 3}, "b": [2]}
    assert found == {"a": {"x": 1, "y": 2}, "b": [1]}
    assert differences(wanted, together) == ()


@pytest.mark.parametrize(
    ("attributes", "is_ours"),
    [
        ({MARK: OURS}, True),
        ({MARK: [OURS]}, True),
        ({MARK: "https://autre.example.org"}, False),
        ({MARK: []}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_mark_is_that_of_this_installation(attributes, is_ours):
    assert is_marked(attributes, {OURS}) is is_ours
