"""The forms of the citizen pages. Boxes are empty until a person ticks them."""

import re
from collections.abc import Iterable
from typing import Any, Final

from flask_babel import lazy_gettext as _
from wtforms import (
    BooleanField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.validators import InputRequired, Length, Regexp, ValidationError

from orchestrator.services.signups import INTERESTS_AT_MOST, read_contact
from web.layout.forms import PageForm

AGES: Final = (
    ("under_15", _("Moins de 15 ans")),
    ("15_17", _("15 à 17 ans")),
    ("18_25", _("18 à 25 ans")),
    ("26_64", _("26 à 64 ans")),
    ("65_plus", _("65 ans et plus")),
)
INTEREST_LABELS: Final = {
    "novels": _("Romans"),
    "comics": _("Bandes dessinées, mangas"),
    "children": _("Histoires pour enfants"),
    "music": _("Musique"),
    "films": _("Cinéma"),
    "games": _("Jeux"),
    "digital": _("Aide numérique"),
    "workshops": _("Ateliers"),
    "languages": _("Langues"),
    "heritage": _("Histoire locale"),
}
_NAME: Final = re.compile(r"[^\W\d_][^\d_<>{}\[\]@#$%^*=+|\\/\x00-\x1f]{0,78}", re.UNICODE)


def choices_of(pairs: Iterable[tuple[str, Any]]) -> list[SelectChoice]:
    """Return choices of a list of (value, label)."""
    return [SelectChoice(value, label) for value, label in pairs]


class PostalCodeForm(PageForm):
    """A postal code, to find libraries by."""

    class Meta:
        """Looking up a public list changes nothing: no token, no cookie."""

        csrf = False

    code_postal = StringField(
        _("Votre code postal"),
        validators=[
            InputRequired(_("Indiquez votre code postal.")),
            Regexp(r"^\d{5}$", message=_("Un code postal a 5 chiffres, par exemple 13001.")),
        ],
    )


class StartForm(PageForm):
    """First screen: age band and postal code."""

    form_key = HiddenField()
    age = RadioField(
        _("Quel âge avez-vous ?"),
        choices=choices_of(AGES),
        validators=[InputRequired(_("Indiquez votre tranche d'âge."))],
        validate_choice=False,
    )
    code_postal = StringField(
        _("Votre code postal"),
        validators=[
            InputRequired(_("Indiquez votre code postal.")),
            Regexp(r"^\d{5}$", message=_("Un code postal a 5 chiffres, par exemple 13001.")),
        ],
    )

    def validate_age(self, field: RadioField) -> None:
        """Refuse an answer that is not on the list."""
        if field.data not in dict(AGES):
            raise ValidationError(_("Indiquez votre tranche d'âge."))


class ContactForm(PageForm):
    """Second screen: commune, contact, and what one wishes on top."""

    form_key = HiddenField()
    commune = SelectField(_("Votre commune"), validate_choice=False)
    channel = RadioField(
        _("Comment recevoir votre code ?"),
        choices=choices_of((("sms", _("Par SMS")), ("email", _("Par e-mail")))),
        default="sms",
        validate_choice=False,
    )
    phone = StringField(_("Votre numéro de mobile"))
    email = StringField(_("Votre adresse e-mail"))
    with_library = BooleanField(
        _("Oui, transmettez mon nom et ma commune à la bibliothèque pour préparer ma carte.")
    )
    family_name = StringField(_("Nom"))
    given_name = StringField(_("Prénom"))
    with_interests = BooleanField(
        _("Oui, gardez mes centres d'intérêt pour me proposer des activités.")
    )
    interests = SelectMultipleField(
        _("Vos centres d'intérêt"),
        choices=choices_of(INTEREST_LABELS.items()),
        validate_choice=False,
    )

    def validate_commune(self, field: SelectField) -> None:
        """The commune is one of those that share the postal code."""
        if not field.data or field.data not in {choice.value for choice in field.choices}:
            raise ValidationError(_("Choisissez votre commune dans la liste."))

    def validate_channel(self, field: RadioField) -> None:
        """A code travels by text message or by mail."""
        if field.data not in ("sms", "email"):
            raise ValidationError(_("Choisissez SMS ou e-mail."))

    def validate_phone(self, field: StringField) -> None:
        """Codes go to mobile numbers only."""
        if self.channel.data == "sms" and read_contact("sms", field.data or "") is None:
            raise ValidationError(
                _("Indiquez un numéro de mobile français, par exemple 06 39 98 00 01.")
            )

    def validate_email(self, field: StringField) -> None:
        """An address that mail systems carry."""
        if self.channel.data == "email" and read_contact("email", field.data or "") is None:
            raise ValidationError(
                _("Indiquez une adresse e-mail complète, par exemple camille@example.org.")
            )

    def validate_family_name(self, field: StringField) -> None:
        """Asked only when the library is to know it."""
        self._check_name(field, _("Indiquez votre nom, ou décochez la case."))

    def validate_given_name(self, field: StringField) -> None:
        """Asked only when the library is to know it."""
        self._check_name(field, _("Indiquez votre prénom, ou décochez la case."))

    def validate_interests(self, field: SelectMultipleField) -> None:
        """A few are enough."""
        if not self.with_interests.data:
            return
        if set(field.data or ()) - INTEREST_LABELS.keys():
            raise ValidationError(_("Choisissez dans la liste."))
        if len(field.data or ()) > INTERESTS_AT_MOST:
            raise ValidationError(
                _("Choisissez %(most)s centres d'intérêt au plus.", most=INTERESTS_AT_MOST)
            )

    @property
    def address(self) -> str:
        """Return the address of the chosen channel, as it is written everywhere else."""
        typed = self.phone.data if self.channel.data == "sms" else self.email.data
        return read_contact(str(self.channel.data), typed or "") or ""

    @property
    def person(self) -> tuple[str, str] | None:
        """Return (family name, given name) when their box is ticked."""
        if not self.with_library.data:
            return None
        return str(self.family_name.data), str(self.given_name.data)

    @property
    def chosen_interests(self) -> tuple[str, ...] | None:
        """Return the interests when their box is ticked."""
        return tuple(self.interests.data or ()) if self.with_interests.data else None

    def _check_name(self, field: StringField, sentence: Any) -> None:
        if self.with_library.data and not _NAME.fullmatch(field.data or ""):
            raise ValidationError(sentence)


class VerificationForm(PageForm):
    """Third screen: the six digits."""

    code = StringField(
        _("Votre code de vérification"),
        validators=[
            InputRequired(_("Tapez les 6 chiffres reçus.")),
            Regexp(r"^(?:\s*\d){6}\s*$", message=_("Le code a 6 chiffres.")),
        ],
    )


class ResendForm(PageForm):
    """One button."""


class AccessCodeForm(PageForm):
    """The access code, as it was received."""

    code = StringField(
        _("Votre code d'accès"),
        validators=[InputRequired(_("Tapez le code d'accès que vous avez reçu."))],
    )


class CardForm(PageForm):
    """A library card and the password of the reader's account."""

    library = SelectField(_("Votre bibliothèque"), validate_choice=False)
    number = StringField(
        _("Numéro de carte"),
        validators=[
            InputRequired(_("Indiquez le numéro de votre carte.")),
            Regexp(
                r"^[0-9A-Za-z][0-9A-Za-z ./-]{0,39}$",
                message=_("Un numéro de carte a des chiffres, parfois des lettres."),
            ),
        ],
    )
    password = PasswordField(
        _("Mot de passe du compte lecteur"),
        validators=[
            InputRequired(_("Indiquez le mot de passe.")),
            Length(max=100, message=_("Ce mot de passe est trop long.")),
        ],
    )

    def validate_library(self, field: SelectField) -> None:
        """Refuse a library that is not on the list."""
        if field.data not in {choice.value for choice in field.choices or ()}:
            raise ValidationError(_("Choisissez votre bibliothèque dans la liste."))
