"""All the measures of this version, one after the other: ``make bench``."""

import subprocess
import sys

MEASURES = (
    ("De l'événement au SMS", "benchmarks.event_to_sms"),
    ("Mémoire de la démonstration", "benchmarks.memory"),
    ("Événements acceptés par seconde, à côté du plancher", "benchmarks.intake"),
    ("Processeur d'un appel sortant, à côté de http.client", "benchmarks.transport"),
)


def main() -> int:
    """Run every measure; returns the worst of their exit codes."""
    worst = 0
    for title, module in MEASURES:
        print(f"\n== {title} ({module})", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", module], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
