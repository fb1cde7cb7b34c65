"""A poster is scanned: the whole sign-up, as a telephone without JavaScript goes through it."""

import re
import time
from datetime import UTC, datetime
from typing import Any, Final

from mock_partners.senders import Newcomer
from parvis.demo.browser import Browser, Page
from parvis.demo.facts import Row
from parvis.demo.story.stage import CODE, Stage, milliseconds

DIGITS: Final = re.compile(r"(?<!\d)(\d{6})(?!\d)")
INTERESTS: Final = ["comics", "music"]
BOXES: Final = ("with_library", "with_interests", "interests")
HEAVIEST_PAGE: Final = 50 * 1024
PURPOSES: Final = {"access_code.delivery", "library.preregistration", "interests.profile"}


def play(stage: Stage) -> None:
    """Play the scene."""
    placement = next(each for each in stage.city.document["placements"] if each["status"] == "live")
    person, browser = stage.newcomer(), Browser(stage.hub)
    page = _landed(stage, browser, placement)
    contact = _started(stage, browser, page, placement["commune"])
    asked = _asked(stage, browser, contact, person)
    digits = _digits(stage, person)
    stage.then(f"Un SMS apporte le code de vérification à 6 chiffres ({digits}).")
    left_at = datetime.now(UTC)
    form = asked.form("code")
    form.fill(code=digits)
    code, shown = _shown(stage, browser, browser.send(asked, form))
    stage.then(f"Chiffres recopiés : le code d'accès {code} s'affiche à l'écran.")
    _kept(stage, person, code, shown, left_at, placement["commune"])


def _landed(stage: Stage, browser: Browser, placement: dict[str, Any]) -> Page:
    page = browser.get(f"/A/{placement['token']}")
    stage.must(page.status == 200, f"la page de l'affiche a répondu {page.status}")
    stage.must(placement["place_name"] in page.text, "la page ne nomme pas le lieu de l'affiche")
    stage.must("width=device-width" in page.body, "la page n'est pas faite pour un téléphone")
    stage.must(not browser.cookies, "la page pose un cookie avant le formulaire")
    weight = browser.weigh(page)
    stage.must(weight <= HEAVIEST_PAGE, f"la page pèse {weight // 1024} Ko")
    stage.say(
        f"Affiche {placement['token']} scannée : « {placement['place_name']} » "
        f"({stage.facts.commune(placement['commune'])['name']}). Page de {weight / 1024:.0f} Ko en "
        "tout, sans cookie, sans JavaScript, sans tiers."
    )
    return page


def _started(stage: Stage, browser: Browser, page: Page, commune: str) -> Page:
    page = browser.get(page.link("Commencer"))
    form = page.form("age", "code_postal")
    stage.must(not form.ticked, "une réponse est cochée d'avance")
    form.fill(age="26_64", code_postal=stage.facts.commune(commune)["postal_codes"][0])
    page = browser.send(page, form)
    ticked = set(page.form("with_library").ticked) & set(BOXES)
    stage.must(page.status == 200 and not ticked, f"cases cochées d'avance : {sorted(ticked)}")
    stage.then(
        "Tranche d'âge et code postal donnés. Les cases d'accord sont vides, comme il se doit."
    )
    return page


def _asked(stage: Stage, browser: Browser, page: Page, person: Newcomer) -> Page:
    form = page.form("with_library")
    form.fill(
        channel="sms",
        phone=_spoken(person.phone),
        with_library="y",
        family_name=person.family_name,
        given_name=person.given_name,
        with_interests="y",
        interests=INTERESTS,
    )
    page = browser.send(page, form)
    stage.must(
        page.status == 200 and page.url.endswith("/inscription/verification"),
        f"le formulaire a été refusé (réponse {page.status})",
    )
    stage.then("Mobile, nom et centres d'intérêt tapés, deux cases cochées par la personne.")
    return page


def _digits(stage: Stage, person: Newcomer) -> str:
    texts = stage.awaited(
        lambda: stage.gateway.messages(receiver=person.phone),
        "le code de vérification n'est pas arrivé",
    )
    found = DIGITS.search(texts[0]["text"])
    stage.must(found, "le SMS ne porte pas 6 chiffres")
    return found[1] if found else ""


def _shown(stage: Stage, browser: Browser, page: Page) -> tuple[str, Page]:
    """Follow the page that refreshes itself until it shows the code."""
    for _ in range(20):
        found = CODE.search(page.text)
        if found and page.url.partition("?")[0].endswith("/inscription/resultat"):
            return found[0], page
        stage.must(page.refresh, f"la page {page.url} ne mène pas au code (réponse {page.status})")
        time.sleep(0.5)
        page = browser.get(page.refresh or "")
    stage.must(False, "le code d'accès ne s'est pas affiché")  # noqa: FBT003 - the check failed
    raise AssertionError


def _kept(
    stage: Stage, person: Newcomer, code: str, page: Page, left_at: datetime, commune: str
) -> None:
    signup = stage.facts.newest_sign_up(stage.since)
    stage.must(signup, "l'inscription n'est pas dans la base")
    made: Row = signup or {}
    row = stage.library_of(made["source"], made["subject"], commune)
    stage.must(row["place"] in page.text, "la page ne nomme pas la bibliothèque choisie")
    texted, delay = stage.text_with_code(row["run_id"], person.phone, left_at)
    stage.must(texted == code, "le SMS et l'écran donnent deux codes")
    record = stage.one_record(row, "provisional_category")
    stage.must(stage.facts.purposes(row["citizen_id"]) == PURPOSES, "les accords notés diffèrent")
    stage.must(stage.facts.themes(row["citizen_id"]) == INTERESTS, "les intérêts notés diffèrent")
    stage.awaited(
        lambda: _parked(stage, made), "le parcours de l'affiche n'attend pas l'activation"
    )
    service = stage.service(row["service_id"])
    stage.then(
        f"Le même code part par SMS ({milliseconds(delay)}) ; fiche n° {record['patron_id']} créée "
        f"dans le Koha de {service['name']} ; bibliothèque la plus proche : {row['shown']}."
    )


def _parked(stage: Stage, made: Row) -> bool:
    run = stage.facts.run_of(made["source"], made["event_id"])
    return run is not None and run.is_waiting_for_code


def _spoken(phone: str) -> str:
    """Return a French number as people type it: « 06 39 98 12 34 »."""
    digits = "0" + phone.removeprefix("+33")
    return " ".join(digits[place : place + 2] for place in range(0, 10, 2))
