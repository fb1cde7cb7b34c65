"""Histories of events, logins, codes, links, unlinks and merges: nobody ever sees what is somebody else's.

The model knows who each human is; the hub only knows what it is told. Two of them are twins, two are
namesakes born the same day in the same place, and agents tell the truth when asked.
"""

from collections import defaultdict
from contextlib import suppress
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.services.access_codes import Redemption, digest_of
from orchestrator.services.merges import Merges
from orchestrator.services.ports.citizen_space import Unlinking
from orchestrator.services.ports.merges import Proof, Verdict
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.identity_cases import CaseTable, NothingReplacedError
from orchestrator.store.logins import LoginKey, subject_hash
from orchestrator.store.merges import MergeTable
from orchestrator.store.redemption import SignedInRedemption
from schemas.errors import ConflictError, NotFoundError, SamlRefusedError
from schemas.logins import Level, SamlPurpose
from tests.browser.citizen_hub import issue_code
from tests.fakes.realm import REALM
from tests.integration.test_sign_in import Desk, franceconnect, local

pytestmark = pytest.mark.postgres
ZOE, LEA, NAMESAKE, PAUL = range(4)  # twins, then a namesake of the first, then somebody else
BORN = {
    ZOE: {},
    LEA: {"given_names": "Léa Marie"},
    NAMESAKE: {},
    PAUL: {"given_names": "Paul", "gender": "male", "birthdate": "1971-12-31"},
}
METHODS = ("franceconnect", "plus", "local")
EMPTY = (
    *("citizen", "data_key", "pseudonym", "login", "civil_status", "civil_status_key"),
    *("saml_request", "saml_seen", "web_session", "account", "identity_case", "merge"),
    *("journal_entry", "journal_body", "preregistration", "access_code", "run", "signal", "outbox"),
    *("interest", "consent_record", "notification"),
)

humans = st.sampled_from(range(4))
methods = st.sampled_from(METHODS)
numbers = st.integers(0, 5)
acts = st.one_of(
    st.tuples(st.just("event"), humans),
    st.tuples(st.just("sign_in"), humans, methods),
    st.tuples(st.just("redeem"), humans, numbers),
    st.tuples(st.just("link"), humans, methods),
    st.tuples(st.just("unlink"), humans, methods),
    st.tuples(st.just("sign_out"), humans),
    st.tuples(st.just("replay"), humans, methods),
    st.tuples(st.just("plant"), humans, methods),
    st.tuples(st.just("agent")),
    st.tuples(st.just("undo")),
)
everybody = st.permutations(range(4)).flatmap(
    lambda order: st.tuples(
        *(st.tuples(st.just("sign_in"), st.just(human), methods) for human in order)
    )
)
told = st.tuples(*(st.tuples(st.just("event"), st.just(human)) for human in range(4)))


def histories(most):
    """Everybody is announced and comes once; then anything."""
    return st.builds(
        lambda *parts: list(chain(*parts)), told, everybody, st.lists(acts, max_size=most)
    )


class History:
    """A hub, the humans who use it, and what is whose."""

    def __init__(self, database, vault, keys):
        names = ", ".join(EMPTY)
        database.run(f"TRUNCATE {names}")
        self.desk = Desk(database, vault, keys)
        self.database, self.keys = database, keys
        parts = {"database": database, "vault": vault}
        self.space = CitizenSpaceTable(**parts)
        self.codes = SignedInRedemption(**parts, keys=keys)
        self.merges = Merges(rows=MergeTable(**parts), cases=CaseTable(**parts))
        self.sessions = defaultdict(list)  # human -> cookies
        self.posted = defaultdict(dict)  # human -> method -> the answer their browser sent
        self.issued = []  # (code, our_ref)
        self.redeemed = {}  # our_ref -> human
        self.human_of = {}  # subject's hash -> human
        self.made = []

    def play(self, history):
        for name, *arguments in history:
            getattr(self, name)(*arguments)
            self.check()

    # --- what happens -----------------------------------------------------------------------------

    def event(self, human):
        """A partner says something about somebody, and that somebody is sent a code."""
        code = issue_code(self.database, self.keys, subject=f"s-{len(self.issued)}")
        row = self.database.one("SELECT our_ref, citizen_id FROM preregistration ORDER BY id DESC")
        self.database.run("INSERT INTO citizen(id) VALUES (%s)", (row["citizen_id"],))
        self.database.run(
            "INSERT INTO interest(citizen_id, theme) VALUES (%s, %s)",
            (row["citizen_id"], row["our_ref"]),
        )
        self.database.run("UPDATE preregistration SET service_id = our_ref")
        self.issued.append((code, row["our_ref"], human))

    def sign_in(self, human, method):
        self.arrive(human, method, SamlPurpose.LOGIN)

    def redeem(self, human, number):
        session = self.session(human)
        mine = [one for one in self.issued if one[2] == human]
        if session is None or not mine:
            return
        code, our_ref, _ = mine[number % len(mine)]
        outcome = self.codes.redeem(digest_of(self.keys, code), session.citizen_id)
        if outcome is Redemption.REDEEMED:
            assert our_ref not in self.redeemed, "a code is used once"
            self.redeemed[our_ref] = human
            self.database.run("UPDATE run SET status = 'done' WHERE status = 'ready'")  # a worker
            self.database.run("UPDATE run SET ended_at = parvis_now() WHERE status = 'done'")

    def link(self, human, other):
        session = self.session(human)
        if session is not None:
            self.arrive(human, other, SamlPurpose.LINK, session)

    def unlink(self, human, other):
        session = self.session(human)
        if session is None:
            return
        alias = self.said(human, other).get("idp_alias", "realm")
        logins = self.space.space(session.citizen_id, level=Level.DECLARED).logins
        found = [one.id for one in logins if one.alias == alias]
        if not found:
            return
        try:
            self.space.unlink(
                Unlinking(
                    citizen_id=session.citizen_id,
                    login_id=found[0],
                    session_id=session.id,
                    proved_by=session.idp_alias,
                )
            )
        except ConflictError:
            assert len(logins) == 1 or session.idp_alias == alias

    def sign_out(self, human):
        session = self.session(human)
        if session is not None:
            self.desk.use.leave(session, browser=f"browser-{human}")
            self.check()

    def replay(self, human, method):
        """Somebody else sends the answer once more, from their own browser and from the human's."""
        message = self.posted[human].get(method)
        for browser in (f"browser-{(human + 1) % 4}", f"browser-{human}"):
            if message is not None:
                with pytest.raises(SamlRefusedError):
                    self.desk.use.arrive(message, browser=browser)

    def plant(self, human, method):
        """Somebody makes another's browser bring an answer of their own."""
        departure = self.desk.depart(browser=f"browser-{human}")
        message = self.desk.realm.message(departure, **self.said(human, method))
        with pytest.raises(SamlRefusedError):
            self.desk.use.arrive(message, browser=f"browser-{(human + 1) % 4}")

    def agent(self):
        """An agent looks at the oldest case, and says what is so."""
        for case in self.merges.waiting()[:1]:
            row = self.database.one(
                "SELECT citizen_id, others, subject_hash FROM identity_case WHERE id = %s",
                (case.id,),
            )
            people = {self.owner(one) for one in row["others"]}
            people |= {self.owner(row["citizen_id"])} if row["citizen_id"] else set()
            people |= {self.human_of[bytes(row["subject_hash"])]} if row["subject_hash"] else set()
            self.decide(case, is_one=len(people - {None}) == 1)

    def decide(self, case, *, is_one):
        if not is_one:
            self.merges.close(case.id, Verdict.APART, actor="agent")
            return
        try:
            if case.people == 2:
                proofs = (Proof.DOCUMENT, Proof.CARD)
                self.made.append(self.merges.merge(case.id, proofs=proofs, actor="agent"))
            else:
                self.merges.close(case.id, Verdict.REPLACED, actor="agent")
        except (ConflictError, NothingReplacedError):
            self.merges.close(case.id, Verdict.SETTLED, actor="agent")

    def undo(self):
        if self.made:
            with suppress(ConflictError, NotFoundError):
                self.merges.undo(self.made.pop(), actor="agent")

    # --- what is so -------------------------------------------------------------------------------

    def said(self, human, method):
        match method:
            case "franceconnect":
                return franceconnect(f"{human}-fc", **BORN[human])
            case "plus":
                return franceconnect(
                    f"{human}-plus", acr="eidas2", alias="france-connect-plus", **BORN[human]
                )
            case _:
                return local(f"{human}-local", email_verified="true")

    def arrive(self, human, method, purpose, session=None):
        said = self.said(human, method)
        for alias, subject in (
            ("realm_saml", said["name_id"]),
            ("realm_token", said["kc_user"]),
            (said.get("idp_alias", "realm"), said.get("fc_sub", said["kc_user"])),
        ):
            key = LoginKey(issuer=REALM, alias=alias, subject=subject)
            self.human_of[subject_hash(self.keys, key)] = human
        browser = f"browser-{human}"
        departure = self.desk.depart(purpose, browser=browser, session=session)
        message = self.desk.realm.message(departure, **said)
        self.posted[human][method] = message
        cookie = self.desk.use.arrive(message, browser=browser).cookie
        if cookie is not None:
            self.sessions[human].append(cookie)

    def session(self, human):
        """The session a human opened last of those that live."""
        live = (self.desk.use.session(one) for one in reversed(self.sessions[human]))
        return next(filter(None, live), None)

    def owner(self, citizen_id):
        """The human behind a citizen, by their logins; None when nobody has signed in as them."""
        rows = self.database.all(
            "SELECT subject_hash FROM login WHERE citizen_id = %s", (citizen_id,)
        )
        found = {self.human_of[bytes(row["subject_hash"])] for row in rows}
        assert len(found) <= 1, "two humans have one citizen"
        return next(iter(found), None)

    def check(self):
        for row in self.database.all("SELECT DISTINCT citizen_id FROM login"):
            self.owner(row["citizen_id"])
        for human, cookies in self.sessions.items():
            for cookie in cookies:
                session = self.desk.use.session(cookie)
                if session is not None:
                    self.look(human, session)
        owned = {
            row["our_ref"]: self.owner(row["citizen_id"])
            for row in self.database.all("SELECT our_ref, citizen_id FROM preregistration")
        }
        assert owned == {ref: self.redeemed.get(ref) for _, ref, _ in self.issued}, "none is lost"

    def look(self, human, session):
        """What a human finds in their space is theirs, all of it."""
        citizen_id = session.citizen_id
        assert self.owner(citizen_id) == human
        shown = {line.our_ref for line in self.space.preregistrations(citizen_id)}
        space = self.space.space(citizen_id, level=session.level)
        shown |= {account.service_id for account in space.accounts}
        rows = self.database.all("SELECT theme FROM interest WHERE citizen_id = %s", (citizen_id,))
        shown |= {row["theme"] for row in rows}
        assert {self.redeemed.get(ref) for ref in shown} <= {human}
        assert session.level <= Level.STRONG


def play(history, database, vault, hub_keys):
    History(database, vault, hub_keys).play(history)


_ANY = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=20, **_ANY)
@given(history=histories(8))
def test_no_history_shows_a_person_what_is_anothers(history, database, vault, hub_keys):
    play(history, database, vault, hub_keys)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=500, **_ANY)
@given(history=histories(40))
def test_no_long_history_shows_a_person_what_is_anothers(history, database, vault, hub_keys):
    play(history, database, vault, hub_keys)


def test_a_history_with_everything_in_it(database, vault, hub_keys):
    play(
        [
            ("event", ZOE),
            ("event", LEA),
            ("event", ZOE),
            ("sign_in", ZOE, "franceconnect"),
            ("redeem", ZOE, 0),
            ("redeem", ZOE, 0),
            ("link", ZOE, "local"),
            ("unlink", ZOE, "franceconnect"),
            ("sign_in", ZOE, "franceconnect"),
            ("redeem", ZOE, 1),
            ("agent",),
            ("sign_in", ZOE, "local"),
            ("undo",),
            ("sign_in", ZOE, "local"),
            ("sign_in", LEA, "franceconnect"),
            ("sign_in", NAMESAKE, "franceconnect"),
            ("agent",),
            ("agent",),
            ("sign_in", NAMESAKE, "franceconnect"),
            ("sign_in", LEA, "franceconnect"),
            ("redeem", LEA, 0),
            ("link", ZOE, "plus"),
            ("plant", PAUL, "local"),
            ("replay", ZOE, "franceconnect"),
            ("sign_out", ZOE),
            ("sign_in", PAUL, "local"),
            ("redeem", PAUL, 0),
        ],
        database,
        vault,
        hub_keys,
    )
    used = "SELECT count(*) AS n FROM access_code WHERE redeemed_at IS NOT NULL"
    assert database.one(used)["n"] == 3
    assert len(database.all("SELECT FROM merge WHERE undone_at IS NOT NULL")) == 1
