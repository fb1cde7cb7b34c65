"""Everything at once to three people: nothing waits for each other for good, and everything is somebody's."""

import itertools
import random
import threading
import time
from collections import Counter

import pytest

from orchestrator.services.access_codes import digest_of
from orchestrator.services.ports.citizen_space import Unlinking
from orchestrator.services.ports.library_cards import ProvedRecord
from orchestrator.services.ports.merges import Merging, Proof, Verdict
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.connections import Database
from orchestrator.store.identity_cases import CaseTable
from orchestrator.store.library_cards import CardTable, holders_of, record_hash
from orchestrator.store.merges import MergeTable
from orchestrator.store.redemption import SignedInRedemption
from schemas import ids
from schemas.errors import ConflictError, NotFoundError, RateLimitedError, SamlRefusedError
from schemas.logins import Level, SamlPurpose
from tests.browser.citizen_hub import issue_code
from tests.integration.test_sign_in import Desk, franceconnect, local

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]
THREADS, SECONDS = 6, 20
REFUSALS = (ConflictError, NotFoundError, RateLimitedError, SamlRefusedError)
LOCKED_BY_A_WORKER = (
    "UPDATE run SET status = CASE status WHEN 'ready' THEN 'waiting_signal' ELSE 'ready' END WHERE id = %s",
    "UPDATE preregistration SET updated_at = parvis_now() WHERE run_id = %s",
    "UPDATE access_code SET created_at = created_at WHERE run_id = %s",
    "UPDATE citizen SET consents = consents + 1 WHERE id = (SELECT citizen_id FROM run WHERE id = %s)",
)
STRAYS = """
SELECT x.what, x.citizen_id FROM (
  SELECT 'login' AS what, citizen_id FROM login UNION ALL SELECT 'account', citizen_id FROM account
  UNION ALL SELECT 'key', citizen_id FROM data_key WHERE citizen_id IS NOT NULL
  UNION ALL SELECT 'place', citizen_id FROM preregistration
  UNION ALL SELECT 'name', citizen_id FROM pseudonym
  UNION ALL SELECT 'run', citizen_id FROM run WHERE citizen_id IS NOT NULL) x
 WHERE NOT EXISTS (SELECT FROM citizen c WHERE c.id = x.citizen_id)"""
LIVE_OF_THE_MERGED = """
SELECT l.id FROM login l JOIN citizen c ON c.id = l.citizen_id
 WHERE l.valid_to IS NULL AND c.merged_into IS NOT NULL"""


class Person:
    """One thread: somebody who does what people, agents and workers do, in any order."""

    def __init__(self, number, database, vault, keys, codes):
        self.any, self.database, self.keys, self.codes = (
            random.Random(number),
            database,
            keys,
            codes,
        )
        self.desk = Desk(database, vault, keys)
        self.desk.realm._numbers = itertools.count(10**6 * (number + 1))
        parts = {"database": database, "vault": vault}
        self.space, self.cases = CitizenSpaceTable(**parts), CaseTable(**parts)
        self.cards, self.merges = CardTable(**parts, keys=keys), MergeTable(**parts)
        self.redemption = SignedInRedemption(**parts, keys=keys)
        self.session, self.done, self.faults = None, Counter(), []

    def live(self, until):
        acts = [self.sign_in] * 4 + [self.prove] * 3 + [self.unlink, self.redeem] * 2
        acts += [self.event, self.card, self.merge, self.undo, self.close, self.work, self.work]
        while time.monotonic() < until:
            act = self.any.choice(acts)
            try:
                act()
                self.done[act.__name__] += 1
            except REFUSALS:
                continue
            except Exception as error:  # noqa: BLE001 - told by the test
                self.faults.append((act.__name__, repr(error), repr(error.__cause__)))

    def said(self):
        human = self.any.randrange(3)
        plus = {"alias": "france-connect-plus", "acr": "eidas2", "fc_sub": f"{human}p"}
        return self.any.choice(
            [
                franceconnect(f"{human}a"),
                franceconnect(f"{human}a", **plus),
                local(f"{human}b", email_verified="true"),
            ]
        )

    def sign_in(self, purpose=SamlPurpose.LOGIN, session=None):
        self.database.run("DELETE FROM attempt_counter")
        cookie = self.desk.sign_in(self.said(), purpose, session=session).cookie
        self.session = self.desk.use.session(cookie) if cookie else self.session

    def prove(self):
        if self.session is not None:
            purpose = self.any.choice([SamlPurpose.LINK, SamlPurpose.STEP_UP])
            self.sign_in(purpose, self.session)

    def unlink(self):
        if self.session is None:
            return
        citizen_id = self.session.citizen_id
        for login in self.space.space(citizen_id, level=Level.STRONG).logins[:1]:
            self.space.unlink(
                Unlinking(
                    citizen_id=citizen_id, login_id=login.id, session_id=None, proved_by="another"
                )
            )

    def event(self):
        subject = f"s-{self.any.random()}"
        code = issue_code(self.database, self.keys, subject=subject)
        values = (self.any.choice("ab"), self.any.choice([None, "42", "43"]), subject)
        row = self.database.one(
            "UPDATE preregistration SET service_id = %s, external_ref = %s WHERE subject = %s"
            " RETURNING citizen_id",
            values,
        )
        self.database.run("INSERT INTO citizen(id) VALUES (%s)", (row["citizen_id"],))
        self.codes.append(code)

    def redeem(self):
        if self.session is not None and self.codes:
            code = self.any.choice(self.codes[-3:])
            self.redemption.redeem(digest_of(self.keys, code), self.session.citizen_id)

    def card(self):
        if self.session is not None:
            self.cards.link(
                ProvedRecord(
                    citizen_id=self.session.citizen_id,
                    service_id=self.any.choice("ab"),
                    reference=self.any.choice(["42", "43"]),
                    level=self.session.level,
                )
            )

    def merge(self):
        rows = self.database.all("SELECT id FROM citizen WHERE state = 'active'")
        if len(rows) > 1:
            one, other = self.any.sample([row["id"] for row in rows], 2)
            proofs = (Proof.CARD, Proof.DOCUMENT)
            self.merges.merge(
                Merging(survivor_id=one, merged_id=other, proofs=proofs, actor="agent")
            )

    def undo(self):
        for made in self.merges.recent()[:1]:
            self.merges.undo(made.id, actor="agent")

    def close(self):
        for case in self.cases.open()[:1]:
            self.cases.close(case.id, self.any.choice(list(Verdict)), actor="agent")

    def work(self):
        """A worker's statement: its run first, then what hangs on it."""
        row = self.database.one("SELECT id FROM run ORDER BY random() LIMIT 1")
        if row is not None:
            with self.database.transaction() as connection:
                for sql in LOCKED_BY_A_WORKER:
                    connection.execute(sql, (row["id"],))


def test_everything_at_once_waits_for_nothing_and_leaves_nothing_behind(
    database_url, vault, hub_keys
):
    opened = [Database(database_url, size=2, statement_timeout_ms=30_000) for _ in range(THREADS)]
    codes = []
    people = [Person(n, opened[n], vault, hub_keys, codes) for n in range(THREADS)]
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=one.live, args=(until,)) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert [fault for one in people for fault in one.faults] == []
    done = sum((one.done for one in people), Counter())
    assert all(
        done[name] for name in ("sign_in", "prove", "redeem", "card", "merge", "undo", "work")
    )
    assert opened[0].all(STRAYS) == []
    for service, record in itertools.product("ab", ("42", "43")):
        with opened[0].transaction() as connection:
            digest = record_hash(hub_keys, service, record)
            assert len(holders_of(connection, service, digest, record, but=ids.uuid7())) <= 1
    assert opened[0].all(LIVE_OF_THE_MERGED) == []
    for one in opened:
        one.close()
