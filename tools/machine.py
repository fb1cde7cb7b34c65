"""Bring what tests or measures need from the machine: as root on Debian by apt-get, otherwise say how.

The tests decide themselves what is missing (tests/plugins/requirements.py); this only spares root the typing.
``machine.py bench`` brings what the measures need: PostgreSQL is not among it, they run the one of the
virtual environment. ``machine.py keycloak`` brings what fetches and runs Keycloak, which itself comes by
``keycloak_server.py``. Standard library only.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing wanted from the system, and where it shows when it is there."""

    title: str
    package: str
    programs: tuple[str, ...]
    variable: str = ""

    def is_met(self) -> bool:
        """Tell whether a variable names it or the machine has it."""
        named = os.environ.get(self.variable) if self.variable else None
        return bool(named) or any(shutil.which(program) for program in self.programs)


RABBITMQ = Need(
    title="RabbitMQ",
    package="rabbitmq-server",
    variable="PARVIS_TEST_RABBITMQ",
    programs=("/usr/lib/rabbitmq/bin/rabbitmq-server",),
)
JAVA = Need(
    title="Java",
    package="openjdk-17-jre-headless",
    variable="PARVIS_TEST_KEYCLOAK_JAVA_HOME",
    programs=("java",),
)
NEEDS = (
    Need(
        title="Chromium",
        package="chromium",
        variable="PARVIS_TEST_CHROMIUM",
        programs=("chromium", "chromium-browser", "google-chrome"),
    ),
    Need(
        title="PostgreSQL 15",
        package="postgresql-15",
        variable="PARVIS_TEST_POSTGRESQL_15",
        programs=("/usr/lib/postgresql/15/bin/postgres",),
    ),
    RABBITMQ,
    JAVA,
    Need(
        title="xmlsec1",
        package="xmlsec1",
        variable="PARVIS_TEST_XMLSEC1",
        programs=("xmlsec1",),
    ),
)
KEYCLOAK_NEEDS = (
    JAVA,
    Need(title="Maven", package="maven", programs=("mvn",)),
)
# the last two build and run one of the engines the product is measured beside
BENCH_NEEDS = (
    replace(RABBITMQ, variable=""),
    Need(title="Java (JDK)", package="default-jdk-headless", programs=("javac",)),
    Need(title="Maven", package="maven", programs=("mvn",)),
)
WITHOUT = {
    "tests": "les tests concernés seront sautés",
    "keycloak": "sans eux Keycloak ne s'installe pas",
    "bench": "sans RabbitMQ rien n'est mesuré, sans les autres Camel est laissé de côté",
}


def main(needs: tuple[Need, ...] = NEEDS, use: str = "tests") -> int:
    """Install what is missing when we may; returns the exit status."""
    missing = [need for need in needs if not need.is_met()]
    if not missing:
        return 0
    titles = ", ".join(need.title for need in missing)
    packages = [need.package for need in missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"Absents de cette machine : {titles} ; {WITHOUT[use]}.")
        print(f"Sous Debian : sudo apt-get install --no-install-recommends {' '.join(packages)}")
        return 0
    print(f"Installation de {titles} (apt-get) …", flush=True)
    return _install(packages)


def _install(packages: list[str]) -> int:
    # a package must not start a server behind our back: the tests run their own
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        policy.chmod(0o755)
    try:
        return _apt("update") or _apt("install", "-y", "--no-install-recommends", *packages)
    finally:
        if ours:
            policy.unlink()


def _apt(*arguments: str) -> int:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    ran = subprocess.run(
        ["apt-get", "-qq", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ran.returncode:
        print(ran.stdout, file=sys.stderr)
        print(f"Parvis : apt-get {arguments[0]} a échoué (voir ci-dessus).", file=sys.stderr)
    return ran.returncode


def bring_keycloak() -> None:
    """Bring the server of the sign-in tests; without it they say so themselves."""
    program = Path(__file__).with_name("keycloak_server.py")
    subprocess.run([sys.executable, str(program)], check=False)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bench"]:
            sys.exit(main(BENCH_NEEDS, "bench"))
        case ["keycloak"]:
            sys.exit(main(KEYCLOAK_NEEDS, "keycloak"))
    status = main()
    bring_keycloak()
    sys.exit(status)
