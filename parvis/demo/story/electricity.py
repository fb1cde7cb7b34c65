"""An electricity supplier announces a contract: record, code by text message, activation."""

from typing import Final

from parvis.demo.story.stage import Sent, Stage, milliseconds

COMMUNE: Final = "13055"
EVENT: Final = "utility.contract_opened.v1"


def play(stage: Stage) -> Sent:
    """Play the scene; returns the event, which a later scene sends again."""
    person, partner = stage.newcomer(), stage.sender_of(EVENT)
    sent = stage.announce(
        EVENT,
        commune=COMMUNE,
        has_person=True,
        channel="sms",
        newcomer=person,
    )
    stage.accepted(sent)
    stage.say(
        f"{partner['name']} annonce un contrat d'électricité {stage.at(COMMUNE)}, avec l'accord de "
        "la personne pour la préinscription et pour le code : reçu (202)."
    )
    row = stage.library_of(sent.source, sent.subject, COMMUNE)
    stage.then(f"Bibliothèque ouverte la plus proche : {row['shown']}.")
    run = stage.run_of(sent)
    code, delay = stage.text_with_code(run.id, person.phone, sent.at)
    stage.then(f"SMS remis à la passerelle {milliseconds(delay)} après l'annonce : code {code}.")
    record = stage.one_record(row, "provisional_category")
    service = stage.service(row["service_id"])
    stage.then(
        f"Fiche n° {record['patron_id']} créée dans le Koha de {service['name']}, "
        f"catégorie provisoire {record['category_id']}, référence {row['our_ref']}."
    )
    stage.awaited(
        lambda: (stage.run_of(sent)).is_waiting_for_code, "le parcours n'attend pas le code"
    )
    stage.activate(code)
    stage.ended(sent.source, sent.id)
    after = stage.one_record(row, "category")
    stage.must(after["patron_id"] == record["patron_id"], "une autre fiche a été activée")
    codes = stage.facts.codes(run.id)
    stage.must(len(codes) == 1 and codes[0]["redeemed_at"], "le code n'est pas marqué utilisé")
    stage.must(len(stage.gateway.messages(receiver=person.phone)) == 1, "plus d'un SMS est parti")
    stage.then(
        f"Code tapé sur la page d'activation : la fiche n° {after['patron_id']} passe en catégorie "
        f"{after['category_id']}. Le parcours est terminé : une fiche, un SMS."
    )
    return sent
