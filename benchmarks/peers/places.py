"""Where each peer lives: a virtual environment or a built jar of its own under ``.cache``.

``python -m benchmarks.peers.places [NAME …]`` makes those that are missing.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from benchmarks.lab.figures import ROOT

CACHE: Final = ROOT / ".cache" / "peers"
HERE: Final = Path(__file__).parent
PYTHON_PEERS: Final = ("celery", "dbos", "dramatiq", "procrastinate")


def python_of(peer: str) -> Path:
    """Return the interpreter of a Python peer, its environment made when it is missing."""
    folder, wanted = CACHE / peer, HERE / f"{peer}.txt"
    python, mark = folder / "bin" / "python", folder / "installed.txt"
    if not mark.exists() or mark.read_text() != wanted.read_text():
        print(f"environment of {peer} …", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "-r", str(wanted)]
        subprocess.run(command, check=True)
        mark.write_text(wanted.read_text())
    return python


def camel_class_path() -> str:
    """Return the class path of the Camel peer, built when its sources are newer."""
    target = CACHE / "camel"
    jar = target / "camel-three-calls-1.jar"
    sources = [HERE / "camel" / "pom.xml", *(HERE / "camel" / "src").rglob("*.*")]
    if not jar.exists() or jar.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        if not shutil.which("mvn") or not shutil.which("java"):
            raise FileNotFoundError("Camel : apt-get install maven openjdk-17-jdk-headless")
        print("building the Camel peer …", file=sys.stderr, flush=True)
        subprocess.run(
            ["mvn", "-q", "-B", "clean", "package"],
            cwd=HERE / "camel",
            env={**os.environ, "CAMEL_TARGET": str(target)},
            check=True,
        )
    return f"{jar}:{target / 'dependency'}/*"


def main(names: list[str]) -> int:
    """Make what is missing."""
    for name in names or ["camel", *PYTHON_PEERS]:
        print(name, camel_class_path() if name == "camel" else python_of(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
