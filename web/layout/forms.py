"""Forms: protected against forgery by their own token, spaces at the ends removed."""

from collections.abc import Sequence
from typing import Any

from flask_babel import gettext as _
from flask_wtf import FlaskForm
from wtforms import Field


class PageForm(FlaskForm):  # type: ignore[misc]
    """A form of one page; ``faults`` is its error summary."""

    class Meta:
        """Every text loses the blanks at its ends."""

        def bind_field(
            self, form: Any, unbound_field: Any, options: dict[str, Any]
        ) -> Any:  # signature of WTForms
            """Bind a field with a filter that strips."""
            filters = [*unbound_field.kwargs.get("filters", []), _stripped]
            return unbound_field.bind(form=form, filters=filters, **options)

    def faults(self) -> Sequence[tuple[str, str]]:
        """Return (id of the field, first sentence) of every field in error, in page order."""
        return [(_target(field), _sentence(field)) for field in self if field.errors]


def _sentence(field: Field) -> str:
    if field.type == "CSRFTokenField":
        return str(_("Ce formulaire est resté ouvert trop longtemps. Vérifiez-le et renvoyez-le."))
    return str(field.errors[0])


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _target(field: Field) -> str:
    """Return the id to jump to: the first choice of a group, the field itself otherwise."""
    if field.type == "CSRFTokenField":
        return "contenu"
    return f"{field.id}-0" if field.type in ("RadioField", "SelectMultipleField") else str(field.id)
