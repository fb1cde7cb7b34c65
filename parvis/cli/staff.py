"""The console's door when there is no other: a sign-in link that works once."""

import click

from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup


@click.group(cls=FrenchGroup)
def console() -> None:
    """La console d'administration."""


@console.command("link")
@click.option("--actor", help="Nom écrit au journal (par défaut : le compte de cette machine).")
@as_json
@session
def link(session: Session, *, actor: str | None, is_json: bool) -> None:
    """Donne une adresse de connexion, valable 15 minutes et une seule fois."""
    path = session.hub.staff_links.create(actor or session.actor)
    address = f"{session.settings.public_url}{path}"
    if is_json:
        answer({"url": address})
    else:
        say(address)


COMMANDS = (console,)
