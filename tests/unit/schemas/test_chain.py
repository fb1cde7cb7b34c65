"""The journal's chain and both verifiers: whatever is changed is found, by ours and by the one file for others."""

import datetime as dt
import hashlib
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas import chain, jcs
from schemas.chain import START, Checkpoint, Link
from tools import parvis_verify

FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def sealed(links):
    """The same entries with places and hashes as the sealer gives them."""
    found, prev = [], START
    for seq, link in enumerate(links, start=1):
        bare = replace(link, seq=seq, prev=prev)
        found.append(replace(bare, hash=bare.expected_hash()))
        prev = found[-1].hash
    return found


def entry(number, **changes):
    values = {
        "seq": 0,
        "at": FIRST + dt.timedelta(seconds=number, microseconds=number),
        "type": "identity.linked",
        "actor_ref": f"staff:{number % 7}",
        "subject_ref": None if number % 3 else f"é-{number}",
        "case_ref": None,
        "leaf": hashlib.sha256(str(number).encode()).digest(),
        "prev": START,
        "hash": START,
    }
    return Link(**values | changes)


def checkpoint_of(links, key=KEY):
    head = links[-1].hash if links else START
    at = chain.moment(FIRST)
    return Checkpoint.signed(key, origin="https://a.example", size=len(links), head=head, at=at)


def verdicts(links, checkpoint):
    """What our verifier says and what the one for others says of the same journal."""
    ours = chain.verify(links, checkpoint)
    lines = [json.dumps(link.as_json()) for link in links]
    theirs = parvis_verify.verify(map(json.loads, lines), checkpoint.as_json())
    return (ours.size, ours.fault), theirs


def test_the_published_check_value_comes_out():
    leaf = hashlib.sha256(b"\x10" + bytes(16) + jcs.canonical({"action": "linked"})).digest()
    link = entry(0, seq=1, at=FIRST, actor_ref="a", subject_ref="s", leaf=leaf)

    assert leaf.hex() == "a8eaae61a970897a1be9abbbced393600ab31f9dfc862077bd0963ae72cffb7f"
    expected = "b587bd82ca1c3d63336aa251a68ca8238840edb377332db27956888685ec3e97"
    assert link.expected_hash().hex() == expected
    assert parvis_verify.link_hash(link.as_json()) == expected


def edited(links, at, chance):
    name, value = chance.choice(
        [
            ("type", "identity.unlinked"),
            ("actor_ref", "staff:x"),
            ("actor_ref", None),
            ("subject_ref", "someone"),
            ("case_ref", "case"),
            ("leaf", chance.randbytes(32)),
            ("prev", chance.randbytes(32)),
            ("hash", chance.randbytes(32)),
            ("seq", at + 1 + chance.choice([-1, 1, 5])),
            ("at", links[at].at + dt.timedelta(microseconds=1)),
        ]
    )
    links[at] = replace(links[at], **{name: value})


def deleted(links, at, chance):
    del links[at]


def doubled(links, at, chance):
    links.insert(at, links[at])


def reordered(links, at, chance):
    other = (at + chance.randrange(1, len(links))) % len(links)
    links[at], links[other] = links[other], links[at]


def inserted(links, at, chance):
    forged = entry(1000 + at, seq=at + 1, prev=links[at].prev)
    links.insert(at, replace(forged, hash=forged.expected_hash()))


def truncated(links, at, chance):
    del links[at:]


def forked(links, at, chance):
    """Change one entry and give everything after it new hashes: the chain itself is perfect."""
    links[at] = replace(links[at], leaf=chance.randbytes(32))
    links[:] = sealed(links)


def emptied_and_rewritten(links, at, chance):
    links[:] = sealed([entry(5000 + number) for number in range(len(links) + at)])


TAMPERINGS = (
    *(edited, deleted, doubled, reordered, inserted, truncated, forked, emptied_and_rewritten),
)


def test_a_thousand_tamperings_are_all_found_by_both_verifiers():
    chance = random.Random(20261123)
    good = sealed([entry(number) for number in range(24)])
    checkpoint = checkpoint_of(good)
    assert verdicts(good, checkpoint) == ((24, None), (24, None))
    kept = checkpoint.as_json()
    for number in range(1000):
        links = list(good)
        tamper = TAMPERINGS[number % len(TAMPERINGS)]
        tamper(links, chance.randrange(len(good)), chance)
        ours = chain.verify(links, checkpoint)
        lines = [json.dumps(link.as_json()) for link in links]
        theirs = parvis_verify.follow(map(json.loads, lines), kept)
        assert ours.fault is not None, (number, tamper.__name__)
        assert theirs == (ours.size, ours.fault), (number, tamper.__name__)


def test_a_journal_that_grew_since_its_checkpoint_holds():
    links = sealed([entry(number) for number in range(9)])

    assert verdicts(links, checkpoint_of(links[:4])) == ((9, None), (9, None))
    assert verdicts(links, checkpoint_of([])) == ((9, None), (9, None))


@pytest.mark.parametrize(
    "change",
    [
        {"size": 3},
        {"origin": "https://b.example"},
        {"at": "2026-01-02T00:00:00.000000Z"},
        {"head": bytes(32)},
        {"key_id": "0" * 32},
        {"signature": bytes(64)},
        {"signature": b"short"},
        {"public_key": bytes(32)},
        {"public_key": b"\xff" * 32},
    ],
)
def test_a_checkpoint_that_was_changed_is_believed_by_nobody(change):
    links = sealed([entry(number) for number in range(4)])
    forged = replace(checkpoint_of(links), **change)

    assert verdicts(links, forged) == ((0, "checkpoint"), (0, "checkpoint"))


def test_a_checkpoint_of_another_key_is_refused_by_whoever_knows_ours():
    links = sealed([entry(number) for number in range(4)])
    other = checkpoint_of(links, Ed25519PrivateKey.generate()).as_json()
    ours = checkpoint_of(links).as_json()
    lines = [link.as_json() for link in links]

    assert parvis_verify.verify(lines, other) == (4, None)
    assert parvis_verify.verify(lines, other, ours["key_id"]) == (0, "checkpoint")
    assert parvis_verify.verify(lines, ours, ours["key_id"]) == (4, None)


def test_signatures_are_verified_as_the_reference_does():
    public = KEY.public_key().public_bytes_raw()
    for number in range(8):
        message = bytes([number]) * number
        signature = KEY.sign(message)
        assert parvis_verify.is_signature(public, message, signature)
        assert not parvis_verify.is_signature(public, message + b"x", signature)
        above = int.from_bytes(signature[32:], "little") + parvis_verify.ORDER
        doubled_s = signature[:32] + above.to_bytes(32, "little")
        assert not parvis_verify.is_signature(public, message, doubled_s)


def test_a_file_that_is_no_checkpoint_is_told():
    good = checkpoint_of([]).as_json()
    assert Checkpoint.read(good).as_json() == good
    for bad in ({}, {**good, "size": True}, {**good, "size": -1}, {**good, "head": "00"}, []):
        with pytest.raises(ValueError, match="checkpoint"):
            Checkpoint.read(bad)


def test_the_one_file_runs_where_nothing_of_ours_is_installed(tmp_path):
    links = sealed([entry(number) for number in range(5)])
    export, kept = tmp_path / "export.jsonl", tmp_path / "checkpoint.json"
    kept.write_text(json.dumps(checkpoint_of(links).as_json()))
    program = [
        sys.executable,
        "-I",
        "-S",
        str(Path(parvis_verify.__file__)),
        str(export),
        str(kept),
    ]

    def run(lines):
        export.write_text("".join(json.dumps(link.as_json()) + "\n" for link in lines))
        done = subprocess.run(program, capture_output=True, text=True, timeout=20, check=False)
        return done.returncode, done.stdout

    assert run(links) == (0, "Verified: 5 entries, checkpoint at 5\n")
    code, out = run(links[:-1])
    assert code == 1
    assert "the end is missing" in out
