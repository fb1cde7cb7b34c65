import pytest

from mock_partners import build

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def document(start_kind, **changes):
    reply = start_kind("koha", **changes).call("GET", "/api/v1/")
    assert reply.status == 200
    return reply.json


def test_the_document_needs_no_credential_and_lists_the_routes(start_kind):
    paths = document(start_kind)["paths"]
    assert set(paths["/patrons"]) == {"get", "post"}
    assert set(paths["/patrons/{patron_id}"]) == {"get", "put", "delete"}
    assert {"/holds", "/bookings", "/oauth/token", "/auth/password/validation"} <= set(paths)


def test_plugin_routes_are_listed_too(start_kind):
    assert "/contrib/agenda/slots" in document(start_kind)["paths"]


def test_the_patron_schema_allows_nothing_more_and_says_what_is_read_only(start_kind):
    patron = document(start_kind)["definitions"]["patron"]
    assert patron["additionalProperties"] is False
    assert patron["required"] == ["surname", "library_id", "category_id"]
    assert patron["properties"]["restricted"] == {"type": "boolean", "readOnly": True}
    assert patron["properties"]["expiry_date"] == {"type": ["string", "null"], "format": "date"}


def test_the_body_of_a_creation_refers_to_the_patron_schema(start_kind):
    parameters = document(start_kind)["paths"]["/patrons"]["post"]["parameters"]
    (body,) = [each for each in parameters if each["in"] == "body"]
    assert body["schema"] == {"$ref": "#/definitions/patron"}


@pytest.mark.parametrize(
    ("version", "knows"), [("24.11", True), ("24.05", False), ("25.05.01", True)]
)
def test_the_document_tells_what_this_version_knows(start_kind, version, knows):
    found = document(start_kind, version=version)
    assert ("preferred_name" in found["definitions"]["patron"]["properties"]) is knows
    assert found["info"]["version"] == version[:5]


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"preferences": {"Colour": 1}},
        {"preferences": 3},
        {"unverified": {"colour": 1}},
        {"patrons": [{"surname": "x"}]},
    ],
)
def test_settings_with_an_unknown_key_are_refused(settings_of, changes):
    with pytest.raises(ValueError, match=r"(?i)colour|object|library_id"):
        build("koha", {**settings_of("koha"), **changes})


def test_settings_without_a_secret_are_refused(settings_of):
    settings = settings_of("koha")
    del settings["client_secret"]
    with pytest.raises(ValueError, match="client_secret"):
        build("koha", settings)
