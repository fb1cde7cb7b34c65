"""SAML messages made to hurt: memory, time, programs, files; and what happens when they try."""

import base64
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from identity.saml.codes import Code
from identity.saml.guard import guarded_xml
from mock_partners.keycloak.answers import answer
from schemas.errors import SamlRefusedError
from schemas.logins import Binding
from tests.browser.citizen_hub import make_app
from tests.fakes.inbox import FakeInbox
from tests.unit.identity.saml.realm import HUB, Facing
from tests.unit.identity.saml.test_answers import mutated

MEGABYTE = 1024 * 1024
ROOT = Path(__file__).parents[2]
SIGN_IN = """
import sys
begun, opened = [], []
def watch(event, details):
    if event in {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}:
        begun.append(event)
    if event == "open" and isinstance(details[1], str) and set("wax+") & set(details[1]):
        opened.append(str(details[0]))
from tests.unit.identity.saml.realm import Facing
from mock_partners.keycloak.answers import answer
from identity.saml.codes import Code
sys.addaudithook(watch)
facing = Facing()
facing.answered()
facing.provider.metadata()
facing.provider.ask_login(relay_key="r")
assert not begun, begun
assert not opened, opened
"""


def bomb(megabytes):
    """A document that swells a thousand times."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [deflater.compress(b"<a>")]
    pieces += [deflater.compress(b" " * MEGABYTE) for _ in range(megabytes)]
    return base64.b64encode(b"".join(pieces) + deflater.flush()).decode()


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(
    ("binding", "word"),
    [(Binding.REDIRECT, Code.INFLATE_LIMIT), (Binding.POST, Code.NOT_XML)],
)
def test_a_bomb_takes_no_memory(binding, word):
    text, before = bomb(200), peak()
    with pytest.raises(SamlRefusedError) as caught:
        guarded_xml(text, binding)
    assert caught.value.code == word
    assert peak() - before < 100 * MEGABYTE


@pytest.mark.parametrize(
    "raw",
    [
        b"<a>" * 10_000 + b"</a>" * 10_000,
        b"<a>" + b"<b/>" * 60_000 + b"</a>",
        b"<a " + b" ".join(b'b%d="1"' % number for number in range(20_000)) + b"/>",
        b"<a>" + b"&#65;" * 40_000 + b"</a>",
        b"<" + b"a" * 200_000 + b"/>",
    ],
    ids=["deep", "wide", "attributes", "references", "name"],
)
def test_a_document_built_to_be_costly_is_refused_in_bounds(facing, raw):
    before = peak()
    with pytest.raises(SamlRefusedError):
        facing.read(base64.b64encode(raw).decode())
    assert peak() - before < 100 * MEGABYTE


@pytest.fixture(scope="module")
def facing():
    return Facing()


def test_signing_in_starts_no_program_and_writes_no_file(tmp_path):
    """With nothing in PATH and no place to write temporary files either."""
    done = subprocess.run(
        [sys.executable, "-c", SIGN_IN],
        cwd=ROOT,
        env={
            "PATH": "",
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("order", ["import xmlsec, lxml.etree", "import lxml.etree, xmlsec"])
def test_both_libraries_are_loaded_in_either_order_and_share_one_parser(order):
    code = f"{order}\nassert lxml.etree.LIBXML_VERSION[:2] == xmlsec.get_libxml_version()[:2]"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_refused_answers_leave_no_files_behind(facing, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for change in ("tampered", "wrapped_3", "other_audience", None):
        text = answer(facing.about(), change)
        if change is None:
            assert facing.read(text)
        else:
            with pytest.raises(SamlRefusedError):
                facing.read(text)
    assert list(tmp_path.iterdir()) == []


def test_many_threads_read_their_own_person():
    """One client serves them all: nobody reads another's answer."""
    facing = Facing()
    names = [f"G-{number}" for number in range(40)]
    texts = {name: answer(facing.about(name_id=name)) for name in names}
    begin = threading.Barrier(8)

    def read(name):
        if names.index(name) < 8:
            begin.wait(timeout=20)
        return facing.read(texts[name]).name_id

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, names))

    assert all(seen.endswith(name) for seen, name in zip(found, names, strict=True))


def test_thousands_of_refusals_do_not_add_up(facing):
    """What is refused leaves nothing in memory."""
    texts = [answer(facing.about(), change) for change in ("tampered", "doctype", "no_audience")]
    facing.descriptions.is_allowed = False

    def refuse(times):
        for number in range(times):
            with pytest.raises(SamlRefusedError):
                facing.read(texts[number % len(texts)])

    refuse(30)
    before = _resident()
    refuse(150)
    assert _resident() - before < 20 * MEGABYTE


def test_mutated_answers_over_http_get_a_neutral_page_and_open_nothing(database, vault, hub_keys):
    """What a browser is told of 150 bad answers: one page whatever is wrong, then that it is enough."""
    hostile, chances = Facing(), random.Random(9)
    hostile.descriptions.is_allowed = False
    client = make_app(
        database, vault, hub_keys, FakeInbox(), public_url=HUB, realm=hostile.provider
    ).test_client()
    told, pages = Counter(), set()
    for number in range(150):
        if number % 4 == 0:
            away = client.get("/connexion/depart?avec=compte", base_url=HUB)
            relay = parse_qs(urlsplit(away.headers["Location"]).query)["RelayState"][0]
            asked = database.one("SELECT id FROM saml_request WHERE relay_key = %s", (relay,))
        text = mutated(answer(hostile.about(request_id=asked["id"])), chances)
        page = client.post(
            "/saml/acs", data={"SAMLResponse": text, "RelayState": relay}, base_url=HUB
        )
        told[page.status_code] += 1
        if page.status_code == 403:
            pages.add(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "case", page.text))
        if page.status_code != 303:
            assert "parvis_session" not in str(page.headers.getlist("Set-Cookie"))

    assert told.keys() <= {303, 403, 429}, told
    assert (told[403], told[429] > 50) == (60, True), told
    assert len(pages) == 1
    kept = database.one("SELECT count(*) AS n FROM journal_entry WHERE type = 'identity.refused'")
    assert kept["n"] == 60


def _resident():
    pages = int(Path(f"/proc/{os.getpid()}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
