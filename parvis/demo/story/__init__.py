"""The story of the demonstration, scene by scene, in the order it is played."""

from collections.abc import Callable, Mapping
from typing import Final

from parvis.demo.story import electricity, identity, leases, poster, repeats, student
from parvis.demo.story.stage import DidNotHappenError, Sent, Stage

__all__ = ["SCENES", "DidNotHappenError", "Stage", "play"]

SCENES: Final[Mapping[str, str]] = {
    "electricity": "Un contrat d'électricité",
    "leases": "Deux baux",
    "student": "Une carte d'étudiant, un jour de panne",
    "poster": "Une affiche scannée",
    "identity": "Une seule identité",
    "repeats": "Trois envois qui ne changent rien",
}


def play(stage: Stage, heading: Callable[[str], None]) -> None:
    """Play every scene.

    Raises:
        DidNotHappenError: something did not happen; the rest is not played.
    """
    heading(SCENES["electricity"])
    first: Sent = electricity.play(stage)
    heading(SCENES["leases"])
    leases.play(stage)
    heading(SCENES["student"])
    student.play(stage)
    heading(SCENES["poster"])
    poster.play(stage)
    heading(SCENES["identity"])
    identity.play(stage)
    heading(SCENES["repeats"])
    repeats.play(stage, first)
