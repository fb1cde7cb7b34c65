import hashlib
import zipfile

import pytest

from tools import keycloak_server, machine

MAVEN = """#!/bin/sh
for word in "$@"; do case "$word" in "") exit 3;; -DoutputDirectory=*) folder="${word#*=}";; esac; done
cp "$(dirname "$0")/server.zip" "$folder/server.zip"
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("PARVIS_TEST_KEYCLOAK_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "parvis" / "keycloak"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A path on which programs of the test's own are found, and nothing but the shell's besides."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def add(name, text):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    add("java", "#!/bin/sh\n")
    monkeypatch.delenv("PARVIS_TEST_KEYCLOAK_JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    add.folder = folder
    return add


@pytest.fixture
def archive(programs, monkeypatch):
    """A server whose build leaves a trace, as Maven would copy it."""
    path = programs.folder / "server.zip"
    top = f"keycloak-{keycloak_server.VERSION}"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr(f"{top}/bin/kc.sh", '#!/bin/sh\necho "$@" >>"$(dirname "$0")/../ran"\n')
        content.writestr(f"{top}/version.txt", "Keycloak - Version 26.7.5")
    programs("mvn", MAVEN)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(keycloak_server, "SHA256", digest)
    return path


def test_the_server_is_fetched_checked_built_and_then_left_alone(cache, archive):
    assert keycloak_server.home() is None

    assert keycloak_server.main([]) == 0
    assert keycloak_server.main([]) == 0

    folder = keycloak_server.home()
    assert folder == cache / "keycloak-26.7.5"
    assert (folder / "ran").read_text() == "build --db=dev-mem --health-enabled=true\n"
    assert keycloak_server.version(folder) == (26, 7, 5)
    assert not list(cache.glob("tmp*"))


def test_another_content_is_refused_in_one_sentence(cache, archive, monkeypatch, capsys):
    monkeypatch.setattr(keycloak_server, "SHA256", "0" * 64)

    assert keycloak_server.main([]) == 1
    assert "empreinte SHA-256" in capsys.readouterr().err
    assert keycloak_server.home() is None


def test_a_download_that_fails_says_so_in_one_sentence(cache, programs, capsys):
    programs("mvn", "#!/bin/sh\necho refused\nexit 1\n")

    assert keycloak_server.main([]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("Keycloak n'a pas été obtenu : Maven n'a pas pu le télécharger")
    assert keycloak_server.home() is None


def test_a_build_that_fails_leaves_no_half_server(cache, archive, monkeypatch):
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr(f"keycloak-{keycloak_server.VERSION}/bin/kc.sh", "#!/bin/sh\nexit 3\n")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(keycloak_server, "SHA256", digest)

    assert keycloak_server.main([]) == 1
    assert keycloak_server.home() is None


def test_a_named_server_that_is_none_is_told(cache, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PARVIS_TEST_KEYCLOAK_HOME", str(tmp_path))

    assert keycloak_server.main([]) == 1
    assert "PARVIS_TEST_KEYCLOAK_HOME" in capsys.readouterr().err
    assert keycloak_server.home() is None


def test_what_brings_the_server_is_maven_and_java():
    assert {need.package for need in machine.KEYCLOAK_NEEDS} == {
        "maven",
        "openjdk-17-jre-headless",
    }
