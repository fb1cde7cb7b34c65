"""The realms of the identity provider: set up, compared, their secrets; and our own keys of signing in.

Secrets come from the environment, a file or the keyboard, never from an argument.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parvis.cli.context import Session, answer, as_json, read_object, say, session
from parvis.cli.french import FrenchGroup
from parvis.cli.realm_logins import COMMANDS as REALM_LOGINS
from schemas.errors import ConfigurationError, IdentityUnavailableError
from schemas.shapes import CONFIG_ID, ID_RULE

if TYPE_CHECKING:
    from identity.keycloak import Report

UNAVAILABLE = 69
_SIGNS = {"created": "+", "changed": "~", "foreign": "!", "left_over": "?", "skipped": "·"}
_WORDS = {
    "created": ("créé", "à créer"),
    "changed": ("corrigé", "à corriger"),
    "foreign": ("laissé tel quel", "laissé tel quel"),
    "left_over": ("en trop", "en trop"),
    "skipped": ("sans objet", "sans objet"),
}


@click.group(cls=FrenchGroup)
def identity() -> None:
    """Le serveur de connexion (Keycloak) et nos clés."""


@identity.command("apply")
@click.option("--check", "is_check", is_flag=True, help="Montre les écarts ; ne change rien.")
@click.option(
    "--provider",
    "providers",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Fournisseur d'identité à relier, un fichier JSON chacun.",
)
@click.option(
    "--portal-redirect", "redirects", multiple=True, help="Adresse de retour exacte du portail."
)
@click.option("--portal-keys", help="Adresse des clés publiques du portail (sinon : un secret).")
@click.option(
    "--metadata-keys",
    "reads_our_metadata",
    is_flag=True,
    help="Keycloak lit nos certificats dans nos métadonnées (renouvellement sans coupure).",
)
@click.option("--formerly", help="Ancienne adresse publique, si elle a changé.")
@as_json
@session
def apply(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    is_check: bool,
    providers: tuple[Path, ...],
    redirects: tuple[str, ...],
    portal_keys: str | None,
    reads_our_metadata: bool,
    formerly: str | None,
    is_json: bool,
) -> int:
    """Met en place les deux royaumes, ou dit ce qui en diffère."""
    from identity.keycloak import Provisioning  # noqa: PLC0415 - half a second, for few commands
    from parvis import identity_setup  # noqa: PLC0415

    wishes = identity_setup.Wishes(
        providers=tuple(read_object(path) for path in providers),
        portal_redirects=redirects,
        portal_keys=portal_keys,
        formerly=formerly.rstrip("/") if formerly else None,
        reads_our_metadata=reads_our_metadata,
    )
    identity_setup.server(session.settings)
    apis = identity_setup.apis(session.settings, _environ())
    ours = identity_setup.installation(
        session.settings,
        session.hub.secrets,
        wishes,
        digest_key=session.hub.keys.provider_secret,
    )
    for remark in identity_setup.remarks(session.settings, apis):
        click.echo(f"Remarque : {remark}", err=True)
    provisioning = Provisioning(ours, apis)
    report = provisioning.check() if is_check else provisioning.apply()
    _show(report, is_check=is_check, is_json=is_json)
    return _code(report, is_check=is_check)


@identity.command("keys")
@click.option("--rotate", "is_rotated", is_flag=True, help="Ajoute la paire suivante.")
@click.option("--switch", "is_switched", is_flag=True, help="Met la paire suivante en service.")
@click.option("--retire", "is_retired", is_flag=True, help="N'annonce plus la paire précédente.")
@as_json
@session
def keys(
    session: Session, *, is_rotated: bool, is_switched: bool, is_retired: bool, is_json: bool
) -> None:
    """Fait la paire de clés SAML de Parvis, la renouvelle, ou la montre."""
    from parvis.identity_keys import SamlKeys  # noqa: PLC0415 - loads the SAML library

    if is_rotated + is_switched + is_retired > 1:
        raise ConfigurationError("--rotate, --switch et --retire se suivent : un à la fois.")
    pair = SamlKeys(session.hub.secrets, public_url=session.settings.public_url)
    steps = ((is_rotated, pair.add_next), (is_switched, pair.switch), (is_retired, pair.retire))
    do = next((step for is_asked, step in steps if is_asked), pair.make)
    said = do(actor=session.actor)
    if is_json:
        answer(pair.state())
    else:
        say(*said)


@identity.command("client-secret")
@click.argument("client", metavar="CLIENT")
@click.option("--staff", "is_staff", is_flag=True, help="Dans le royaume des agents.")
@click.option("--renew", "is_renewed", is_flag=True, help="En fait un nouveau d'abord.")
@click.option("--store", "name", metavar="NOM", help="Le range sous ce nom, sans le montrer.")
@session
def client_secret(
    session: Session, *, client: str, is_staff: bool, is_renewed: bool, name: str | None
) -> None:
    """Montre une fois le secret du client CLIENT de Keycloak, ou le range parmi les secrets."""
    from identity.keycloak import client_secret as read  # noqa: PLC0415
    from parvis import identity_setup  # noqa: PLC0415

    if name is not None and not CONFIG_ID.fullmatch(name):
        raise ConfigurationError(f"« {name[:60]} » : {ID_RULE}.")  # noqa: EM102 - one sentence
    settings = session.settings
    realm = settings.idp_staff_realm if is_staff else settings.idp_realm
    identity_setup.server(settings)
    api = identity_setup.apis(settings, _environ()).get(realm)
    if api is None:
        fault = f"Aucun compte n'a été donné pour le royaume {realm}."
        raise ConfigurationError(fault)
    value = read(api, realm, client, mark=settings.public_url, is_renewed=is_renewed)
    if name is None:
        say(f"Secret de {client}, à ne montrer à personne d'autre : {value}")
        return
    session.hub.secrets.put(name, value, actor=session.actor)
    say(f"Secret {name} enregistré.")


def _environ() -> dict[str, str]:
    """Return the environment; who sits at a keyboard and gave nothing is asked."""
    from parvis import identity_setup  # noqa: PLC0415

    environ = dict(os.environ)
    names = (identity_setup.ACCOUNT, identity_setup.STAFF_ACCOUNT, identity_setup.PASSWORD)
    if not any(identity_setup.given(environ, name) for name in names) and sys.stdin.isatty():
        environ[identity_setup.ADMINISTRATOR] = click.prompt("Administrateur de Keycloak", err=True)
        environ[identity_setup.PASSWORD] = click.prompt("Mot de passe", hide_input=True, err=True)
    return environ


def _show(report: "Report", *, is_check: bool, is_json: bool) -> None:
    if is_json:
        answer(_plain(report))
        return
    for finding in report.findings:
        done, to_do = _WORDS[finding.change]
        say(
            f"{_SIGNS[finding.change]} {finding.realm} : {finding.what}, {to_do if is_check else done}"
        )
        say(*(f"    {detail}" for detail in finding.details))
    if report.stopped:
        error = report.stopped.error
        click.echo(f"Arrêté à l'étape « {report.stopped.step} » : {error.title}", err=True)
        click.echo(error.detail or "", err=True)
    elif report.is_as_wanted:
        say("Les royaumes sont comme il faut.")


def _plain(report: "Report") -> dict[str, Any]:
    stopped = report.stopped
    return {
        "as_wanted": report.is_as_wanted,
        "findings": [
            {
                "realm": finding.realm,
                "change": str(finding.change),
                "what": finding.what,
                "details": list(finding.details),
            }
            for finding in report.findings
        ],
        "stopped": stopped and {"step": stopped.step, "reason": stopped.error.detail},
    }


def _code(report: "Report", *, is_check: bool) -> int:
    if report.stopped:
        return UNAVAILABLE if isinstance(report.stopped.error, IdentityUnavailableError) else 1
    if is_check:
        return int(not report.is_as_wanted)
    return int(bool(report.untouched))


for command in REALM_LOGINS:
    identity.add_command(command)

COMMANDS = (identity,)
