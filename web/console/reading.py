"""How moments and lengths of time are written for people."""

from datetime import datetime, timedelta

from flask import Blueprint
from flask_babel import format_datetime, format_decimal, format_timedelta
from flask_babel import gettext as _
from markupsafe import Markup

from schemas import clock
from web.console import words


def add_filters(blueprint: Blueprint) -> None:
    """Give the console's templates their words for time."""
    for name, function in (
        ("ago", ago),
        ("moment", moment),
        ("precise", precise),
        ("lasting", lasting),
        ("milliseconds", milliseconds),
        ("role_name", words.ROLES.__getitem__),
    ):
        blueprint.add_app_template_filter(function, name)


def ago(at: datetime) -> Markup:
    """Return how far a moment is from now, with the moment itself beside it."""
    distance = at - clock.utcnow()
    text = (
        format_timedelta(distance, add_direction=True) if abs(distance) > _NOW else _("à l'instant")
    )
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        clock.rfc3339(at), moment(at), text
    )


def moment(at: datetime) -> str:
    """Return a moment of Paris to the second."""
    return str(format_datetime(at, "d MMM y, HH:mm:ss"))


def precise(at: datetime) -> str:
    """Return a time of day of Paris to the millisecond."""
    return f"{format_datetime(at, 'HH:mm:ss')},{at.microsecond // 1000:03d}"


def lasting(length: timedelta | float) -> str:
    """Return a length of time with the two units that matter."""
    span = length if isinstance(length, timedelta) else timedelta(seconds=length)
    seconds = span.total_seconds()
    if seconds < 1:
        return milliseconds(seconds * 1000)
    if seconds < 60:
        return f"{format_decimal(round(seconds, 1))} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return str(_("%(days)s j %(hours)s h", days=span.days, hours=span.seconds // 3600))


def milliseconds(value: float) -> str:
    """Return milliseconds, a decimal only below ten."""
    return f"{format_decimal(round(value, 1) if value < 10 else round(value))} ms"


_NOW = timedelta(seconds=2)
