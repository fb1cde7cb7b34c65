import re

import pytest

from web.layout import catalogues, languages
from web.layout.languages import OFFERED

DOMAINS = [
    (domain, language)
    for domain in catalogues.FOLDERS
    for language in OFFERED
    if len(catalogues.extracted(domain))
]


@pytest.mark.parametrize(("domain", "language"), DOMAINS)
def test_every_text_of_the_pages_is_in_its_catalogue_and_no_other(domain, language):
    kept = {message.id for message in catalogues.read(domain, language) if message.id}
    assert kept == {message.id for message in catalogues.extracted(domain) if message.id}


@pytest.mark.parametrize(("domain", "language"), DOMAINS)
def test_no_text_is_left_untranslated(domain, language):
    assert catalogues.untranslated(catalogues.read(domain, language)) == []


@pytest.mark.parametrize(("domain", "language"), DOMAINS)
def test_placeholders_survive_translation(domain, language):
    for message in catalogues.read(domain, language):
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        wanted = set(re.findall(r"%\(\w+\)[sd]", str(message.id)))
        found = set(re.findall(r"%\(\w+\)[sd]", " ".join(texts)))
        assert not message.id or wanted == found, message.id


@pytest.mark.parametrize(("domain", "language"), DOMAINS)
def test_the_compiled_catalogue_is_the_one_of_its_text(domain, language):
    path = catalogues.catalogue_path(domain, language)
    assert path.read_bytes() == catalogues.po_bytes(catalogues.updated(domain, language))
    compiled = path.with_suffix(".mo").read_bytes()
    assert compiled == catalogues.mo_bytes(catalogues.read(domain, language))


def test_an_empty_translation_is_seen():
    catalogue = catalogues.read("citizen", "en")
    message = next(message for message in catalogue if message.id)
    message.string = ""
    assert catalogues.untranslated(catalogue) == [str(message.id)]


def test_french_is_set_as_printers_do():
    assert catalogues.typeset("C'est où ?") == "C\u2019est o\u00f9\u202f?"
    assert catalogues.typeset("« ici » : oui") == "«\u00a0ici\u00a0»\u00a0: oui"
    assert catalogues.typeset("06 39 98 00 01") == "06\u00a039\u00a098\u00a000\u00a001"


def test_easy_french_and_arabic_have_their_place_before_their_catalogue():
    known = {language.tag: language for language in languages.LANGUAGES}
    assert known["fr-x-falc"].direction == "ltr"
    assert known["ar"].direction == "rtl"
    assert not {"fr-x-falc", "ar"} & set(OFFERED)
