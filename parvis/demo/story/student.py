"""A student card on the day the library's system is down: the journey waits and ends by itself."""

from collections.abc import Mapping
from typing import Any, Final

from parvis.demo.facts import Run
from parvis.demo.story.stage import Sent, Stage, milliseconds

COMMUNE: Final = "13001"
EVENT: Final = "student_card.issued.v1"


def play(stage: Stage) -> None:
    """Play the scene; the fault is always cleared behind us."""
    person, partner = stage.newcomer(), stage.sender_of(EVENT)
    service = _service(stage)
    system = stage.system(service["id"])
    system.arm("down")
    try:
        stage.say(f"Le Koha de {service['name']} est arrêté (panne provoquée).")
        sent = stage.announce(
            EVENT,
            commune=COMMUNE,
            has_person=True,
            channel="sms",
            newcomer=person,
        )
        stage.accepted(sent)
        stage.say(
            f"{partner['name']} annonce une carte d'étudiant {stage.at(COMMUNE)}, nom et contact "
            "avec accord : reçu (202)."
        )
        row = stage.library_of(sent.source, sent.subject, COMMUNE)
        stage.then(f"Bibliothèque ouverte la plus proche : {row['shown']}.")
        run = stage.run_of(sent)
        code, delay = stage.text_with_code(run.id, person.phone, sent.at)
        stage.then(
            f"SMS remis à la passerelle {milliseconds(delay)} après l'annonce : code {code}."
        )
        waiting = stage.awaited(lambda: _waiting(stage, sent), "le parcours n'attend pas Koha")
        tries = _failed_tries(stage, waiting)
        stage.must(not system.patrons(row["our_ref"]), "une fiche existe pendant la panne")
        stage.then(f"Koha ne répond pas : {tries} essais, le parcours attend (lu en base).")
        stage.activate(code)
        stage.then("L'étudiante tape son code pendant la panne : il est pris en compte.")
    finally:
        system.mend()
    stage.say("Koha est de retour.")
    stage.ended(sent.source, sent.id)
    record = stage.one_record(row, "category")
    stage.must(len(stage.gateway.messages(receiver=person.phone)) == 1, "plus d'un SMS est parti")
    stage.then(
        f"Le parcours a repris et s'est terminé seul : fiche n° {record['patron_id']} en catégorie "
        f"{record['category_id']}. Une fiche, un SMS."
    )


def _service(stage: Stage) -> Mapping[str, Any]:
    """Return the library service of the commune's territory."""
    territories = stage.city.document["territories"]
    territory = next(each["id"] for each in territories if COMMUNE in each["communes"])
    services: list[Mapping[str, Any]] = stage.city.document["services"]
    return next(each for each in services if each.get("territory") == territory)


def _waiting(stage: Stage, sent: Sent) -> Run | None:
    run = stage.run_of(sent)
    return run if run.status == "waiting_timer" else None


def _failed_tries(stage: Stage, run: Run) -> int:
    tries = [each for each in stage.facts.steps(run.id) if each["name"] == "preregister"]
    stage.must(
        tries and all(each["outcome"] in {"error", "unknown", "deferred"} for each in tries),
        "les essais manqués ne sont pas notés",
    )
    return len(tries)
