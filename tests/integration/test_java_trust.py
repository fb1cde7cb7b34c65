"""An authority that the machine knows and Java does not, with the real ``keytool``."""

import hashlib
import re
import ssl
import subprocess

import pytest

from identity.saml.keys import new_key_pair
from tools import java_trust, keycloak_server

pytestmark = pytest.mark.keycloak


@pytest.fixture(autouse=True)
def _java(keycloak):
    """Where the server runs, its Java is there too."""


def test_an_authority_of_the_bundle_is_trusted_besides_those_of_java(tmp_path, monkeypatch):
    _, certificate = new_key_pair("https://proxy.example.org")
    bundle = tmp_path / "bundle.crt"
    bundle.write_bytes(java_trust.BUNDLE.read_bytes() + b"\n" + certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))

    told = java_trust.options(tmp_path)

    store = told[0].partition("=")[2]
    listed = subprocess.run(
        ["keytool", "-list", "-keystore", store, "-storepass", java_trust.PASSWORD],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.decode())).hexdigest().upper()
    held = {found.replace(":", "") for found in re.findall("[0-9A-F:]{95}", listed)}
    assert ours in held
    assert len(held) > 100


def test_a_bundle_that_cannot_be_read_changes_nothing(tmp_path, monkeypatch):
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))

    assert java_trust.options(tmp_path) == []


def test_as_a_program_it_prints_one_option_a_line_and_for_none_nothing(tmp_path, monkeypatch):
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert keycloak_server._trust(tmp_path) == []

    bundle.write_bytes(new_key_pair("https://proxy.example.org")[1])
    assert [word[:2] for word in keycloak_server._trust(tmp_path)] == ["-D", "-D"]


def test_a_machine_whose_java_knows_them_all_needs_nothing(tmp_path, monkeypatch):
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))

    assert java_trust.options(tmp_path) == []
