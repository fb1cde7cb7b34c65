"""All the measures of this version, one after the other: ``make bench``.

About half an hour on two quiet cores; ``--quick`` takes smaller sizes where there are any, and
``--whole`` all peers, long passes and ten million stored runs (hours). The table and the capacity
page are made from what was measured, at the end; no measure's failure keeps another from running.
"""

import subprocess
import sys
import time
from typing import Final

# what it is, its module, the minutes it takes, what it is told by default and by --whole
MEASURES: Final = (
    ("Parcours achevés par seconde, à côté d'autres moteurs", "journeys", 8, ("--quick",), ()),
    ("Relais vers RabbitMQ", "relay", 2, (), ()),
    ("Un partenaire sur cinq ne répond plus", "hanging", 6, (), ()),
    ("Mémoire d'un processus de travail", "worker_memory", 5, (), ()),
    ("Le même débit avec un passé", "growth", 5, (), ("--whole",)),
    ("De l'événement au SMS", "event_to_sms", 1, (), ()),
    ("Mémoire de la démonstration", "memory", 1, (), ()),
    ("Événements acceptés par seconde, à côté du plancher", "intake", 2, (), ()),
    ("Un jeton vérifié, à côté du décodage nu de la bibliothèque", "token_check", 1, (), ()),
    ("Une réponse SAML vérifiée, à côté du programme xmlsec1", "saml_login", 1, (), ()),
    ("Processeur d'un appel sortant, à côté de http.client", "transport", 1, (), ()),
)
# those that have a smaller size
QUICK: Final = frozenset({"journeys", "relay", "hanging", "worker_memory"})


def main(arguments: list[str]) -> int:
    """Run every measure, then tell and calculate; returns the worst of their exit codes."""
    worst, begun = 0, time.monotonic()
    for title, name, minutes, usual, whole in MEASURES:
        at = (time.monotonic() - begun) / 60
        print(f"\n== {title} ({name}, environ {minutes} min, à {at:.1f} min)", flush=True)
        options = whole if "--whole" in arguments else usual
        if "--quick" in arguments:
            options = ("--quick",) if name in QUICK else ()
        worst = max(worst, _run(name, *options))
    print("\n== Tout ce qui a été mesuré", flush=True)
    worst = max(worst, _run("report"))
    return max(worst, _run("capacity"))


def _run(name: str, *options: str) -> int:
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    return abs(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
