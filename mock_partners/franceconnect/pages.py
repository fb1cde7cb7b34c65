"""The pages people see: who they are, what will be given, what went wrong. They work without JavaScript."""

from collections.abc import Iterable
from html import escape

from mock_partners.franceconnect.grants import Interaction
from mock_partners.franceconnect.people import PEOPLE, Person
from mock_partners.wire import Answer

__all__ = ["choice", "consent", "failure", "goodbye"]

HTML = "text/html; charset=utf-8"
LABELS = {
    "given_name": "Prénoms",
    "family_name": "Nom de naissance",
    "preferred_username": "Nom d'usage",
    "birthdate": "Date de naissance",
    "gender": "Sexe",
    "birthplace": "Lieu de naissance",
    "birthcountry": "Pays de naissance",
    "email": "Adresse électronique",
    "idp_birthdate": "Date de naissance déclarée à votre compte",
    "idp_id": "Fournisseur d'identité utilisé",
}
STYLE = (
    "body{font-family:sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#161616}"
    "button{display:block;width:100%;padding:.7rem;margin:.4rem 0;text-align:left;font-size:1rem}"
    "dt{font-weight:bold}dd{margin:0 0 .6rem}"
)


def choice(interaction: Interaction, *, base: str) -> Answer:
    """Who signs in: the invented people, in place of the identity providers."""
    action = f"{base}/interaction/{interaction.id}/login"
    rows = "".join(_person(person) for person in PEOPLE.values())
    return _page(
        "Je choisis un compte pour me connecter",
        "<p>Doublure de FranceConnect pour les essais : aucune de ces personnes n'existe.</p>"
        f'<form method="post" action="{escape(action)}">{rows}</form>' + _leave(interaction, base),
    )


def consent(interaction: Interaction, *, base: str, client: str, given: Iterable[str]) -> Answer:
    """What the service will receive, before it does."""
    action = f"{base}/interaction/{interaction.id}/confirm"
    person = interaction.person
    assert person is not None  # noqa: S101  this page comes after the choice
    claims = person.claims()
    names = [name for name in LABELS if name in set(given) and name in claims]
    rows = "".join(
        f"<dt>{LABELS[name]}</dt><dd>{escape(str(claims[name])) or '(vide)'}</dd>" for name in names
    )
    return _page(
        "Vous allez transmettre vos informations",
        f"<p>{escape(client)} recevra :</p><dl>{rows}</dl>"
        f'<form method="post" action="{escape(action)}">'
        f'<button name="choice" value="continue">Continuer vers {escape(client)}</button></form>'
        + _leave(interaction, base),
    )


def failure(code: str, text: str, *, status: int = 400) -> Answer:
    """The page of an error that is not sent back to the service."""
    return _page(
        "Une erreur est survenue",
        f"<p>{escape(text)}</p><p>Code d'erreur : <strong>{escape(code)}</strong></p>",
        status=status,
    )


def goodbye() -> Answer:
    """What is left when nobody asked to come back."""
    return _page("Vous êtes déconnecté", "<p>Vous pouvez fermer cette page.</p>")


def _person(person: Person) -> str:
    name = escape(f"{person.given_name} {person.family_name}")
    return (
        f'<button name="person" value="{escape(person.key)}">'
        f"<strong>{name}</strong><br>{escape(person.about)}</button>"
    )


def _leave(interaction: Interaction, base: str) -> str:
    action = f"{base}/interaction/{interaction.id}/confirm"
    return (
        f'<form method="post" action="{escape(action)}">'
        '<button name="choice" value="leave">Revenir sans se connecter</button></form>'
    )


def _page(title: str, body: str, *, status: int = 200) -> Answer:
    document = (
        '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8">'
        f"<title>{escape(title)} – FranceConnect (doublure)</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )
    headers = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
    return Answer(status=status, body=document.encode(), content_type=HTML, headers=headers)
