"""The same event again, then its id with another body, then a bad signature: nothing changes."""

from collections.abc import Mapping
from typing import Any

from parvis.demo.story.stage import Sent, Stage, shown


def play(stage: Stage, first: Sent) -> None:
    """Play the scene with an event that was accepted before."""
    partner = next(p for p in stage.city.document["partners"] if p["id"] == first.sender)
    before = _everything(stage)
    again = stage.send(first.sender, first.event)
    stage.must(
        again.status == 202 and again.outcome == "duplicate",
        f"le même événement a reçu {again.status} « {again.outcome} »",
    )
    _unchanged(stage, before, "le même événement")
    stage.say(
        f"{partner['name']} envoie encore le même événement : même réponse (202), rien n'est refait."
    )
    other = {**first.event, "data": {**first.event["data"], "commune": "13001"}}
    reused = stage.send(first.sender, other)
    stage.must(
        reused.status == 422 and _slug(reused.answer) == "event-id-reused",
        f"le même identifiant avec un autre contenu a reçu {reused.status}",
    )
    _unchanged(stage, before, "le même identifiant")
    stage.say("Le même identifiant avec un autre contenu : refusé (422), rien ne change.")
    _badly_signed(stage, first)
    _unchanged(stage, before, "la mauvaise signature")
    stage.say("Une signature fausse : refusée (401), rien ne change.")


def _badly_signed(stage: Stage, first: Sent) -> None:
    stage.senders.arm("bad_signature", kind="key", times=1)
    try:
        event = {**first.event, "id": f"{first.id[:-4]}beef", "subject": f"{first.subject}-x"}
        forged = stage.send(first.sender, event)
    finally:
        stage.senders.mend()
    stage.must(forged.status == 401, f"une signature fausse a reçu {forged.status}")


def _everything(stage: Stage) -> str:
    """Return all that an event could have changed: rows, and effects in every system."""
    effects = {
        name: sum(entry["effect"] is not None for entry in mock.journal())
        for name, mock in stage.mocks.items()
        if name != "senders"
    }
    return shown({"rows": stage.facts.traces(), "effects": effects})


def _unchanged(stage: Stage, before: str, what: str) -> None:
    stage.must(_everything(stage) == before, f"{what} a changé quelque chose")


def _slug(answer: Any) -> str | None:
    kind = answer.get("type") if isinstance(answer, Mapping) else None
    return str(kind).rsplit("/", 1)[-1] if kind else None
