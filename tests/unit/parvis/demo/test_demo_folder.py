import base64
import json
import os
import stat
import subprocess
import sys

import pytest

from parvis.demo.folder import DemoFolder, public_key_of, read_json, write_private
from parvis.demo.options import DemoRefusedError
from parvis.settings import read_master_keys, read_secret_key


@pytest.fixture
def folder(tmp_path):
    made = DemoFolder(tmp_path / "demo")
    made.take()
    return made


def test_a_folder_is_made_with_its_logs(folder):
    assert folder.logs.is_dir()
    assert folder.drop.is_dir()
    assert (folder.path / "demo.lock").read_text() == f"{os.getpid()}\n"


def test_a_folder_that_another_process_holds_is_refused_with_its_number(folder):
    program = (
        "import sys; from pathlib import Path\n"
        "from parvis.demo.folder import DemoFolder\n"
        "from parvis.demo.options import DemoRefusedError\n"
        "try: DemoFolder(Path(sys.argv[1])).take()\n"
        "except DemoRefusedError as error: print(error)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", program, str(folder.path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "Une démonstration tourne déjà" in said
    assert f"processus {os.getpid()}" in said


def test_a_folder_with_somebody_elses_files_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(DemoRefusedError, match="n'est pas celui d'une démonstration"):
        DemoFolder(tmp_path).take()

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DemoRefusedError, match="ne peut pas servir"):
        DemoFolder(tmp_path / "file" / "demo").take()


def test_forgetting_empties_the_folder_but_keeps_it_ours(folder):
    folder.keep_keys()
    (folder.logs / "web.log").write_text("x")
    (folder.path / "link").symlink_to(folder.logs)

    folder.forget()

    assert sorted(path.name for path in folder.path.iterdir()) == [
        "demo.lock",
        "drop",
        "logs",
        "mail",
    ]
    assert list(folder.logs.iterdir()) == []
    assert folder.is_ours


def test_the_hubs_keys_are_made_once_and_are_what_the_settings_read(folder):
    folder.keep_keys()
    master, cookies = folder.master_key.read_text(), folder.secret_key.read_text()
    folder.keep_keys()

    assert (folder.master_key.read_text(), folder.secret_key.read_text()) == (master, cookies)
    assert len(read_master_keys(folder.master_key)) == 1
    assert len(read_secret_key(folder.secret_key)) >= 32
    assert stat.S_IMODE(folder.master_key.stat().st_mode) == 0o600


def test_secrets_are_kept_and_new_ones_added(folder):
    first = folder.keep_secrets({"a": "v1", "b": "v1a", "c": "word"})
    second = folder.keep_secrets({"a": "v1", "b": "v1a", "c": "word", "d": "word"})

    assert {name: second[name] for name in first} == first
    assert first["a"].startswith("whsec_")
    assert len(base64.b64decode(first["b"].removeprefix("whsk_"))) == 32
    assert len(set(second.values())) == 4
    assert stat.S_IMODE(folder.secrets.stat().st_mode) == 0o600


def test_the_public_half_of_a_key_proves_what_the_secret_half_signs(folder):
    from cryptography.hazmat.primitives.asymmetric import ed25519

    secret = folder.keep_secrets({"k": "v1a"})["k"]
    seed = base64.b64decode(secret.removeprefix("whsk_"))
    public = base64.b64decode(public_key_of(secret).removeprefix("whpk_"))

    signature = ed25519.Ed25519PrivateKey.from_private_bytes(seed).sign(b"text")

    ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, b"text")


def test_a_private_file_is_whole_or_not_there(tmp_path, folder):
    path = tmp_path / "state.json"

    write_private(path, json.dumps({"a": 1}))
    write_private(path, json.dumps({"a": 2}))

    assert read_json(path) == {"a": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.glob(".state*")] == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_a_torn_file_of_ours_counts_as_empty(tmp_path, content):
    path = tmp_path / "demo.json"
    path.write_bytes(content)

    assert read_json(path) == {}
    assert read_json(tmp_path / "missing.json") == {}
