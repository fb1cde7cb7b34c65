import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from schemas.cloudevents import partner_of, read_batch, read_event, read_json, read_moment
from schemas.errors import InvalidPayloadError, MalformedError, PayloadTooLargeError
from schemas.messages import Message

NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
EVENT = {
    "specversion": "1.0",
    "id": "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10",
    "source": "/partners/exemple_energie",
    "type": "utility.contract_opened.v1",
    "subject": "C-2041",
    "time": "2026-11-20T09:12:00Z",
    "datacontenttype": "application/json",
    "data": {"commune": "13055"},
}
GONE = object()


def event(**changes):
    changed = EVENT | changes
    return {name: value for name, value in changed.items() if value is not GONE}


def faults(value):
    with pytest.raises(InvalidPayloadError) as caught:
        read_event(value, NOW)
    assert caught.value.slug == "invalid-event"
    assert all(sentence.endswith(".") for _, sentence in caught.value.errors)
    return [where for where, _ in caught.value.errors]


REFUSED = [
    # what the specification's own SDK or JSON Schema lets through
    ("specversion missing", {"specversion": GONE}, "#/specversion"),
    ("id missing", {"id": GONE}, "#/id"),
    ("specversion 0.9", {"specversion": "0.9"}, "#/specversion"),
    ("specversion a number", {"specversion": 1.0}, "#/specversion"),
    ("time without seconds", {"time": "2026-11-20T09:12Z"}, "#/time"),
    ("offset of hours only", {"time": "2026-11-20T09:12:00+05"}, "#/time"),
    ("time is text", {"time": "hier"}, "#/time"),
    ("offset X", {"time": "2026-11-20T09:12:00X"}, "#/time"),
    ("offset +25:00", {"time": "2026-11-20T09:12:00+25:00"}, "#/time"),
    ("offset +xx:00", {"time": "2026-11-20T09:12:00+xx:00"}, "#/time"),
    ("media type without subtype", {"datacontenttype": "xyz"}, "#/datacontenttype"),
    ("extension 1.5", {"ratio": 1.5}, "#/ratio"),
    ("control character in subject", {"subject": "a\x07b"}, "#/subject"),
    ("integer 2147483648", {"sequence": 2_147_483_648}, "#/sequence"),
    ("integer below 32 bits", {"sequence": -2_147_483_649}, "#/sequence"),
    ("capital in a name", {"myExt": "x"}, "#/myExt"),
    ("punctuated name", {"my-ext": "x"}, "#/my-ext"),
    ("underscore in a name", {"my_ext": "x"}, "#/my_ext"),
    ("empty name", {"": "x"}, "#/"),
    ("accented name", {"é": "x"}, "#/%C3%A9"),
    ("data and data_base64", {"data_base64": "e30="}, "#/data_base64"),
    ("empty id", {"id": ""}, "#/id"),
    ("empty source", {"source": ""}, "#/source"),
    ("empty type", {"type": ""}, "#/type"),
    ("empty subject", {"subject": ""}, "#/subject"),
    ("empty dataschema", {"dataschema": ""}, "#/dataschema"),
    ("empty datacontenttype", {"datacontenttype": ""}, "#/datacontenttype"),
    ("id a number", {"id": 7}, "#/id"),
    # the rest of the attributes
    ("id null", {"id": None}, "#/id"),
    ("id of 65 characters", {"id": "a" * 65}, "#/id"),
    ("id with a full stop", {"id": "a.b"}, "#/id"),
    ("id with a line feed at its end", {"id": "abc\n"}, "#/id"),
    ("id with accents", {"id": "é"}, "#/id"),
    ("source missing", {"source": GONE}, "#/source"),
    ("source a list", {"source": ["/partners/a"]}, "#/source"),
    ("source with a blank", {"source": "/partners/a b"}, "#/source"),
    ("source with a bad escape", {"source": "/partners/a%zz"}, "#/source"),
    ("source with two fragments", {"source": "/partners/a#b#c"}, "#/source"),
    ("source too long", {"source": "/partners/" + "a" * 300}, "#/source"),
    ("type missing", {"type": GONE}, "#/type"),
    ("type an object", {"type": {}}, "#/type"),
    ("type with a non-character", {"type": "a\ufffe"}, "#/type"),
    ("subject a boolean", {"subject": True}, "#/subject"),
    ("subject too long", {"subject": "a" * 257}, "#/subject"),
    ("subject an e-mail address", {"subject": "camille@example.org"}, "#/subject"),
    ("subject holds an e-mail address", {"subject": "c:camille@example.org"}, "#/subject"),
    ("subject a telephone", {"subject": "+33639980001"}, "#/subject"),
    ("subject a national telephone", {"subject": "06 39 98 00 01"}, "#/subject"),
    ("subject a lone surrogate", {"subject": "\ud800"}, "#/subject"),
    ("subject a C1 control", {"subject": "a\x85"}, "#/subject"),
    ("time missing", {"time": GONE}, "#/time"),
    ("time null", {"time": None}, "#/time"),
    ("time a number", {"time": 1795341600}, "#/time"),
    ("time without offset", {"time": "2026-11-20T09:12:00"}, "#/time"),
    ("time with a blank", {"time": "2026-11-20 09:12:00Z"}, "#/time"),
    ("second 61", {"time": "2026-11-20T09:12:61Z"}, "#/time"),
    ("hour 24", {"time": "2026-11-20T24:00:00Z"}, "#/time"),
    ("day 31 of November", {"time": "2026-11-31T09:12:00Z"}, "#/time"),
    ("year 0", {"time": "0000-01-01T00:00:00Z"}, "#/time"),
    ("before time itself", {"time": "0001-01-01T00:00:00+23:00"}, "#/time"),
    ("Arabic digits", {"time": "٢٠٢٦-11-20T09:12:00Z"}, "#/time"),
    ("more than five minutes ahead", {"time": "2026-11-20T09:20:01Z"}, "#/time"),
    ("older than 35 days", {"time": "2026-10-16T09:14:59Z"}, "#/time"),
    ("dataschema relative", {"dataschema": "/schemas/a.json"}, "#/dataschema"),
    ("dataschema a number", {"dataschema": 3}, "#/dataschema"),
    ("extension an object", {"ext": {}}, "#/ext"),
    ("extension an array", {"ext": []}, "#/ext"),
    ("extension with a control character", {"ext": "a\x00"}, "#/ext"),
    ("correlationid empty", {"correlationid": ""}, "#/correlationid"),
    ("causationid a number", {"causationid": 4}, "#/causationid"),
    ("recordedtime no date", {"recordedtime": "demain"}, "#/recordedtime"),
    ("recordedtime before time", {"recordedtime": "2026-11-20T09:11:59Z"}, "#/recordedtime"),
    ("data_base64 no base64", {"data": GONE, "data_base64": "@@"}, "#/data_base64"),
    ("data_base64 a number", {"data": GONE, "data_base64": 4}, "#/data_base64"),
    ("data_base64 holds no JSON", {"data": GONE, "data_base64": "AAAA"}, "#/data_base64"),
    ("data_base64 with accents", {"data": GONE, "data_base64": "é"}, "#/data_base64"),
]

ACCEPTED = [
    ("extension null", {"ext": None}),
    ("name longer than 20", {"averyverylongextensionname": "x"}),
    ("unknown extensions of the three types", {"a": "x", "b": True, "c": 2_147_483_647}),
    ("data null", {"data": None}),
    ("data a text", {"data": "texte"}),
    ("data a number", {"data": 1.5}),
    ("data an array", {"data": [1, [2]]}),
    ("no data", {"data": GONE}),
    ("data_base64 null beside data", {"data_base64": None}),
    ("lower-case t and z", {"time": "2026-11-20t09:12:00z"}),
    ("leap second", {"time": "2026-11-20T09:12:60Z"}),
    ("fraction of a second", {"time": "2026-11-20T09:12:00.1Z"}),
    ("long fraction", {"time": "2026-11-20T09:12:00.123456789Z"}),
    ("offset", {"time": "2026-11-20T10:12:00+01:00"}),
    ("five minutes ahead", {"time": "2026-11-20T09:20:00Z"}),
    ("35 days old", {"time": "2026-10-16T09:15:00Z"}),
    ("no subject", {"subject": GONE}),
    ("subject null", {"subject": None}),
    ("subject with accents and blanks", {"subject": "Dossier n° 4, Été"}),
    ("subject with digits only", {"subject": "20411234567"}),
    ("source beyond the partner", {"source": "/partners/exemple_energie/kiosque/3"}),
    ("source absolute", {"source": "https://energie.example.org/crm"}),
    ("source with a fragment", {"source": "/partners/exemple_energie#a"}),
    ("source a URN", {"source": "urn:example:a"}),
    ("id of 64 characters", {"id": "a" * 64}),
    ("media type with parameters", {"datacontenttype": 'application/json; charset="utf-8"'}),
    ("media type with suffix", {"datacontenttype": "application/vnd.energie+json"}),
    ("dataschema absolute", {"dataschema": "https://energie.example.org/s.json#v1"}),
    ("traceparent", {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}),
    ("recordedtime equal to time", {"recordedtime": "2026-11-20T09:12:00Z"}),
    ("recordedtime in another zone", {"recordedtime": "2026-11-20T10:13:00+01:00"}),
    ("extension of empty text", {"ext": ""}),
]


@pytest.mark.parametrize(
    ("changes", "place"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_an_event_outside_the_standard_or_our_rules_is_refused_at_its_place(changes, place):
    assert faults(event(**changes)) == [place]


@pytest.mark.parametrize("changes", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_what_the_standard_allows_is_accepted(changes):
    assert isinstance(read_event(event(**changes), NOW), Message)


@pytest.mark.parametrize("value", [None, 1, "texte", [], [EVENT], True])
def test_an_event_is_an_object(value):
    assert faults(value) == ["#"]


def test_every_fault_of_an_event_is_said_at_once():
    assert faults({"data": 1}) == ["#/specversion", "#/id", "#/source", "#/type", "#/time"]


def test_the_message_carries_what_the_event_says():
    message = read_event(
        event(
            correlationid="run-1",
            causationid="cause-1",
            traceparent="00-a",
            gone=None,
            time="2026-11-20T10:12:00.5+01:00",
        ),
        NOW,
    )
    assert message == Message(
        type="utility.contract_opened.v1",
        source="/partners/exemple_energie",
        id="0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8c10",
        subject="C-2041",
        time=datetime(2026, 11, 20, 9, 12, 0, 500_000, tzinfo=UTC),
        data={"commune": "13055"},
        correlation_id="run-1",
        causation_id="cause-1",
        extensions={"traceparent": "00-a"},
    )
    assert message.time.utcoffset() == timedelta()


def test_a_leap_second_is_clamped_to_the_second_before():
    assert read_moment("2026-06-30T23:59:60.25Z") == datetime(
        2026, 6, 30, 23, 59, 59, 250_000, tzinfo=UTC
    )


def test_json_in_base64_is_read_as_data():
    encoded = base64.b64encode(b'{"commune":"13055"}').decode()
    assert read_event(event(data=GONE, data_base64=encoded), NOW).data == {"commune": "13055"}


def test_what_is_no_json_in_base64_carries_no_data():
    changes = {"data": GONE, "data_base64": "AAAA", "datacontenttype": "image/png"}
    assert read_event(event(**changes), NOW).data is None


def test_json_in_base64_keeps_the_strict_rules():
    encoded = base64.b64encode(b'{"a":1,"a":2}').decode()
    assert faults(event(data=GONE, data_base64=encoded)) == ["#/data_base64"]


@pytest.mark.parametrize(
    ("source", "partner"),
    [
        ("/partners/exemple_energie", "exemple_energie"),
        ("/partners/exemple_energie/kiosque/3", "exemple_energie"),
        ("/partners/exemple_energie/../other", "exemple_energie"),
        ("/partners/Energie", None),
        ("/partners/", None),
        ("/partners/exemple_energie\n", None),
        ("/partners/exemple_energie?x=/partners/other", None),
        ("/systems/catalogue_marseille", None),
        ("https://hub.example.org/partners/exemple_energie", None),
    ],
)
def test_a_source_names_the_partner_it_claims_to_be_of(source, partner):
    assert partner_of(source) == partner


# --- batches -------------------------------------------------------------------------------------


def batch(*items):
    return b"[" + b",".join(items) + b"]"


GOOD = json.dumps(EVENT).encode()


def test_a_batch_gives_one_result_per_item_in_order():
    results = read_batch(batch(GOOD, b"3", GOOD), NOW)
    assert [type(result) for result in results] == [Message, InvalidPayloadError, Message]


def test_an_empty_batch_is_a_batch():
    assert read_batch(b"[]", NOW) == ()


@pytest.mark.parametrize(
    ("bad", "slug", "place"),
    [
        (b'{"id":"a","id":"a"}', "malformed", "#"),
        (b'{"data":NaN}', "malformed", "#/data"),
        (GOOD.replace(b'"13055"', b"1e400"), "invalid-event", "#/data/commune"),
        (GOOD.replace(b'"13055"', b'"\\ud800"'), "invalid-event", "#/data/commune"),
        (b"[" * 32 + b"]" * 32, "malformed", None),
    ],
)
def test_one_bad_item_never_blocks_the_others(bad, slug, place):
    first, second, third = read_batch(batch(GOOD, bad, GOOD), NOW)
    assert isinstance(first, Message)
    assert isinstance(third, Message)
    assert second.slug == slug
    assert place is None or second.errors[0][0] == place


def test_a_batch_of_fifty_ordinary_events_is_read():
    results = read_batch(batch(*[GOOD] * 50), NOW)
    assert [result.data for result in results] == [EVENT["data"]] * 50


def test_a_batch_of_more_than_fifty_is_too_large():
    with pytest.raises(PayloadTooLargeError):
        read_batch(batch(*[b"0"] * 51), NOW)


@pytest.mark.parametrize("raw", [b"{}", b'"a"', b"[", b"\xff", GOOD])
def test_a_batch_is_a_json_array(raw):
    with pytest.raises(MalformedError):
        read_batch(raw, NOW)


def test_reading_an_event_from_its_bytes_takes_both_steps():
    assert read_event(read_json(GOOD), NOW).id == EVENT["id"]
