"""A hub, the humans who use it, and what is whose: the model that generated histories are played against.

The model knows who each human is; the hub only knows what it is told. Two of them are twins, two are
namesakes born the same day in the same place, and agents tell the truth when asked.
"""

from collections import defaultdict
from contextlib import suppress

import pytest

from orchestrator.services.access_codes import Redemption, digest_of
from orchestrator.services.merges import Merges
from orchestrator.services.ports.citizen_space import Unlinking
from orchestrator.services.ports.library_cards import ProvedRecord
from orchestrator.services.ports.merges import Proof, Verdict
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.identity_cases import CaseTable, NothingReplacedError
from orchestrator.store.library_cards import CardTable
from orchestrator.store.logins import LoginKey, subject_hash
from orchestrator.store.merges import MergeTable
from orchestrator.store.person_keys import new_key, pseudonym_of
from orchestrator.store.redemption import SignedInRedemption
from schemas.errors import ConflictError, NotFoundError, RateLimitedError, SamlRefusedError
from schemas.logins import Level, SamlPurpose
from tests.browser.citizen_hub import issue_code
from tests.fakes.realm import REALM
from tests.integration.test_sign_in import Desk, franceconnect, local

ZOE, LEA, NAMESAKE, PAUL = range(4)  # twins, then a namesake of the first, then somebody else
BORN = {
    ZOE: {},
    LEA: {"given_names": "Léa Marie"},
    NAMESAKE: {},
    PAUL: {"given_names": "Paul", "gender": "male", "birthdate": "1971-12-31"},
}
LIBRARY = "library"
REFUSED = (SamlRefusedError, RateLimitedError)  # the second after many of the first
EMPTY = (
    *("citizen", "data_key", "pseudonym", "login", "civil_status", "civil_status_key"),
    *("saml_request", "saml_seen", "web_session", "account", "identity_case", "merge"),
    *("journal_entry", "journal_body", "preregistration", "access_code", "run", "signal", "outbox"),
    *("interest", "consent_record", "notification", "realm_effect"),
    "attempt_counter",
)
LOGINS = """
WITH RECURSIVE one AS (SELECT id, id AS into_id FROM citizen
  UNION ALL SELECT one.id, c.merged_into FROM one JOIN citizen c ON c.id = one.into_id
             WHERE c.merged_into IS NOT NULL)
SELECT DISTINCT one.id AS citizen_id, l.subject_hash FROM one JOIN login l ON l.citizen_id = one.into_id"""
# entries about somebody, with whose the account or the pre-registration they name is
JOURNALLED = """
SELECT j.subject_ref, coalesce(a.citizen_id, p.citizen_id) AS citizen_id FROM journal_entry j
  LEFT JOIN account a ON a.id::text = j.case_ref LEFT JOIN preregistration p ON p.id::text = j.case_ref
 WHERE j.subject_ref IS NOT NULL AND coalesce(a.id, p.id) IS NOT NULL"""
# what services and senders hold of people, each value in a row of its own
HELD = """
SELECT pseudonym AS value FROM pseudonym UNION ALL SELECT our_ref FROM preregistration
UNION ALL SELECT source || subject FROM preregistration
UNION ALL SELECT DISTINCT encode(reference_hash, 'hex') FROM account WHERE reference_hash IS NOT NULL"""
_SEALED_PARTS = (
    "SELECT 'login' AS what, citizen_id AS whose, id, subject AS sealed, data_key_id FROM login",
    "SELECT 'value', citizen_id, id, value, data_key_id FROM civil_status",
    "SELECT 'card', citizen_id, id, reference, data_key_id FROM account WHERE reference IS NOT NULL",
    "SELECT 'run', citizen_id, id, data, data_key_id FROM run",
    """SELECT 'name', s.citizen_id, s.id, s.name_id, l.data_key_id
         FROM web_session s JOIN login l ON l.id = s.login_id""",
    """SELECT 'entry', p.citizen_id, b.id, b.record, b.data_key_id FROM journal_body b
         JOIN journal_entry e ON e.id = b.id JOIN pseudonym p ON p.pseudonym = e.subject_ref""",
)
SEALED_VALUES = (
    "SELECT x.*, x.data_key_id AS key_id, k.citizen_id AS key_of, k.wrapped FROM ("
    + " UNION ALL ".join(_SEALED_PARTS)
    + ") x LEFT JOIN data_key k ON k.id = x.data_key_id"
)
SEALED = f"SELECT DISTINCT what, whose, key_of FROM ({SEALED_VALUES}) y"


class History:
    """A hub, the humans who use it, and what is whose."""

    def __init__(self, database, vault, keys):
        database.run(f"TRUNCATE {', '.join(EMPTY)}")
        self.desk = Desk(database, vault, keys)
        self.database, self.vault, self.keys = database, vault, keys
        parts = {"database": database, "vault": vault}
        self.space = CitizenSpaceTable(**parts)
        self.codes = SignedInRedemption(**parts, keys=keys)
        self.cards = CardTable(**parts, keys=keys)
        self.merges = Merges(rows=MergeTable(**parts), cases=CaseTable(**parts))
        self.sessions = defaultdict(list)  # human -> cookies
        self.posted = defaultdict(dict)  # human -> method -> the answer their browser sent
        self.issued = []  # (code, our_ref)
        self.known_as = {}  # our_ref -> what that service sees of whoever it is
        self.redeemed = {}  # our_ref -> human
        self.human_of = {}  # subject's hash -> human
        self.made = []

    def play(self, history):
        for name, *arguments in history:
            getattr(self, name)(*arguments)
            self.check()

    # --- what happens -----------------------------------------------------------------------------

    def event(self, human):
        """A partner says something about somebody, what they agreed to, and that somebody is sent a code."""
        code = issue_code(self.database, self.keys, subject=f"s-{len(self.issued)}")
        row = self.database.one("SELECT * FROM preregistration ORDER BY id DESC")
        announced, our_ref, run_id = row["citizen_id"], row["our_ref"], row["run_id"]
        self.database.run("INSERT INTO citizen(id) VALUES (%s)", (announced,))
        self.database.run(
            "INSERT INTO interest(citizen_id, theme) VALUES (%s, %s)", (announced, our_ref)
        )
        self.database.run("UPDATE preregistration SET service_id = our_ref")
        with self.database.transaction() as connection:
            key = new_key(connection, self.vault, announced)
            pseudonym_of(connection, announced)
            self.known_as[our_ref] = pseudonym_of(connection, announced, our_ref)
        self.database.run(
            "UPDATE run SET citizen_id = %s, data_key_id = %s, data = %s WHERE id = %s",
            (announced, key.id, key.seal(run_id, f"said-{human}".encode()), run_id),
        )
        self.tell(announced, our_ref, "given")
        self.issued.append((code, our_ref, human))

    def sign_in(self, human, method):
        self.arrive(human, method, SamlPurpose.LOGIN)

    def redeem(self, human, number):
        session = self.session(human)
        mine = [one for one in self.issued if one[2] == human]
        if session is None or not mine:
            return
        code, our_ref, _ = mine[number % len(mine)]
        outcome = self.codes.redeem(
            digest_of(self.keys, code), session.citizen_id, session_id=session.id
        )
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

    def agree(self, human, event_type):
        """A human tells on their page what they want; nobody else has a purpose of that name."""
        session = self.session(human)
        if session is not None:
            self.tell(session.citizen_id, f"agreed-{human}", event_type)

    def like(self, human, is_liked):
        session = self.session(human)
        if session is None:
            return
        sql = (
            "INSERT INTO interest(citizen_id, theme) VALUES (%s, %s) ON CONFLICT DO NOTHING"
            if is_liked
            else "DELETE FROM interest WHERE citizen_id = %s AND theme = %s"
        )
        self.database.run(sql, (session.citizen_id, f"liked-{human}"))

    def card(self, human):
        """A human proves the record that the library knows them by."""
        session = self.session(human)
        if session is not None:
            self.cards.link(
                ProvedRecord(
                    citizen_id=session.citizen_id,
                    service_id=LIBRARY,
                    reference=f"record-{human}",
                    session_id=session.id,
                )
            )

    def close(self, human, number):
        """A human closes one of their accounts, and tries to close one of somebody else's."""
        session = self.session(human)
        if session is None:
            return
        rows = self.database.all(
            "SELECT id, citizen_id FROM account WHERE closed_at IS NULL ORDER BY id"
        )
        mine = [row["id"] for row in rows if row["citizen_id"] == session.citizen_id]
        for row in rows:
            if row["id"] not in mine:
                with pytest.raises(NotFoundError):
                    self.space.close_account(session.citizen_id, row["id"])
        if mine:
            self.space.close_account(session.citizen_id, mine[number % len(mine)])

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
                with pytest.raises(REFUSED):
                    self.desk.use.arrive(message, browser=browser)

    def plant(self, human, method):
        """Somebody makes another's browser bring an answer of their own."""
        departure = self.desk.depart(browser=f"browser-{human}")
        message = self.desk.realm.message(departure, **self.said(human, method))
        with pytest.raises(REFUSED):
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
                verified = "true" if method == "local" else "false"
                return local(f"{human}-local", email_verified=verified)

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

    def tell(self, citizen_id, purpose, event_type):
        with self.database.transaction() as connection:
            ref = pseudonym_of(connection, citizen_id)
        self.database.run(
            "INSERT INTO consent_record(record_id, subject_ref, controller, purposes, recipients,"
            " notice_version, notice_sha256, locale, ui_evidence, collected_by, event_type, event_time)"
            " VALUES (gen_random_uuid(), %s, 'c', %s, '{}', 'v', 's', 'fr', '{}', 'p', %s, parvis_now())",
            (ref, [purpose], event_type),
        )

    def session(self, human):
        """The session a human opened last of those that live."""
        live = (self.desk.use.session(one) for one in reversed(self.sessions[human]))
        return next(filter(None, live), None)

    def owner(self, citizen_id):
        """The human behind a citizen, by their logins; None when nobody has signed in as them."""
        return self.owners().get(citizen_id)

    def owners(self):
        """The human behind each citizen who has or had a login, or was merged into one who has."""
        found = defaultdict(set)
        for row in self.database.all(LOGINS):
            found[row["citizen_id"]].add(self.human_of[bytes(row["subject_hash"])])
        assert all(len(humans) == 1 for humans in found.values()), "two humans have one citizen"
        return {citizen: next(iter(humans)) for citizen, humans in found.items()}

    def check(self):
        owners = self.owners()
        for human, cookies in self.sessions.items():
            for cookie in cookies:
                session = self.desk.use.session(cookie)
                if session is not None:
                    assert owners[session.citizen_id] == human
                    assert session.level <= Level.STRONG
                    self.look(human, session)
        owned = {
            row["our_ref"]: owners.get(row["citizen_id"])
            for row in self.database.all("SELECT our_ref, citizen_id FROM preregistration")
        }
        assert owned == {ref: self.redeemed.get(ref) for _, ref, _ in self.issued}, "none is lost"
        self.check_references(owners)
        self.check_keys(owners)

    def look(self, human, session):
        """What a human finds in their space is theirs, all of it."""
        citizen_id = session.citizen_id
        space = self.space.space(citizen_id, level=session.level)
        rows = self.database.all("SELECT theme FROM interest WHERE citizen_id = %s", (citizen_id,))
        shown = [
            *(line.our_ref for line in self.space.preregistrations(citizen_id)),
            *(account.service_id for account in space.accounts if account.service_id != LIBRARY),
            *(line.purpose for line in self.space.consents(citizen_id)),
            *(row["theme"] for row in rows),
        ]
        mine = {f"agreed-{human}", f"liked-{human}"}
        assert {self.redeemed.get(one) for one in set(shown) - mine} <= {human}
        for login in space.logins:
            row = self.database.one("SELECT subject_hash FROM login WHERE id = %s", (login.id,))
            assert self.human_of[bytes(row["subject_hash"])] == human

    def check_references(self, owners):
        """Who the journal speaks of is one human, and no two services know somebody by one value."""
        refs = {
            row["pseudonym"]: owners.get(row["citizen_id"])
            for row in self.database.all("SELECT * FROM pseudonym WHERE service = 'journal'")
        }
        for row in self.database.all(JOURNALLED):
            assert refs.get(row["subject_ref"]) == owners.get(row["citizen_id"])
        seen = {
            row["service"]: (row["pseudonym"], owners.get(row["citizen_id"]))
            for row in self.database.all("SELECT * FROM pseudonym WHERE service <> 'journal'")
        }
        assert seen == {ref: (said, self.redeemed.get(ref)) for ref, said in self.known_as.items()}
        held = self.database.all(HELD)
        assert len({row["value"] for row in held}) == len(held), "two services hold one value"

    def check_keys(self, owners):
        """What is sealed about somebody is sealed under a key of theirs, so that it ends with them."""
        for row in self.database.all(SEALED):
            assert owners.get(row["whose"]) == owners.get(row["key_of"]), row["what"]

    def erase(self, human):
        """A human is erased: their keys go, and nothing about them opens; everybody else's does."""
        owners = self.owners()
        theirs = [citizen for citizen, one in owners.items() if one == human]
        self.database.run("DELETE FROM data_key WHERE citizen_id = ANY(%s)", (theirs,))
        for row in self.database.all(SEALED_VALUES):
            is_theirs = owners.get(row["whose"]) == human
            assert (row["wrapped"] is None) is is_theirs, row["what"]
            if not is_theirs:
                key = self.vault.open_key(row["key_id"], bytes(row["wrapped"]))
                text = key.open(row["id"], bytes(row["sealed"])).decode()
                about = any(
                    f"{word}-{human}" in text for word in ("sub", "user", "G", "record", "said")
                )
                assert not about or owners.get(row["whose"]) is None, row["what"]
