"""All the measures of this version, one after the other: ``make bench``."""

import subprocess
import sys
from typing import Final

MEASURES: Final = (
    ("Parcours achevés par seconde, à côté d'autres moteurs", "benchmarks.journeys"),
    ("Relais vers RabbitMQ", "benchmarks.relay"),
    ("Un partenaire sur cinq ne répond plus", "benchmarks.hanging"),
    ("Mémoire d'un processus de travail", "benchmarks.worker_memory"),
    ("Le même débit avec un passé", "benchmarks.growth"),
    ("De l'événement au SMS", "benchmarks.event_to_sms"),
    ("Mémoire de la démonstration", "benchmarks.memory"),
    ("Événements acceptés par seconde, à côté du plancher", "benchmarks.intake"),
    ("Processeur d'un appel sortant, à côté de http.client", "benchmarks.transport"),
)
# those that have a smaller size
QUICK: Final = frozenset(
    {"benchmarks.journeys", "benchmarks.relay", "benchmarks.hanging", "benchmarks.worker_memory"}
)


def main(arguments: list[str]) -> int:
    """Run every measure, then calculate what they mean; returns the worst of their exit codes."""
    worst = 0
    for title, module in MEASURES:
        print(f"\n== {title} ({module})", flush=True)
        options = ["--quick"] if "--quick" in arguments and module in QUICK else []
        command = [sys.executable, "-m", module, *options]
        worst = max(worst, subprocess.run(command, check=False).returncode)
    capacity = subprocess.run([sys.executable, "-m", "benchmarks.capacity"], check=False)
    return max(worst, capacity.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
