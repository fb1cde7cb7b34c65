import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields

from schemas import events
from schemas.fields import Count, Slug
from schemas.strict import ListOf, Part, Read, Strict


class Inner(Strict):
    name = Slug(required=True)


class Outer(Strict):
    count = Count(required=True)
    inner = Part(Inner)
    names = ListOf(Slug())

    def settle(self, data):
        if data["count"] == 7:
            raise ValidationError({"count": ["Jamais sept."]})
        return data


def faults(value):
    with pytest.raises(ValidationError) as caught:
        Outer().read(value)
    return caught.value.messages


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ({}, {"count": ["Ce membre est obligatoire."]}),
        ({"count": None}, {"count": ["Ce membre ne peut pas être nul."]}),
        ({"count": 1, "other": 1}, {"other": ["Ce membre n'est pas connu."]}),
        ({"count": 1, "inner": {}}, {"inner": {"name": ["Ce membre est obligatoire."]}}),
        ({"count": 1, "inner": []}, {"inner": {"_schema": ["Un objet est attendu."]}}),
        ([], {"_schema": ["Un objet est attendu."]}),
        (None, {"_schema": ["Un objet est attendu."]}),
        ({"count": 7}, {"count": ["Jamais sept."]}),
        ({"count": 1, "names": ["aa", 2]}, {"names": {1: [Slug.sentence]}}),
    ],
)
def test_every_fault_is_said_in_french_at_its_place(value, messages):
    assert faults(value) == messages


def test_a_good_object_keeps_only_what_it_brought():
    assert Outer().read({"count": 1, "inner": {"name": "aa"}}) == {
        "count": 1,
        "inner": {"name": "aa"},
    }


def test_a_field_that_is_not_ours_cannot_stand_in_a_strict_schema():
    class Foreign(Strict):
        name = fields.String()

    with pytest.raises(TypeError, match="Foreign"):
        Foreign()


def test_a_field_without_annotation_counts_as_personal():
    assert Read().metadata["pii"]["class"] == "free_text"


JUNK = st.sampled_from(
    [
        *[None, 1, "", "fr", "13055", "+33639980001", "sms", "email", [], {}, ["library.news"]],
        {"lat": 1, "lon": 2},
        {"channel": "sms", "address": "x"},
        {"family_name": "A", "given_name": "B"},
    ]
)


@given(st.data())
def test_the_fast_way_and_marshmallow_say_the_same(data):
    event_type = data.draw(st.sampled_from(list(events.catalogue().values())))
    value = dict(event_type.example)
    for name in data.draw(
        st.lists(st.sampled_from([*event_type.schema().fields, "other"]), max_size=3)
    ):
        value[name] = data.draw(JUNK)
    for name in data.draw(st.lists(st.sampled_from([*value, "none"]), max_size=2)):
        value.pop(name, None)
    assert outcome(event_type.read, value) == outcome(event_type.schema().load, value)


def outcome(read, value):
    try:
        return read(value)
    except ValidationError as error:
        return ("refused", error.messages)
