"""Partners: created with a first key, keys changed, listed."""

import click

from orchestrator.services.partners import Announced, NewKey, Partners
from parvis.cli.context import Session, answer, as_json, say, session
from parvis.cli.french import FrenchGroup


@click.group(cls=FrenchGroup)
def partners() -> None:
    """Les organismes qui envoient des événements."""


@partners.command("create")
@click.argument("partner", metavar="IDENTIFIANT")
@click.option("--name", required=True, help="Nom montré aux gens.")
@click.option("--event", "events", multiple=True, required=True, help="Type d'événement permis.")
@click.option("--territory", "territories", multiple=True, help="Territoire concerné.")
@click.option(
    "--scheme",
    type=click.Choice(["v1", "v1a"]),
    default="v1",
    help="v1 : secret partagé ; v1a : paire de clés Ed25519.",
)
@as_json
@session
def create(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    partner: str,
    name: str,
    events: tuple[str, ...],
    territories: tuple[str, ...],
    scheme: str,
    is_json: bool,
) -> None:
    """Crée un partenaire et sa première clé."""
    wanted = Announced(
        id=partner, name=name, allowed_events=events, territories=territories, scheme=scheme
    )
    _show(_use_cases(session).create(wanted, actor=session.actor), is_json=is_json)


@partners.command("rotate-key")
@click.argument("partner", metavar="IDENTIFIANT")
@as_json
@session
def rotate_key(session: Session, *, partner: str, is_json: bool) -> None:
    """Ajoute une clé ; la précédente reste bonne, celle d'avant est retirée."""
    _show(_use_cases(session).rotate_key(partner, actor=session.actor), is_json=is_json)


@partners.command("list")
@as_json
@session
def list_(session: Session, *, is_json: bool) -> None:
    """Liste les partenaires et leurs clés en service."""
    keys = _use_cases(session).keys()
    if is_json:
        answer({partner: list(names) for partner, names in keys.items()})
    else:
        say(*(f"{partner} : {', '.join(names) or 'aucune clé'}" for partner, names in keys.items()))


def _use_cases(session: Session) -> Partners:
    return Partners(configuration=session.hub.configuration)


def _show(key: NewKey, *, is_json: bool) -> None:
    if is_json:
        values = {"key_id": key.name, "scheme": key.scheme, "secret": key.secret}
        answer({**values, "retired": list(key.retired)})
        return
    say(f"Clé {key.name} ({key.scheme}).", f"Secret, montré cette seule fois : {key.secret}")
    say(*(f"Clé {name} retirée." for name in key.retired))


COMMANDS = (partners,)
