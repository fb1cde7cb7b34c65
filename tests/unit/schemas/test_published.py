import json
from datetime import UTC, datetime

import jsonschema_rs
import pytest
import yaml

from schemas import events, publish
from schemas.cloudevents import read_event, read_json
from schemas.events._model import Way

TYPES = {**events.catalogue(), **events.sent_catalogue()}
DOCUMENTS = {name: json.loads(text) for name, text in publish.documents().items()}
ASYNCAPI = yaml.safe_load((publish.FOLDER / "asyncapi.yaml").read_text("utf-8"))
NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)


def registry():
    resources = [(document["$id"], document) for document in DOCUMENTS.values()]
    return jsonschema_rs.Registry(resources)


def validator(document):
    return jsonschema_rs.validator_for(document, registry=registry())


# --- JSON Schemas --------------------------------------------------------------------------------


def test_the_published_documents_are_what_the_schemas_say():
    assert publish.stale() == ()


def test_a_document_that_differs_misses_or_outlived_its_type_is_named(tmp_path):
    publish.write(tmp_path)
    (tmp_path / "lease.signed.v1.json").write_text("{}")
    (tmp_path / "poster.scanned.v1.json").unlink()
    (tmp_path / "lease.ended.v1.json").write_text("{}")
    (tmp_path / "openapi.json").write_text("{}")
    assert publish.stale(tmp_path) == (
        "lease.ended.v1.json",
        "lease.signed.v1.json",
        "poster.scanned.v1.json",
    )
    publish.write(tmp_path)
    assert publish.stale(tmp_path) == ()
    assert (tmp_path / "openapi.json").exists()


def test_the_command_says_so_by_its_exit_status():
    assert publish.main(["--check"]) == 0
    assert publish.main(["--else"]) == 2


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_document_is_a_json_schema_of_2020_12(name):
    assert DOCUMENTS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(DOCUMENTS[name])


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_example_of_a_type_follows_its_document(name):
    document = DOCUMENTS[f"{name}.json"]
    assert document["examples"] == [TYPES[name].example]
    validator(document).validate(document["examples"][0])


def leaves(schema):
    for inner in schema.get("oneOf", ()):
        yield from leaves(inner)
    for member in schema.get("properties", {}).values():
        if "x-parvis-pii" in member or not ("properties" in member or "oneOf" in member):
            yield member
        else:
            yield from leaves(member)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_member_says_whether_it_is_personal(name):
    classes = [leaf["x-parvis-pii"]["class"] for leaf in leaves(DOCUMENTS[f"{name}.json"])]
    assert classes
    assert all(classes)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"commune": "Sorgues"},
        {"commune": "84129", "birth_date": "1990-01-01"},
        {"commune": "84129", "person": {"family_name": "A"}},
        {"commune": "84129", "contact": {"channel": "sms", "address": "06 39"}},
        {"commune": "84129", "contact": {"channel": "fax", "address": "+33639980001"}},
        {"commune": "84129", "consent": {"purposes": []}},
        {"commune": "84129", "location": {"lat": 99, "lon": 5}},
    ],
)
def test_a_partner_who_validates_with_the_document_finds_the_same_faults(data):
    assert not validator(DOCUMENTS["lease.signed.v1.json"]).is_valid(data)


EVENT = {
    "specversion": "1.0",
    "id": "a",
    "source": "/partners/exemple_energie",
    "type": "lease.signed.v1",
    "time": "2026-11-20T09:12:00Z",
    "data": {},
}


@pytest.mark.parametrize(
    ("changes", "is_valid"),
    [
        ({}, True),
        ({"data": None}, True),
        ({"ext": None, "other": True}, True),
        ({"data_base64": None}, True),
        ({"data_base64": "e30="}, False),
        ({"ratio": 1.5}, False),
        ({"myExt": "x"}, False),
        ({"specversion": "0.9"}, False),
        ({"id": ""}, False),
        ({"id": "a.b"}, False),
        ({"subject": ""}, False),
    ],
)
def test_the_envelope_says_the_rules_it_can(changes, is_valid):
    assert validator(DOCUMENTS["envelope.json"]).is_valid(EVENT | changes) is is_valid


# --- AsyncAPI ------------------------------------------------------------------------------------


MESSAGES = ASYNCAPI["components"]["messages"]


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def follow(reference):
    node = ASYNCAPI
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def test_the_document_is_asyncapi_3():
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert {"info", "servers", "channels", "operations", "components"} <= ASYNCAPI.keys()
    assert all(message["payload"] for message in MESSAGES.values())


def test_every_type_of_event_has_exactly_one_message():
    assert sorted(message["name"] for message in MESSAGES.values()) == sorted(TYPES)


def test_every_message_travels_in_exactly_one_channel_the_right_way():
    ways = {}
    for operation in ASYNCAPI["operations"].values():
        channel = follow(operation["channel"]["$ref"])
        for reference in channel["messages"].values():
            name = follow(reference["$ref"])["name"]
            assert name not in ways
            ways[name] = (operation["action"], channel["servers"][0]["$ref"].split("/")[-1])
    expected = {
        Way.RECEIVED: ("receive", "hub"),
        Way.WEBHOOK: ("send", "partner"),
        Way.BUS: ("send", "bus"),
    }
    assert ways == {name: expected[event.way] for name, event in TYPES.items()}


def test_every_operation_has_its_own_channel_and_every_channel_an_operation():
    used = [operation["channel"]["$ref"] for operation in ASYNCAPI["operations"].values()]
    assert sorted(used) == sorted(f"#/channels/{name}" for name in ASYNCAPI["channels"])
    assert all(
        operation["action"] in {"send", "receive"} for operation in ASYNCAPI["operations"].values()
    )


def test_on_the_bus_the_address_is_the_type():
    for channel in ASYNCAPI["channels"].values():
        if channel["servers"] == [{"$ref": "#/servers/bus"}]:
            (message,) = channel["messages"].values()
            assert channel["address"] == follow(message["$ref"])["name"]


def test_every_reference_leads_somewhere():
    for reference in references(ASYNCAPI):
        if reference.startswith("#/"):
            assert follow(reference)
        else:
            assert (publish.FOLDER / reference).is_file(), reference


@pytest.mark.parametrize("key", sorted(MESSAGES))
def test_a_message_is_the_envelope_around_the_published_data(key):
    message = MESSAGES[key]
    envelope, own = message["payload"]["schema"]["allOf"]
    assert envelope == {"$ref": "./envelope.json"}
    assert own["properties"]["type"] == {"const": message["name"]}
    assert own["properties"]["data"] == {"$ref": f"./{message['name']}.json"}
    (trait,) = message["traits"]
    assert follow(trait["$ref"])["contentType"] == "application/cloudevents+json"


@pytest.mark.parametrize("key", sorted(MESSAGES))
def test_the_examples_of_a_message_pass_our_own_validator(key):
    for example in MESSAGES[key]["examples"]:
        event = read_event(read_json(json.dumps(example["payload"]).encode()), NOW)
        assert event.type == MESSAGES[key]["name"]
        assert TYPES[event.type].read(event.data) == event.data
        assert event.subject is None or TYPES[event.type].has_subject


@pytest.mark.parametrize("key", sorted(MESSAGES))
def test_the_examples_of_a_message_follow_the_documents(key):
    schema = MESSAGES[key]["payload"]["schema"] | {"$id": f"{publish.ROOT}message.json"}
    for example in MESSAGES[key]["examples"]:
        validator(schema).validate(example["payload"])
