"""Applications that call the API: put in service, disabled, listed, each change in the journal."""

import json

import pytest

from orchestrator.services.api_clients import (
    ApiClients,
    ClientExistsError,
    ClientsInService,
    ClientUnknownError,
)
from orchestrator.services.ports.api_clients import ClientKind, WantedClient
from orchestrator.store.api_clients import ApiClientTable
from schemas.errors import InvalidPayloadError

pytestmark = pytest.mark.postgres
ACTOR = "cli:test"


@pytest.fixture
def rows(database, vault):
    return ApiClientTable(database=database, vault=vault)


@pytest.fixture
def clients(rows):
    return ApiClients(rows=rows)


def wanted(**changes):
    values = {
        "client_id": "portal",
        "application": "portail",
        "kind": ClientKind.APPLICATION,
        "scopes": (),
    }
    return WantedClient(**(values | changes))


def entries(database, vault):
    """The journal: (type, actor, record)."""
    found = database.all(
        "SELECT e.id, e.type, e.actor_ref, e.subject_ref, b.record, b.data_key_id, k.wrapped"
        " FROM journal_entry e JOIN journal_body b USING (id)"
        " JOIN data_key k ON k.id = b.data_key_id ORDER BY e.id"
    )
    return [
        (
            row["type"],
            row["actor_ref"],
            json.loads(
                vault.open_key(row["data_key_id"], row["wrapped"]).open(row["id"], row["record"])
            ),
        )
        for row in found
    ]


def test_a_client_is_put_in_service_with_every_right_of_its_kind(clients):
    clients.add(wanted(), actor=ACTOR)
    clients.add(wanted(client_id="portal-login", kind=ClientKind.CITIZEN), actor=ACTOR)
    citizen, own = reversed(clients.listed())
    assert (own.client_id, own.scopes) == ("portal", {"catalogue:read"})
    assert (citizen.kind, citizen.scopes) == (ClientKind.CITIZEN, {"me:read", "me:write"})
    assert (own.application, own.added_by, own.disabled_at) == ("portail", ACTOR, None)


def test_a_client_may_have_fewer_rights(clients):
    reading = wanted(kind=ClientKind.CITIZEN, scopes=("me:read", "me:read"))
    clients.add(reading, actor=ACTOR)
    assert clients.listed()[0].scopes == {"me:read"}


def test_a_client_in_service_is_not_added_again(clients):
    clients.add(wanted(), actor=ACTOR)
    with pytest.raises(ClientExistsError):
        clients.add(wanted(kind=ClientKind.CITIZEN), actor=ACTOR)
    assert clients.listed()[0].kind is ClientKind.APPLICATION


def test_a_disabled_client_is_put_back_in_service(clients):
    clients.add(wanted(), actor=ACTOR)
    clients.disable("portal", actor=ACTOR)
    clients.add(wanted(application="kiosque"), actor="cli:other")
    (client,) = clients.listed()
    assert (client.application, client.added_by, client.disabled_at) == (
        "kiosque",
        "cli:other",
        None,
    )


def test_only_a_client_in_service_is_disabled(clients):
    with pytest.raises(ClientUnknownError):
        clients.disable("portal", actor=ACTOR)
    clients.add(wanted(), actor=ACTOR)
    clients.disable("portal", actor=ACTOR)
    with pytest.raises(ClientUnknownError):
        clients.disable("portal", actor=ACTOR)


def test_a_name_or_a_right_that_cannot_be_is_refused(clients):
    for changes in (
        {"client_id": ""},
        {"client_id": "-x"},
        {"client_id": "a b"},
        {"client_id": "x" * 65},
        {"client_id": "é"},
        {"application": "P"},
        {"application": "portail de la ville"},
        {"scopes": ("me:read",)},
        {"kind": ClientKind.CITIZEN, "scopes": ("catalogue:read",)},
        {"scopes": ("everything",)},
    ):
        with pytest.raises(InvalidPayloadError) as refused:
            clients.add(wanted(**changes), actor=ACTOR)
        assert refused.value.errors, changes
    assert clients.listed() == []


def test_every_change_is_in_the_journal_and_a_refused_one_is_not(clients, database, vault):
    clients.add(wanted(), actor=ACTOR)
    with pytest.raises(ClientExistsError):
        clients.add(wanted(), actor=ACTOR)
    clients.disable("portal", actor="cli:other")
    with pytest.raises(ClientUnknownError):
        clients.disable("portal", actor=ACTOR)
    record = {
        "client_id": "portal",
        "application": "portail",
        "kind": "application",
        "scopes": ["catalogue:read"],
    }
    assert entries(database, vault) == [
        ("client.added", ACTOR, record),
        ("client.disabled", "cli:other", record),
    ]


def test_a_disabled_client_is_out_of_service_within_a_second(clients, rows):
    elapsed = [0.0]
    in_service = ClientsInService(rows, monotonic=lambda: elapsed[0])
    clients.add(wanted(), actor=ACTOR)
    assert in_service.get("portal").application == "portail"
    assert in_service.get("other") is None
    clients.disable("portal", actor=ACTOR)
    elapsed[0] = 1.0
    assert in_service.get("portal") is None


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("hub_environment")
def test_the_command_adds_lists_and_disables(parvis):
    code, out, _ = parvis(
        *("api-clients", "add", "portal", "--application", "portail", "--kind", "application")
    )
    assert (code, out) == (0, "portal (portail, application) : catalogue:read ; en service\n")
    assert parvis("api-clients", "disable", "portal")[:2] == (0, "portal : hors service.\n")
    code, out, _ = parvis("api-clients", "list", "--json")
    (listed,) = json.loads(out)
    assert (code, listed["client_id"], listed["scopes"]) == (0, "portal", ["catalogue:read"])
    assert listed["disabled_at"].endswith("Z")


@pytest.mark.usefixtures("hub_environment")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("disable", "portal"), 1, "Aucun client de ce nom n'est en service."),
        (
            ("add", "a b", "--application", "portail", "--kind", "citizen"),
            2,
            "Le nom du client a 1 à 64 lettres",
        ),
        (
            (
                *("add", "portal", "--application", "portail", "--kind", "citizen"),
                *("--scope", "catalogue:read"),
            ),
            2,
            "Droits possibles pour ce genre de client : me:read, me:write.",
        ),
    ],
    ids=range(3),
)
def test_the_command_says_what_is_wrong(parvis, arguments, code, said):
    found, _, err = parvis("api-clients", *arguments)
    assert found == code
    assert said in err
