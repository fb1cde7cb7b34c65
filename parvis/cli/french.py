"""Click in French: headings, the help option, and the sentences about a mistyped command."""

from collections.abc import Sequence

import click

from schemas.shapes import nearest


class French:
    """What groups and commands share."""

    def get_help_option(self, context: click.Context) -> click.Option | None:
        """Return ``--help``, explained in French."""
        option: click.Option | None = super().get_help_option(context)  # type: ignore[misc]
        if option is not None:
            option.help = "Montre cette aide et s'arrête."
        return option

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the line that shows how to call the command."""
        pieces = self.collect_usage_pieces(context)  # type: ignore[attr-defined]
        formatter.write_usage(context.command_path, " ".join(pieces), prefix="Usage : ")


class FrenchCommand(French, click.Command):
    """A command."""


class MistypedError(click.UsageError):
    """The command cannot be meant; the message is French already."""


class UnfitValueError(click.BadParameter):
    """A value that does not fit; the message says in French what would."""


class FrenchGroup(French, click.Group):
    """A group of commands."""

    command_class = FrenchCommand
    group_class = type

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; a mistyped one is told with the nearest."""
        if arguments and self.get_command(context, arguments[0]) is None:
            raise MistypedError(
                f"La commande « {arguments[0][:60]} » n'existe pas."
                + nearest(arguments[0], self.list_commands(context))
            )
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        found = [(name, self.get_command(context, name)) for name in self.list_commands(context)]
        rows = [(name, command.get_short_help_str(200)) for name, command in found if command]
        with formatter.section("Commandes"):
            formatter.write_dl(rows)


def sentence(error: click.ClickException) -> str:
    """Return a usage error in French."""
    match error:
        case click.NoSuchOption():
            return f"L'option {error.option_name} n'existe pas.{_near(error.possibilities)}"
        case click.exceptions.NoArgsIsHelpError():
            return error.message
        case click.MissingParameter():
            return f"Il manque {_name(error)}{_asked(error)}"
        case UnfitValueError():
            return f"La valeur de {_name(error)} ne convient pas : {error.message}."
        case click.BadParameter():
            return f"La valeur de {_name(error)} ne convient pas{_fitting(error)}."
    is_french = isinstance(error, MistypedError)
    return error.message if is_french else "Cette commande ne se lit pas : voyez --help."


def _asked(error: click.MissingParameter) -> str:
    """Return what an option is for, as its help says it."""
    said = error.param.help if isinstance(error.param, click.Option) else None
    return f" : {said[:1].lower()}{said[1:]}" if said else "."


def _fitting(error: click.BadParameter) -> str:
    match error.param.type if error.param else None:
        case click.Choice() as kind:
            return f" : {', '.join(map(str, kind.choices))}"
        case click.IntRange() as kind:
            most = f" à {kind.max}" if kind.max is not None else ""
            return f" : un nombre à partir de {kind.min}" if not most else f" : de {kind.min}{most}"
        case kind if kind is click.UUID:
            return " : un identifiant entier, comme les listes le donnent"
    return ""


def _name(error: click.BadParameter) -> str:
    if error.param is None:
        return "une valeur"
    return error.param.opts[0] if isinstance(error.param, click.Option) else _metavar(error)


def _metavar(error: click.BadParameter) -> str:
    context = error.ctx
    return error.param.make_metavar(context) if error.param and context else "une valeur"


def _near(possibilities: Sequence[str] | None) -> str:
    return f" Vouliez-vous dire {possibilities[0]} ?" if possibilities else ""
