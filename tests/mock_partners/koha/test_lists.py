import json

import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
PEOPLE = [
    ("Nègre", "12", "PV-1"),
    ("Mazel", "3125", "PV-11"),
    ("Isnard", "120", None),
    ("Dauphin", "012", None),
]


@pytest.fixture
def town(koha):
    for surname, card, reference in PEOPLE:
        assert koha.add(surname=surname, cardnumber=card, statistics_1=reference).status == 201
    return koha


def cards(reply):
    assert reply.status == 200, reply.body
    return [each["cardnumber"] for each in reply.json]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (None, ["12", "3125", "120", "012"]),
        ("contains", ["12", "3125", "120", "012"]),
        ("exact", ["12"]),
        ("starts_with", ["12", "120"]),
        ("ends_with", ["12", "012"]),
    ],
)
def test_a_filter_contains_unless_told_otherwise(town, match, expected):
    query = {"cardnumber": "12"} | ({} if match is None else {"_match": match})
    assert cards(town.call("GET", "/patrons", **query)) == expected


def test_filters_are_cumulative(town):
    assert cards(town.call("GET", "/patrons", cardnumber="12", surname="maz")) == ["3125"]


def test_comparison_ignores_case_and_accents_as_the_database_does(town):
    assert cards(town.call("GET", "/patrons", surname="NEGRE", _match="exact")) == ["12"]


def test_an_exact_lookup_by_reference_finds_one(town):
    assert cards(town.call("GET", "/patrons", statistics_1="PV-1", _match="exact")) == ["12"]
    assert cards(town.call("GET", "/patrons", statistics_1="PV-1")) == ["12", "3125"]
    assert cards(town.call("GET", "/patrons", statistics_1="PV-404", _match="exact")) == []


def test_a_lookup_that_finds_one_is_journalled_with_its_reference(town):
    town.call("GET", "/patrons", statistics_1="PV-11", _match="exact")
    assert town.client.journal()[-1]["reference"] == "PV-11"


def test_numbers_and_booleans_are_filters_too(town):
    assert cards(town.call("GET", "/patrons", patron_id=2, _match="exact")) == ["3125"]
    assert len(cards(town.call("GET", "/patrons", restricted=0, _match="exact"))) == 4


def test_an_unknown_filter_is_refused(town):
    reply = town.call("GET", "/patrons", card="12")
    assert reply.status == 400
    assert reply.json == [{"message": "Malformed query string", "path": "/query/card"}]


@pytest.mark.parametrize(
    "query", [{"_match": "fuzzy"}, {"_page": 0}, {"_page": "x"}, {"_per_page": -2}]
)
def test_a_wrong_reserved_parameter_is_refused(town, query):
    assert town.call("GET", "/patrons", **query).status == 400


def test_pages_and_their_headers(town):
    reply = town.call("GET", "/patrons", _per_page=3, _page=1, cardnumber="12")
    assert cards(reply) == ["12", "3125", "120"]
    assert (reply.headers["x-total-count"], reply.headers["x-base-total-count"]) == ("4", "4")
    assert 'rel="next"' in reply.headers["link"]
    assert "_page=2" in reply.headers["link"]
    assert 'rel="prev"' not in reply.headers["link"]
    last = town.call("GET", "/patrons", _per_page=3, _page=2)
    assert cards(last) == ["012"]
    assert 'rel="prev"' in last.headers["link"]


def test_the_total_counts_what_matches_and_the_base_everything(town):
    reply = town.call("GET", "/patrons", surname="mazel")
    assert (reply.headers["x-total-count"], reply.headers["x-base-total-count"]) == ("1", "4")


def test_twenty_rows_a_page_unless_told_otherwise(start_koha):
    seeds = [{"surname": f"S{n}", "library_id": "ALC", "category_id": "ADULTE"} for n in range(25)]
    koha = start_koha(patrons=seeds)
    assert len(koha.call("GET", "/patrons").json) == 20
    reply = koha.call("GET", "/patrons", _per_page=-1)
    assert len(reply.json) == 25
    assert "link" not in reply.headers


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("surname", ["012", "120", "3125", "12"]),
        ("+surname", ["012", "120", "3125", "12"]),
        ("-surname", ["12", "3125", "120", "012"]),
        ("-patron_id", ["012", "120", "3125", "12"]),
        ("-statistics_1,cardnumber", ["3125", "12", "012", "120"]),
    ],
)
def test_rows_are_ordered(town, order, expected):
    assert cards(town.call("GET", "/patrons", _order_by=order)) == expected


def test_ordering_by_nothing_known_is_refused(town):
    assert town.call("GET", "/patrons", _order_by="shoe_size").json["error_code"] == "invalid_query"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"cardnumber": "12"}, ["12"]),
        ({"me.cardnumber": "12"}, ["12"]),
        ({"cardnumber": {"-like": "%12"}}, ["12", "012"]),
        ({"cardnumber": {"-like": "3%2%"}}, ["3125"]),
        ({"cardnumber": {"-like": "12"}}, ["12"]),
        ({"cardnumber": {"-not_like": "%12%5"}}, ["12", "120", "012"]),
        ({"statistics_1": None}, ["120", "012"]),
        ({"statistics_1": {"!=": None}}, ["12", "3125"]),
        ({"surname": {"!=": "mazel"}, "statistics_1": {"!=": None}}, ["12"]),
        ({"patron_id": {">=": 3}}, ["120", "012"]),
        ({"patron_id": {">": 1, "<": 4}}, ["3125", "120"]),
        ({"cardnumber": ["12", "120"]}, ["12", "120"]),
        ({"cardnumber": {"-in": ["12", "012"]}}, ["12", "012"]),
        ({"cardnumber": {"-not_in": ["12", "012"]}}, ["3125", "120"]),
        ([{"cardnumber": "12"}, {"surname": "Isnard"}], ["12", "120"]),
        ({"-or": [{"cardnumber": "12"}, {"surname": "Isnard"}]}, ["12", "120"]),
        ({"-and": [{"surname": {"-like": "%a%"}}, {"patron_id": {"<=": 2}}]}, ["3125"]),
        ({"cardnumber": ["-and", {"-like": "12%"}, {"!=": "12"}]}, ["120"]),
    ],
)
def test_a_json_query_filters(town, query, expected):
    assert cards(town.call("GET", "/patrons", q=json.dumps(query))) == expected
    headers = {"x-koha-query": json.dumps(query)}
    assert cards(town.call("GET", "/patrons", headers=headers)) == expected


@pytest.mark.parametrize(
    "query",
    ["{", '"text"', '{"shoe_size": 4}', '{"surname": {"~": "x"}}', '{"-and": 3}'],
)
def test_a_query_that_cannot_be_read_is_refused(town, query):
    reply = town.call("GET", "/patrons", q=query)
    assert (reply.status, reply.json["error_code"]) == (400, "invalid_query")


def test_several_queries_all_apply(town):
    queries = ['{"cardnumber": {"-like": "%12%"}}', '{"patron_id": {"<": 3}}']
    assert cards(town.call("GET", "/patrons", q=queries)) == ["12", "3125"]
