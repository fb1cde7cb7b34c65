"""Why the hub may use what it knows of people, and every text it has people read about it.

A text never changes: another wording is another version beside the old one, because a proof of
consent names the version and the digest of what was shown. ``parvis`` among the recipients is the
hub itself; a proof whose text does not name it is not for us.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.consent_proof import HUB


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeText:
    """One purpose in one version; ``title`` and ``text`` by language."""

    id: str
    version: int
    title: Mapping[str, str]
    text: Mapping[str, str]
    legal_basis: str
    recipients: tuple[str, ...]
    retention: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeText:
    """One text as shown, in one version and language."""

    version: str
    locale: str
    text: str
    purposes: tuple[str, ...]
    recipients: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The digest of the exact text, in lower-case hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


LIBRARY: Final = "nearest_library"
CARRIER: Final = "message_carrier"
CHOSEN_SERVICE: Final = "chosen_service"
RECIPIENTS: Final[Mapping[str, Mapping[str, str]]] = {
    HUB: {
        "fr": "Parvis, le service d'accueil numérique de votre collectivité",
        "en": "Parvis, the digital welcome service of your local authority",
    },
    LIBRARY: {
        "fr": "la bibliothèque publique la plus proche de chez vous",
        "en": "the public library nearest to your home",
    },
    CARRIER: {
        "fr": "l'opérateur qui achemine le SMS ou le courriel",
        "en": "the operator that carries the text message or e-mail",
    },
    CHOSEN_SERVICE: {
        "fr": "le service que vous choisissez, et lui seul",
        "en": "the service you choose, and no other",
    },
}
"""What people read for each recipient."""

PURPOSES: Final = (
    PurposeText(
        id="library.preregistration",
        version=1,
        title={
            "fr": "Préparer votre inscription à la bibliothèque",
            "en": "Prepare your library registration",
        },
        text={
            "fr": "Vos nom et prénom et votre commune sont transmis à la bibliothèque publique la "
            "plus proche, pour préparer votre carte. Sans nouvelles de vous pendant 90 jours, tout est effacé.",
            "en": "Your name and your town are passed to the nearest public library so that it can "
            "prepare your card. If we do not hear from you for 90 days, everything is erased.",
        },
        legal_basis="consent",
        recipients=(HUB, LIBRARY),
        retention="90 days unclaimed, then as long as the library keeps its member",
    ),
    PurposeText(
        id="access_code.delivery",
        version=1,
        title={"fr": "Vous envoyer votre code d'accès", "en": "Send you your access code"},
        text={
            "fr": "Votre numéro de téléphone ou votre adresse électronique sert une fois, à vous "
            "envoyer le code qui ouvre votre préinscription. Il ne sert à aucune publicité.",
            "en": "Your telephone number or e-mail address is used once, to send you the code that "
            "opens your pre-registration. It is never used for advertising.",
        },
        legal_basis="consent",
        recipients=(HUB, CARRIER),
        retention="30 days after the end of the pre-registration",
    ),
    PurposeText(
        id="library.news",
        version=1,
        title={"fr": "Vous tenir au courant", "en": "Keep you informed"},
        text={
            "fr": "Vous recevez les nouvelles des bibliothèques sur les thèmes que vous avez "
            "choisis, par le moyen que vous avez choisi. Vous arrêtez quand vous voulez, en un "
            "geste : répondez STOP ou suivez le lien du message.",
            "en": "You receive news from the libraries on the themes you chose, by the channel you "
            "chose. You can stop at any time, in one move: answer STOP or follow the link in the "
            "message.",
        },
        legal_basis="consent",
        recipients=(HUB, CARRIER),
        retention="until withdrawn",
    ),
    PurposeText(
        id="interests.profile",
        version=1,
        title={"fr": "Garder vos centres d'intérêt", "en": "Keep your interests"},
        text={
            "fr": "Les thèmes que vous cochez sont gardés avec votre préinscription, pour vous "
            "proposer ce qui vous plaît. Vous pouvez les changer ou les effacer à tout moment.",
            "en": "The themes you tick are kept with your pre-registration, so that we can suggest "
            "what you like. You can change or erase them at any time.",
        },
        legal_basis="consent",
        recipients=(HUB,),
        retention="until withdrawn",
    ),
    PurposeText(
        id="service.enrolment",
        version=1,
        title={"fr": "Vous inscrire à un service", "en": "Enrol you in a service"},
        text={
            "fr": "Les réponses qu'un service vous demande lui sont transmises, à lui seul. Chaque "
            "service a sa propre ligne d'accord.",
            "en": "The answers a service asks of you are passed to that service and to no other. "
            "Each service has a consent line of its own.",
        },
        legal_basis="consent",
        recipients=(HUB, CHOSEN_SERVICE),
        retention="until withdrawn, then as long as the service keeps its member",
    ),
    PurposeText(
        id="booking",
        version=1,
        title={"fr": "Faire vos réservations", "en": "Make your bookings"},
        text={
            "fr": "Votre nom et un moyen de vous joindre sont transmis au lieu que vous réservez, "
            "pour vous attendre et vous prévenir d'un changement.",
            "en": "Your name and a way to reach you are passed to the place you book, so that it "
            "can expect you and tell you of a change.",
        },
        legal_basis="contract",
        recipients=(HUB, CHOSEN_SERVICE, CARRIER),
        retention="12 months after the booking",
    ),
    PurposeText(
        id="recommendation",
        version=1,
        title={"fr": "Vous suggérer des sorties", "en": "Suggest outings"},
        text={
            "fr": "Vos centres d'intérêt sont rapprochés de l'agenda de la ville, dans Parvis "
            "seulement, pour vous suggérer des rendez-vous. Rien n'est transmis à personne.",
            "en": "Your interests are matched with the city's agenda, inside Parvis only, to "
            "suggest events. Nothing is passed to anybody.",
        },
        legal_basis="consent",
        recipients=(HUB,),
        retention="until withdrawn",
    ),
)

PARTNER_ARRIVAL: Final = "arrival-partner-1"
POSTER_ARRIVAL: Final = "arrival-poster-1"
NOTICES: Final = (
    NoticeText(
        version=PARTNER_ARRIVAL,
        locale="fr",
        purposes=("library.preregistration", "access_code.delivery"),
        recipients=(HUB, LIBRARY, CARRIER),
        text="Bienvenue dans votre nouvelle commune. Si vous cochez une case, nous prévenons Parvis, "
        "le service d'accueil numérique de votre collectivité.\n"
        "Case 1. Préparer mon inscription à la bibliothèque : mes nom, prénom et commune sont "
        "transmis, par Parvis, à la bibliothèque publique la plus proche de chez moi.\n"
        "Case 2. Recevoir mon code d'accès : mon numéro de téléphone ou mon adresse électronique "
        "est transmis à Parvis et à l'opérateur qui achemine le message, pour ce seul envoi.\n"
        "Rien n'est coché d'avance, rien n'est obligatoire, rien n'est payant. Sans réponse de "
        "votre part, tout est effacé après 90 jours. Vous pouvez changer d'avis à tout moment, "
        "auprès de nous ou de votre collectivité, et demander à voir, corriger ou effacer ce qui "
        "vous concerne. En cas de désaccord, vous pouvez saisir la CNIL.",
    ),
    NoticeText(
        version=PARTNER_ARRIVAL,
        locale="en",
        purposes=("library.preregistration", "access_code.delivery"),
        recipients=(HUB, LIBRARY, CARRIER),
        text="Welcome to your new town. If you tick a box, we tell Parvis, the digital welcome "
        "service of your local authority.\n"
        "Box 1. Prepare my library registration: my name and town are passed, through Parvis, to "
        "the public library nearest to my home.\n"
        "Box 2. Receive my access code: my telephone number or e-mail address is passed to Parvis "
        "and to the operator that carries the message, for that one message.\n"
        "Nothing is ticked beforehand, nothing is required, nothing costs money. If you do not "
        "answer, everything is erased after 90 days. You may change your mind at any time, with us "
        "or with your local authority, and ask to see, correct or erase what concerns you. If you "
        "disagree, you may complain to the CNIL, the French data protection authority.",
    ),
    NoticeText(
        version=POSTER_ARRIVAL,
        locale="fr",
        purposes=("library.preregistration", "access_code.delivery", "interests.profile"),
        recipients=(HUB, LIBRARY, CARRIER),
        text="Votre code d'accès vous est donné par Parvis, le service d'accueil numérique de votre "
        "collectivité. Nous demandons votre numéro de téléphone ou votre adresse électronique pour "
        "vérifier que ce contact est bien le vôtre ; l'opérateur qui achemine le message en a "
        "connaissance pour ce seul envoi.\n"
        "Case 1. Préparer mon inscription : mes nom, prénom et commune sont transmis à la "
        "bibliothèque publique la plus proche de chez moi.\n"
        "Case 2. Garder mes centres d'intérêt : les thèmes que je choisis restent dans Parvis, "
        "pour me proposer ce qui me plaît.\n"
        "Rien n'est coché d'avance et vous pouvez continuer sans rien cocher. Sans nouvelles de "
        "vous, tout est effacé après 90 jours. Vous pouvez changer d'avis à tout moment et "
        "demander à voir, corriger ou effacer ce qui vous concerne, auprès de votre collectivité. "
        "En cas de désaccord, vous pouvez saisir la CNIL.",
    ),
    NoticeText(
        version=POSTER_ARRIVAL,
        locale="en",
        purposes=("library.preregistration", "access_code.delivery", "interests.profile"),
        recipients=(HUB, LIBRARY, CARRIER),
        text="Parvis, the digital welcome service of your local authority, gives you your access "
        "code. We ask for your telephone number or e-mail address to check that it is yours; the "
        "operator that carries the message learns it for that one message.\n"
        "Box 1. Prepare my registration: my name and town are passed to the public library nearest "
        "to my home.\n"
        "Box 2. Keep my interests: the themes I choose stay in Parvis, so that it can suggest what "
        "I like.\n"
        "Nothing is ticked beforehand and you can go on without ticking anything. If we do not hear "
        "from you, everything is erased after 90 days. You may change your mind at any time and ask "
        "your local authority to see, correct or erase what concerns you. If you disagree, you may "
        "complain to the CNIL, the French data protection authority.",
    ),
)
_BY_VERSION: Final = {(notice.version, notice.locale): notice for notice in NOTICES}


def notice_of(version: str, locale: str) -> NoticeText | None:
    """Return a text by its version and language; None when we never showed such a text."""
    return _BY_VERSION.get((version, locale.lower()))


def notice_sha256(version: str, locale: str) -> str | None:
    """Return the digest that a proof of consent about this text must bear."""
    notice = notice_of(version, locale)
    return notice.sha256 if notice else None


def purpose_of(purpose_id: str) -> PurposeText | None:
    """Return the newest version of a purpose."""
    versions = [purpose for purpose in PURPOSES if purpose.id == purpose_id]
    return max(versions, key=lambda purpose: purpose.version, default=None)


def shown_notice(version: str, language: str) -> NoticeText:
    """Return the text to show to a reader of a language: theirs, or else the French one."""
    notice = notice_of(version, language) or notice_of(version, "fr")
    if notice is None:
        raise LookupError(version)
    return notice
