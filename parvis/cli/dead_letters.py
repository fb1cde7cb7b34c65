"""Dead letters: what was put aside, in groups that failed alike, relaunched or put away together."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import click

from orchestrator.services.dead_letters import FailureGroup, LetterGroup, Shown
from orchestrator.services.ports.operations import DISCARD, RETRY
from orchestrator.services.replays import DEFAULT_RATE, FASTEST, Selection
from orchestrator.services.run_operations import checked_reason
from parvis.cli.context import Session, answer, as_json, confirm, say, session
from parvis.cli.french import FrenchGroup
from parvis.cli.moments import at

target_argument = click.argument("target", metavar="EMPREINTE")
rate_option = click.option(
    "--rate",
    type=click.IntRange(1, FASTEST),
    default=DEFAULT_RATE,
    help=f"Exécutions par seconde ({DEFAULT_RATE}).",
)
sure_option = click.option("--yes", "is_sure", is_flag=True, help="Ne demande pas avant d'agir.")
dry_option = click.option(
    "--dry-run", "is_dry", is_flag=True, help="Compte seulement, ne touche à rien."
)


@click.group(cls=FrenchGroup, name="dead-letters")
def dead_letters() -> None:
    """Les rebuts : exécutions arrêtées et messages sans suite, groupés par cause."""


@dead_letters.command("list")
@as_json
@session
def list_(session: Session, *, is_json: bool) -> None:
    """Liste les groupes, le plus nombreux d'abord."""
    letters = session.hub.repairs.dead_letters
    groups: list[FailureGroup | LetterGroup] = [*letters.failures(), *letters.letters()]
    if is_json:
        answer([_group(group) for group in groups])
    elif groups:
        say(*(_sentence(group) for group in groups))
    else:
        say("Aucun rebut.")


@dead_letters.command("show")
@target_argument
@as_json
@session
def show(session: Session, *, target: str, is_json: bool) -> None:
    """Montre un groupe et les plus anciens de ses rebuts."""
    shown = session.hub.repairs.dead_letters.show(target)
    if is_json:
        answer({**_group(shown.group), **_contents(shown)})
        return
    say(_sentence(shown.group))
    say(f"Du {at(shown.group.oldest_at)} au {at(shown.group.newest_at)}.")
    say(*(f"  exécution {run_id}" for run_id in shown.runs))
    say(*(f"  message {letter.id}, reçu le {at(letter.seen_at)}" for letter in shown.letters))


@dead_letters.command("retry")
@target_argument
@rate_option
@dry_option
@sure_option
@as_json
@session
def retry(  # noqa: PLR0913 - one argument per option
    session: Session, *, target: str, rate: int, is_dry: bool, is_sure: bool, is_json: bool
) -> None:
    """Relance un groupe : les exécutions d'alors, figées, au rythme demandé."""
    group = session.hub.repairs.dead_letters.find(target)
    if is_dry:
        _counted(group, is_json=is_json)
        return
    _confirm(group, "Relancer", is_sure=is_sure, is_json=is_json)
    if isinstance(group, LetterGroup):
        woken = session.hub.repairs.dead_letters.wake(group, actor=session.actor)
        _closed(woken, is_json=is_json)
        return
    _replay(session, group, RETRY, rate=rate, reason=None, is_json=is_json)


@dead_letters.command("discard")
@target_argument
@click.option("--reason", required=True, help="Pourquoi, en quelques mots et sans nommer personne.")
@rate_option
@dry_option
@sure_option
@as_json
@session
def discard(  # noqa: PLR0913 - one argument per option
    session: Session,
    *,
    target: str,
    reason: str,
    rate: int,
    is_dry: bool,
    is_sure: bool,
    is_json: bool,
) -> None:
    """Écarte un groupe : ce qu'il a fait est repris, puis c'est fini."""
    said = checked_reason(reason)
    group = session.hub.repairs.dead_letters.find(target)
    if is_dry:
        _counted(group, is_json=is_json)
        return
    _confirm(group, "Écarter", is_sure=is_sure, is_json=is_json)
    if isinstance(group, LetterGroup):
        closed = session.hub.repairs.dead_letters.close(group, actor=session.actor)
        _closed(closed, is_json=is_json)
        return
    _replay(session, group, DISCARD, rate=rate, reason=said, is_json=is_json)


def _confirm(group: FailureGroup | LetterGroup, verb: str, *, is_sure: bool, is_json: bool) -> None:
    if is_sure:
        return
    if not is_json:
        say(_sentence(group))
    confirm(f"{verb} ce groupe ({_size(group)}) ?")


def _replay(  # noqa: PLR0913 - what a replay is made of
    session: Session,
    group: FailureGroup,
    act: str,
    *,
    rate: int,
    reason: str | None,
    is_json: bool,
) -> None:
    replays, selection = session.hub.repairs.replays, Selection(fingerprint=group.fingerprint)
    planned = replays.plan(selection, act=act, actor=session.actor, rate=rate, reason=reason)
    replays.start(planned.id, actor=session.actor)
    if is_json:
        answer({"replay_id": planned.id, "total": planned.total, "rate": rate})
    else:
        say(f"Rejeu {planned.id} : {planned.total} exécutions, {rate} par seconde.")
        say(f"La suite : parvis replay status {planned.id}")


def _counted(group: FailureGroup | LetterGroup, *, is_json: bool) -> None:
    if is_json:
        answer(_group(group))
    else:
        say(_sentence(group), "Rien n'a été fait.")


def _closed(count: int, *, is_json: bool) -> None:
    if is_json:
        answer({"closed": count})
    else:
        say(f"{count} messages clos.")


def _size(group: FailureGroup | LetterGroup) -> int:
    return group.runs if isinstance(group, FailureGroup) else group.letters


_RUN_NAMES: Final = (
    *("fingerprint", "journey", "version", "step", "error_class", "detail", "error_code", "runs"),
    *("oldest_at", "newest_at"),
)
_LETTER_NAMES: Final = ("fingerprint", "source", "reason", "letters", "oldest_at", "newest_at")


def _group(group: FailureGroup | LetterGroup) -> Mapping[str, Any]:
    names = _RUN_NAMES if isinstance(group, FailureGroup) else _LETTER_NAMES
    return {name: getattr(group, name) for name in names}


def _contents(shown: Shown) -> Mapping[str, Sequence[UUID]]:
    if isinstance(shown.group, FailureGroup):
        return {"run_ids": list(shown.runs)}
    return {"letter_ids": [letter.id for letter in shown.letters]}


def _sentence(group: FailureGroup | LetterGroup) -> str:
    if isinstance(group, LetterGroup):
        return (
            f"{group.fingerprint}  {group.letters:6d}  message de {group.source} : {group.reason}"
        )
    why = ", ".join(part for part in (group.error_code, group.error_class, group.detail) if part)
    where = f"{group.journey} v{group.version}, étape {group.step}"
    return f"{group.fingerprint}  {group.runs:6d}  {where} : {why or 'cause inconnue'}"


COMMANDS = (dead_letters,)
