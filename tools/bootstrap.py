"""Make the virtual environment from the hashed requirement files, fast and without a written address.

Standard library only, because it runs before anything is installed. pip (which knows how this machine
reaches its packages) installs uv; uv installs the rest five times faster. uv reads no pip configuration,
so what pip knows is handed to it in its environment for that one run, never in a file. Whatever uv cannot
do, pip does.

    python3 tools/bootstrap.py VENV requirements/demo.txt . [more distributions of this folder]
"""

import ast
import fcntl
import os
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BOOTSTRAP = ROOT / "requirements" / "bootstrap.txt"
OLDEST = (3, 11)
PIP_FLAGS = ("-q", "--disable-pip-version-check", "--no-input", "--no-compile")
HASHED = ("--require-hashes", "--no-deps", "-r")
# what pip's settings are called in uv's environment
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}


def main(folder: Path, requirements: Path, *rooms: str) -> int:
    """Install one requirement file and our own distributions; returns the exit status."""
    if sys.version_info < OLDEST:
        return _refuse(
            "Python 3.11 ou plus récent est nécessaire (PYTHON=/chemin/vers/python3.11)."
        )
    lock = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # two makes in one clone wait for each other; ends with us
    return _install(folder, requirements, _editable(rooms))


def _install(folder: Path, requirements: Path, editable: Sequence[str]) -> int:
    started = time.monotonic()
    print(f"Installation des dépendances ({requirements.name}) dans {folder} …", flush=True)
    if not _works(folder) and not _make(folder):
        return 1
    python = folder / "bin" / "python"
    if not _bootstrapped(python):
        return _refuse("pip n'a pas pu installer requirements/bootstrap.txt (voir ci-dessus).")
    if not any(install(python, requirements, editable) for install in (_with_uv, _with_pip)):
        return _refuse("l'installation a échoué (voir ci-dessus) ; relancez la même commande.")
    print(f"Dépendances installées en {time.monotonic() - started:.1f} s.", flush=True)
    return 0


def _works(folder: Path) -> bool:
    """Tell whether the environment is whole and still where it was made."""
    scripts = folder / "bin" / "pip"
    if not scripts.exists() or str(folder.resolve()) not in scripts.read_text(errors="replace"):
        return False
    return _run(folder / "bin" / "python", "-c", "import pip") == 0


def _make(folder: Path) -> bool:
    try:
        venv.create(folder, with_pip=True, clear=True, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        _refuse(
            f"l'environnement {folder} ne peut pas être créé ({type(error).__name__}) ; "
            "sous Debian : apt-get install python3-venv"
        )
        return False
    return True


def _bootstrapped(python: Path) -> bool:
    return _run(python, "-m", "pip", "install", *PIP_FLAGS, *HASHED, BOOTSTRAP) == 0


def _with_uv(python: Path, requirements: Path, editable: Sequence[str]) -> bool:
    uv = python.with_name("uv")
    install = (uv, "pip", "install", "-q", "--no-config", "--python", python)
    environment = os.environ | _uv_settings(python) | {"UV_LINK_MODE": "copy"}
    return (
        _run(*install, *HASHED, requirements, environment=environment) == 0
        and _run(*install, *editable, environment=environment) == 0
    )


def _with_pip(python: Path, requirements: Path, editable: Sequence[str]) -> bool:
    print("uv n'a pas pu, pip prend le relais …", flush=True)
    install = (python, "-m", "pip", "install", *PIP_FLAGS)
    return _run(*install, *HASHED, requirements) == 0 and _run(*install, *editable) == 0


def _editable(rooms: Sequence[str]) -> tuple[str, ...]:
    named = tuple(part for room in rooms for part in ("-e", str(ROOT / room)))
    return ("--no-deps", "--no-build-isolation", *named)


def _uv_settings(python: Path) -> dict[str, str]:
    """Translate what pip knows of this machine (files and environment) into uv's variables."""
    asked = subprocess.run(
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    settings: dict[str, str] = {}
    for scope in ("global.", "install.", ":env:."):  # the last one wins, as in pip
        for line in asked.stdout.splitlines():
            key, _, quoted = line.partition("=")
            name = UV_NAMES.get(key.removeprefix(scope)) if key.startswith(scope) else None
            if name:
                values = str(ast.literal_eval(quoted)).split()
                settings[name] = ("," if name == "UV_FIND_LINKS" else " ").join(values)
    # every file is checked against its hash, so any index may give it
    settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in settings.items() if name not in os.environ}


def _run(*command: object, environment: dict[str, str] | None = None) -> int:
    return subprocess.run([str(part) for part in command], env=environment, check=False).returncode


def _refuse(message: str) -> int:
    print(f"Parvis : {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
