"""One identity: a newcomer signs in, finds the pre-registration by its code, and signs out everywhere."""

import re
from typing import Final

from parvis.demo.browser import Browser, Form, Page
from parvis.demo.city import FRANCECONNECT, IDENTITY
from parvis.demo.story.stage import Sent, Stage

COMMUNE: Final = "13055"
EVENT: Final = "utility.contract_opened.v1"
FRANCECONNECT_PERSON: Final = "marseille"
NEWCOMER: Final = re.compile(r'name="person" value="(nouveau-[0-9a-f]{8})"')


def play(stage: Stage) -> None:
    """Play the scene."""
    sent, code = _announced(stage)
    beside = (stage.mocks[name].url for name in (IDENTITY, FRANCECONNECT) if name in stage.mocks)
    browser = Browser(stage.hub, stage.city.identity_url, *beside)
    space = _signed_in(stage, browser)
    stage.must(code not in space.text, "le code était déjà dans l'espace")
    _code_typed(stage, browser, sent, code)
    _signed_out(stage, browser)
    stage.ended(sent.source, sent.id)


def _announced(stage: Stage) -> tuple[Sent, str]:
    person, partner = stage.newcomer(), stage.sender_of(EVENT)
    sent = stage.announce(EVENT, commune=COMMUNE, has_person=True, channel="sms", newcomer=person)
    stage.accepted(sent)
    run = stage.run_of(sent)
    code, _ = stage.text_with_code(run.id, person.phone, sent.at)
    stage.say(
        f"{partner['name']} annonce un contrat {stage.at(COMMUNE)} ; la personne reçoit par SMS le "
        f"code {code} et le garde pour le soir."
    )
    stage.awaited(
        lambda: stage.run_of(sent).is_waiting_for_code, "le parcours n'attend pas le code"
    )
    return sent, code


def _signed_in(stage: Stage, browser: Browser) -> Page:
    choice = _departed(browser)
    chosen = _chosen_by_the_double if IDENTITY in stage.mocks else _chosen_at_franceconnect
    carrying = chosen(stage, browser, choice)
    space = browser.send(carrying, carrying.form("SAMLResponse"))
    stage.must(space.url.endswith("/mon-espace"), "la connexion n'a pas ouvert Mon espace")
    stage.must("Aucun service" in space.text, "un espace neuf n'est pas vide")
    stage.then("Le soir, connexion par le bouton FranceConnect : Mon espace s'ouvre, vide.")
    return space


def _departed(browser: Browser) -> Page:
    """Press the button; returns the page that asks who it is."""
    ways = browser.get("/connexion").links
    return browser.get(next(where for where, _ in ways if "avec=franceconnect" in where))


def _chosen_by_the_double(stage: Stage, browser: Browser, choice: Page) -> Page:
    found = NEWCOMER.search(choice.body)
    stage.must(found, "le service de connexion ne propose personne")
    form = choice.form("visit")
    form.fill(person=found[1] if found else "")
    return browser.send(choice, form)


def _chosen_at_franceconnect(_stage: Stage, browser: Browser, choice: Page) -> Page:
    """Say who it is and agree, on the pages of FranceConnect's double behind the real Keycloak."""
    form = _form_to(choice, "/login")
    form.fill(person=FRANCECONNECT_PERSON)
    consent = browser.send(choice, form)
    form = _form_to(consent, "/confirm")
    form.fill(choice="continue")
    return browser.send(consent, form)


def _code_typed(stage: Stage, browser: Browser, sent: Sent, code: str) -> None:
    page = browser.get("/mon-espace/code")
    form = page.form("code")
    form.fill(code=code)
    space = browser.send(page, form)
    row = stage.facts.preregistration(sent.source, sent.subject)
    stage.must(row and row["our_ref"] in space.text, "la préinscription n'est pas dans Mon espace")
    owner = stage.facts.owner(sent.source, sent.subject)
    stage.must(owner["state"] == "active", "la préinscription n'est pas à la personne connectée")
    stage.must(owner["journalled"], "le journal ne dit rien du code")
    stage.then(
        f"Le code tapé (ni nom, ni adresse) range la préinscription {row['our_ref'] if row else ''} "
        "dans Mon espace ; la personne annoncée n'existe plus, le journal le dit."
    )


def _signed_out(stage: Stage, browser: Browser) -> None:
    space = browser.get("/mon-espace")
    left = browser.send(space, _form_to(space, "/deconnexion"))
    stage.must(left.refresh, "la déconnexion ne passe pas par le service de connexion")
    page = browser.get(left.refresh or "/")
    for form in page.forms:
        if "SAMLResponse" in form.values:
            page = browser.send(page, form)
    stage.must(page.url.endswith("/au-revoir"), "la déconnexion ne revient pas chez nous")
    again = browser.get("/mon-espace")
    stage.must("/connexion" in again.url, "Mon espace s'ouvre encore après la déconnexion")
    asked = _departed(browser)
    is_known = any("SAMLResponse" in form.values for form in asked.forms)
    stage.must(not is_known and asked.forms, "le service de connexion garde une session")
    stage.then("« Se déconnecter » ferme Mon espace et la session du service de connexion.")


def _form_to(page: Page, place: str) -> Form:
    for form in page.forms:
        if form.action.endswith(place):
            return form
    msg = f"no form to {place}"
    raise LookupError(msg)
