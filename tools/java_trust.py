"""Whom Java trusts, as this machine does: a store with the authorities of the system's bundle that Java lacks.

A network that opens TLS on its way has an authority of its own. Programs find it in the bundle (or in the
file ``SSL_CERT_FILE`` names), Java only in a store of its own. ``python tools/java_trust.py FOLDER``
prints the options for Java, one a line. Standard library only.
"""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

STORE = Path("/etc/ssl/certs/java/cacerts")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PASSWORD = "changeit"  # noqa: S105 - every Java's; the store holds nothing secret
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_FINGERPRINT = re.compile(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")
_SECONDS = 60


def options(folder: Path) -> list[str]:
    """Return the options that make Java trust this machine's authorities; none when it does already.

    Args:
        folder: Where a store may be written; it must outlive the program that is given the options.
    """
    bundle = Path(os.environ.get("SSL_CERT_FILE") or BUNDLE)
    if not (shutil.which("keytool") and STORE.is_file() and bundle.is_file()):
        return []
    try:
        store = _store(folder, list(_lacking(bundle)))
    except (subprocess.SubprocessError, OSError, ValueError):
        return []  # what Java trusts by itself may be enough
    if store is None:
        return []
    return [
        f"-Djavax.net.ssl.trustStore={store}",
        f"-Djavax.net.ssl.trustStorePassword={PASSWORD}",
    ]


def _store(folder: Path, lacking: list[str]) -> Path | None:
    if not lacking:
        return None
    store, file = folder / "authorities", folder / "authority.pem"
    shutil.copyfile(STORE, store)
    for number, certificate in enumerate(lacking):
        file.write_text(certificate, encoding="ascii")
        _keytool(store, "-importcert", "-noprompt", "-alias", f"machine-{number}", "-file", file)
    return store


def _lacking(bundle: Path) -> Iterator[str]:
    held = {found.replace(":", "") for found in _FINGERPRINT.findall(_keytool(STORE, "-list"))}
    for certificate in _CERTIFICATE.findall(bundle.read_text(encoding="latin-1")):
        binary = ssl.PEM_cert_to_DER_cert(certificate)
        if hashlib.sha256(binary).hexdigest().upper() not in held:
            yield certificate


def _keytool(store: Path, *command: str | Path) -> str:
    ran = subprocess.run(
        ["keytool", *command, "-keystore", store, "-storepass", PASSWORD],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    return ran.stdout


if __name__ == "__main__":
    for option in options(Path(sys.argv[1])):
        print(option)
