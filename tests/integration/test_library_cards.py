"""A library card joined to Mon espace, through the pages, with a library that says what it is told."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from connectors import open_profile
from mock_partners.program import build
from mock_partners.server import MockServer
from orchestrator.runtime.bulkhead import Bulkhead
from orchestrator.runtime.gateway import Gateway
from orchestrator.services.library_cards import CardOutcome, TypedCard
from orchestrator.services.ports.library_cards import ProvedRecord
from orchestrator.services.ports.running import ServiceRef
from orchestrator.store.breakers import BreakerStore
from orchestrator.store.library_cards import CardTable
from schemas.errors import PartnerRejectedError, PartnerUnavailableError
from tests.browser.citizen_hub import Desk, issue_code, make_app, make_cards, make_sign_in
from tests.fakes.inbox import FakeInbox
from tests.fakes.realm import Realm
from tests.integration.test_citizen_space import Citizen
from tests.integration.test_sign_in import franceconnect, local

pytestmark = pytest.mark.postgres
PAGE = "/mon-espace/carte"
CARD = {"library": "library_a", "number": "213 0000", "password": "mot-de-passe"}


class Reader(Citizen):
    """Somebody with a card, on the pages of a city with one library."""

    def __init__(self, database, vault, keys, desk):
        self.database, self.realm, self.desk = database, Realm(), desk
        self.app = make_app(database, vault, keys, FakeInbox(), realm=self.realm, desk=desk)
        self.client = self.app.test_client()

    def type(self, **changes):
        return self.press(PAGE, PAGE, **(CARD | changes))

    @property
    def accounts(self):
        return self.database.all("SELECT * FROM account ORDER BY id")


@pytest.fixture
def desk():
    made = Desk()
    made.cards["2130000", "mot-de-passe"] = "42"
    return made


@pytest.fixture
def reader(database, vault, hub_keys, desk):
    made = Reader(database, vault, hub_keys, desk)
    made.sign_in(franceconnect(1))
    return made


@pytest.fixture
def neighbour(database, vault, hub_keys, desk):
    made = Reader(database, vault, hub_keys, desk)
    made.sign_in(local(7, email_verified="true"))
    return made


def test_a_card_and_its_password_join_the_library_to_the_space(reader, database):
    done = reader.type()

    assert done.headers["Location"] == "/mon-espace?carte=reliee"
    page = reader.get("/mon-espace?carte=reliee").text
    assert "library_a" in page
    assert "Carte reliée" in page
    (account,) = reader.accounts
    assert (account["level"], account["method"]) == (2, "card")
    (entry,) = database.all("SELECT * FROM journal_entry WHERE type = 'identity.account_linked'")
    assert entry["case_ref"] == str(account["id"])


def test_the_card_is_asked_once_without_its_blanks_and_kept_nowhere(reader, database):
    reader.type()

    ((service, command),) = reader.desk.asked
    assert (service, dict(command.data)) == (
        "library_a",
        {"card_number": "2130000", "password": "mot-de-passe"},
    )
    everything = repr(database.all("SELECT * FROM journal_entry")) + repr(reader.accounts)
    assert "mot-de-passe" not in everything
    assert "2130000" not in everything


def test_typed_twice_it_is_one_place(reader):
    reader.type()

    assert reader.type().status_code == 303
    assert len(reader.accounts) == 1


@pytest.mark.parametrize("wrong", [{"password": "autre"}, {"number": "2130001"}])
def test_a_wrong_card_or_password_is_one_sentence_and_the_password_is_not_sent_back(reader, wrong):
    page = reader.type(**wrong)

    assert page.status_code == 422
    assert "ne vont pas ensemble" in page.text
    assert "mot-de-passe" not in page.text
    assert reader.accounts == []


def test_an_expired_password_says_who_gives_another(reader, desk):
    desk.cards["2130000", "vieux"] = "expired"

    page = reader.type(password="vieux")

    assert (page.status_code, "a expiré" in page.text) == (422, True)


@pytest.mark.parametrize(
    "typed",
    [
        {"number": ""},
        {"number": "<b>"},
        {"number": "1" * 60},
        {"password": ""},
        {"password": "x" * 200},
        {"library": "library_b"},
        {"library": ""},
    ],
)
def test_what_cannot_be_a_card_is_not_asked(reader, typed):
    assert reader.type(**typed).status_code == 422
    assert reader.desk.asked == []


def test_nobody_locks_a_card_from_here(reader, neighbour):
    for _ in range(3):
        reader.type(password="autre")

    locked = neighbour.type()

    assert locked.status_code == 429
    assert locked.headers["Retry-After"] == "3600"
    assert len(reader.desk.asked) == 3


def test_right_cards_and_libraries_that_are_away_cost_no_try(reader, desk):
    desk.error = PartnerUnavailableError("koha_a", "authenticate", "down")
    for _ in range(6):
        assert reader.type().status_code == 503
    desk.error = None

    assert [reader.type().status_code for _ in range(6)] == [303] * 6


def test_a_library_that_does_not_offer_it_is_said_without_an_error(reader, desk):
    desk.error = PartnerRejectedError("koha_a", "authenticate", "not_offered: HTTP 403")

    page = reader.type()

    assert (page.status_code, "ne répond pas" in page.text) == (503, True)


def test_the_card_of_somebody_elses_space_is_for_a_person_to_decide(reader, neighbour, database):
    reader.type()

    page = neighbour.type()

    assert "Un agent doit vous aider" in page.text
    assert len(reader.accounts) == 1
    (case,) = database.all("SELECT * FROM identity_case")
    assert (case["kind"], case["rule"], len(case["others"])) == ("review", "card_elsewhere", 1)
    neighbour.type()
    assert len(database.all("SELECT id FROM identity_case")) == 1


def linked_by_code(reader, keys, record):
    """A pre-registration in the same library, taken in by its code; the library numbered it."""
    code = issue_code(reader.database, keys, subject="s-1")
    reader.database.run(
        "UPDATE preregistration SET service_id = 'library_a', external_ref = %s", (record,)
    )
    announced = reader.database.one("SELECT citizen_id FROM preregistration")["citizen_id"]
    reader.database.run("INSERT INTO citizen(id) VALUES (%s)", (announced,))
    added = reader.press("/mon-espace/code", "/mon-espace/code", code=code)
    assert added.status_code == 303


def test_the_card_of_the_same_record_raises_the_place_that_a_code_opened(reader, hub_keys):
    linked_by_code(reader, hub_keys, "42")
    assert [each["level"] for each in reader.accounts] == [1]

    assert reader.type().status_code == 303

    (account,) = reader.accounts
    assert (account["level"], account["method"]) == (2, "card")
    assert account["preregistration_id"] is not None


def test_a_card_of_another_record_is_for_the_desk(reader, hub_keys):
    linked_by_code(reader, hub_keys, "41")

    page = reader.type()

    assert (page.status_code, "réunir les deux" in page.text) == (422, True)
    assert [each["level"] for each in reader.accounts] == [1]


def test_a_record_that_somebody_holds_by_a_code_is_not_taken_by_a_card(reader, neighbour, hub_keys):
    linked_by_code(reader, hub_keys, "42")

    assert "Un agent doit vous aider" in neighbour.type().text
    assert len(reader.accounts) == 1


@pytest.mark.usefixtures("neighbour")
def test_two_people_at_once_and_one_has_it(reader, database, vault, hub_keys):
    people = [row["id"] for row in database.all("SELECT id FROM citizen ORDER BY id")]
    rows = CardTable(database=database, vault=vault, keys=hub_keys)

    def link(citizen_id):
        return rows.link(
            ProvedRecord(citizen_id=citizen_id, service_id="library_a", reference="42")
        )

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(link, people * 4))

    assert len(people) == 2
    assert len(reader.accounts) == 1
    assert set(outcomes) == {CardOutcome.LINKED, CardOutcome.UNDER_REVIEW}


def test_a_contact_that_nobody_proved_joins_nothing(database, vault, hub_keys, desk):
    unproved = Reader(database, vault, hub_keys, desk)
    unproved.sign_in(local(9))
    database.run(
        "UPDATE web_session SET level = 0 WHERE citizen_id IN (SELECT citizen_id FROM login)"
    )

    typed = unproved.press(PAGE, PAGE, **CARD)
    assert typed.headers["Location"] == "/mon-espace/identite?vers=/mon-espace/carte&niveau=2"
    assert desk.asked == []
    assert unproved.accounts == []


@pytest.mark.parametrize(("wanted", "joins"), [(2, True), (3, False)])
def test_a_card_lifts_a_contact_as_far_as_the_library_trusts_it(
    database, vault, hub_keys, desk, wanted, joins
):
    contact = Reader(database, vault, hub_keys, desk)
    contact.sign_in(local(9))
    database.run(
        "INSERT INTO service(id, kind, name, min_level) VALUES ('library_a', 'library', 'Centre', %s)"
        " ON CONFLICT (id) DO UPDATE SET min_level = excluded.min_level",
        (wanted,),
    )

    elsewhere = Reader(database, vault, hub_keys, desk)
    elsewhere.sign_in(local(9))

    typed = contact.press(PAGE, PAGE, **CARD)

    assert ("/mon-espace/identite" in typed.headers["Location"]) is not joins
    assert bool(contact.accounts) is joins
    assert contact.get("/mon-espace").status_code == 200
    assert (elsewhere.get("/mon-espace").status_code == 303) is joins, (
        "who was in before is not now"
    )


def test_the_page_asks_for_a_session_and_is_kept_by_nobody(database, vault, hub_keys, desk):
    stranger = Reader(database, vault, hub_keys, desk)

    asked = stranger.get(PAGE)
    assert asked.headers["Location"] == "/connexion?vers=/mon-espace/carte"
    assert stranger.client.post(PAGE, data=CARD).status_code == 303
    stranger.sign_in(franceconnect(1))
    assert stranger.get(PAGE).headers["Cache-Control"] == "no-store"
    assert stranger.client.post(PAGE, data=CARD).status_code == 422
    assert desk.asked == []


def test_without_a_library_that_can_check_nothing_is_offered(database, vault, hub_keys):
    reader = Reader(database, vault, hub_keys, None)
    reader.sign_in(franceconnect(1))

    assert "Relier une carte" not in reader.get("/mon-espace").text
    assert "Aucune bibliothèque" in reader.get(PAGE).text


class Secrets:
    def values(self, names):
        return dict.fromkeys(names, "secret-du-client")


@pytest.mark.enable_socket
def test_a_real_door_to_koha_proves_the_card(reader, database, vault, hub_keys):
    person = {"surname": "Exemple", "library_id": "ALC", "category_id": "ADULTE"}
    card = {"cardnumber": "2130000", "password": "mot-de-passe"}
    settings = {
        "client_id": "parvis",
        "client_secret": "secret-du-client",
        "libraries": {"ALC": "L'Alcazar"},
        "categories": ["PREINS", "ADULTE"],
        "patrons": [{**person, **card}],
    }
    with MockServer(build("koha", settings)) as server:
        service = ServiceRef(
            id="library_a",
            kind="library",
            name="L'Alcazar",
            profile="koha_a",
            connector="koha",
            settings={"client_id": "parvis", "base_url": server.url, "allow_private": True},
            secrets={"client_secret": "koha_a"},
        )
        opened = []

        def opening(*given):
            opened.append(open_profile(*given))
            return opened[-1]

        gateway = Gateway(
            secrets=Secrets(),
            breakers=BreakerStore(database),
            bulkhead=Bulkhead(4),
            opening=opening,
        )
        kept = []
        cards = replace(
            make_cards(database, vault, hub_keys, gateway),
            libraries=lambda: [service],
            keep=lambda step, log: kept.append((step, len(log))),
        )
        cookie = reader.client.get_cookie("parvis_session").value
        session = make_sign_in(database, vault, hub_keys, reader.realm).session(cookie)
        right = TypedCard(service_id="library_a", number="2130000", password="mot-de-passe")

        wrong = cards.link(replace(right, password="autre"), session=session, network="n")
        assert wrong is CardOutcome.WRONG
        assert cards.link(right, session=session, network="n") is CardOutcome.LINKED
        for profile in opened:
            profile.close()
    assert kept == [("card", 2), ("card", 1)]
