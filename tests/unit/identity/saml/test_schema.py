"""Our schema check beside the library's own: the same verdict on whatever an answer may look like."""

import base64
import random

import pytest
from saml2 import sigver
from saml2.xml.schema import XMLSchemaError
from saml2.xml.schema import validate as theirs

from identity.saml import client, schema
from mock_partners.keycloak.alterations import BEFORE
from mock_partners.keycloak.answers import answer
from mock_partners.keycloak.attacks import AFTER
from tests.unit.identity.saml.realm import Facing

# the guard lets no document with one of these reach a schema
GUARDED = {"doctype", "entity"}


@pytest.fixture(scope="module")
def facing():
    return Facing()


def verdict(validate, text):
    try:
        validate(text)
    except XMLSchemaError as error:
        return type(error)
    return None


def test_the_library_asks_us():
    assert sigver.validate_doc_with_schema is schema.validate
    assert client.validate is schema.validate


@pytest.mark.parametrize("change", [None, *sorted((BEFORE.keys() | AFTER.keys()) - GUARDED)])
def test_each_alteration_has_the_verdict_of_the_librarys_checker(facing, change):
    text = base64.b64decode(answer(facing.about(), change)).decode()

    assert verdict(schema.validate, text) == verdict(theirs, text)


def test_documents_altered_at_random_have_it_too(facing):
    chances = random.Random(8)
    good = base64.b64decode(answer(facing.about())).decode()
    names = ("Conditions", "NameID", "Subject", "AuthnContext", "Audience", "StatusCode", "Issuer")
    seen = []
    for _ in range(40):
        name, other = chances.sample(names, 2)
        text = good.replace(f"saml:{name}", f"saml:{other}", chances.choice((1, 2, 4)))
        ours = verdict(schema.validate, text)
        seen.append(ours)
        assert ours == verdict(theirs, text), (name, other)
    assert XMLSchemaError in seen


def test_a_refusal_repeats_nothing_of_the_document(facing):
    text = base64.b64decode(answer(facing.about(name_id="G-secret"))).decode()
    with pytest.raises(XMLSchemaError) as caught:
        schema.validate(text.replace("saml:Subject>", "saml:Nobody>"))
    assert "G-secret" not in repr(caught.value)


@pytest.mark.parametrize("text", ["", "<", "no xml", "<a/>", b"\xff\xfe"])
def test_what_is_no_message_is_refused(text):
    assert verdict(schema.validate, text) is XMLSchemaError
