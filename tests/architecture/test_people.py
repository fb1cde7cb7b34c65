"""Nobody in the project's files exists: addresses under example domains, telephones kept for fiction."""

import re

from tests.architecture.tree import files, name_of, text

ADDRESS = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._%+-]*@(?P<domain>([A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,})\b"
)
INVENTED = re.compile(r"(^|\.)(example\.(org|com|net)|[a-z0-9-]+\.(invalid|test|example))$")
# French numbers, as written by people or in E.164; a longer run of digits is no telephone
TELEPHONE = re.compile(r"(?<![\d.,:+\w-])(?:\+33|0033|0)[ .]?[1-9](?:[ .]?\d{2}){4}(?![\d\w])")
# numbers that the regulator keeps for works of fiction
FICTION = re.compile(r"0(199|261|353|465|536)00\d{4}|063998\d{4}")
# public data of the State: the telephones of libraries and museums, as published
PUBLISHED = ("parvis/data/",)
# digits in their order are an alphabet
ALPHABET = "0123456789"


def _ours():
    return [path for path in files() if not name_of(path).startswith((*PUBLISHED, "requirements/"))]


def test_every_address_is_under_an_example_domain():
    found = {
        f"{name_of(path)}: {match['domain']}"
        for path in _ours()
        for match in ADDRESS.finditer(text(path))
        if not INVENTED.search(match["domain"].lower())
    }

    assert found == set()


def test_every_telephone_is_kept_for_fiction():
    found = {
        f"{name_of(path)}: {match[0]}"
        for path in _ours()
        for match in TELEPHONE.finditer(text(path))
        if match[0] != ALPHABET and not FICTION.fullmatch(_national(match[0]))
    }

    assert found == set()


def _national(number):
    digits = re.sub(r"\D", "", number)
    return "0" + digits.removeprefix("0033").removeprefix("33") if len(digits) > 10 else digits
