import base64

import pytest

from orchestrator.services.partner_keys import PartnerKeys
from orchestrator.store.consent_texts import ConsentTextRows
from orchestrator.store.partners import PartnerRows
from orchestrator.store.readiness import ReadinessRows
from schemas import clock, ids
from schemas.errors import SignatureVerificationError
from schemas.signatures import parse_secret, sign

pytestmark = pytest.mark.postgres
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
SEED = "whsk_" + base64.b64encode(bytes(range(32))).decode()
PUBLIC = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="


class Secrets:
    def values(self, names):
        return {"volt_k1": SECRET} if "volt_k1" in names else {}


@pytest.fixture
def rows(database):
    database.run(
        "INSERT INTO partner(id, name, allowed_events, territories, retired_at) VALUES"
        " ('volt', 'Volt', '{lease.signed.v1}', '{}', NULL),"
        " ('bare', 'Sans clé', '{}', '{}', NULL),"
        " ('gone', 'Parti', '{}', '{}', parvis_now())"
    )
    database.run(
        "INSERT INTO partner_key(partner_id, key_id, scheme, secret_name, public_key, retired_at) VALUES"
        " ('volt', 'k1', 'v1', 'volt_k1', NULL, NULL),"
        " ('volt', 'k2', 'v1a', NULL, %(public)s, parvis_now() + interval '1 h'),"
        " ('volt', 'old', 'v1', 'volt_k1', NULL, parvis_now()),"
        " ('volt', 'lost', 'v1', 'no_such_secret', NULL, NULL),"
        " ('volt', 'odd', 'v1a', NULL, %(secret)s, NULL),"
        " ('volt', 'torn', 'v1a', NULL, 'whpk_AAAA', NULL)",
        {"public": PUBLIC, "secret": SECRET},
    )
    return PartnerRows(database, Secrets())


def test_partners_that_left_are_not_there(rows):
    assert set(rows.partners()) == {"volt", "bare"}


def test_only_live_keys_that_can_be_read_are_keys(rows):
    volt = rows.partners()["volt"]
    assert {name: key.scheme for name, key in volt.keys.items()} == {"k1": "v1", "k2": "v1a"}
    assert volt.allowed_events == {"lease.signed.v1"}


def signed(key):
    now, event_id = clock.utcnow(), str(ids.uuid7())
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(event_id, int(now.timestamp()), b"body", parse_secret(key)),
    }
    return headers, now


@pytest.mark.parametrize("key", [SECRET, SEED])
def test_both_schemes_prove_the_partner(rows, key):
    headers, now = signed(key)
    keys = PartnerKeys(rows)
    assert keys.authenticate(b"body", headers, key_name="volt/k1", now=now).id == "volt"


@pytest.mark.parametrize("name", ["volt/old", "volt/lost", "bare/k1", "gone/k1", "nobody/k1"])
def test_a_key_that_is_not_live_proves_nothing(rows, name):
    headers, now = signed(SECRET)
    with pytest.raises(SignatureVerificationError):
        PartnerKeys(rows).authenticate(b"body", headers, key_name=name, now=now)


def test_the_catalogue_has_the_newest_purposes_and_every_notice(database):
    database.run(
        "INSERT INTO purpose(id, version, title, text, legal_basis, recipients, retention) VALUES"
        """ ('a.b', 1, '{"fr": "Un"}', '{"fr": "x"}', 'consent', '[]', 'x'),"""
        """ ('a.b', 2, '{"fr": "Deux"}', '{"fr": "x"}', 'consent', '[]', 'x')"""
    )
    database.run(
        "INSERT INTO notice(version, locale, sha256, text, purposes, recipients) VALUES"
        " ('1', 'fr', 'aa', 't', '{a.b}', '{parvis}'), ('2', 'fr-x-FALC', 'bb', 't', '{a.b}', '{}')"
    )
    texts = ConsentTextRows(database).catalogue()
    assert [(row.id, row.version, row.title["fr"]) for row in texts.purposes] == [
        ("a.b", 2, "Deux")
    ]
    assert texts.notices["1", "fr"].recipients == {"parvis"}
    assert texts.notices["2", "fr-x-falc"].sha256 == "bb"


def test_readiness_reads_the_schema_and_the_runs_under_way(database):
    database.run(
        "INSERT INTO run(id, journey, version, key, ended_at) VALUES"
        " (%s, 'a', 1, 'k1', NULL), (%s, 'a', 1, 'k2', NULL), (%s, 'b', 2, 'k', parvis_now())",
        (ids.uuid7(), ids.uuid7(), ids.uuid7()),
    )
    rows = ReadinessRows(database)
    assert rows.revision()
    assert rows.versions_under_way() == {("a", 1)}


def test_readiness_reads_how_long_the_oldest_message_waits(database):
    rows = ReadinessRows(database)
    assert rows.oldest_wait_seconds() == 0
    database.run(
        "INSERT INTO outbox(topic, key, created_at) VALUES"
        " ('wake', %s, parvis_now() - interval '50 s'), ('wake', %s, parvis_now())",
        (ids.uuid7(), ids.uuid7()),
    )
    assert 50 <= rows.oldest_wait_seconds() < 60


def test_a_database_that_was_never_migrated_has_no_revision(database):
    database.run("DROP TABLE alembic_version")
    assert ReadinessRows(database).revision() is None
