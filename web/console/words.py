"""The console's words: what each state, step, cause and error is called, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_babel import lazy_gettext as _

from orchestrator.services.connector_views import Health
from orchestrator.services.ports.views import OWN_PAGES
from schemas import events


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word, the tone it is shown in, and what to do, when there is something to be done.

    Tones: ``good`` done, ``live`` moving, ``wait`` waiting as it should, ``warn`` mends by itself,
    ``bad`` somebody must act, ``off`` over or unknown.
    """

    label: Any
    tone: str
    advice: Any = None


ROLES: Final[Mapping[str, Any]] = {
    "admin": _("administrateur"),
    "connector_manager": _("gestionnaire de connecteurs"),
    "librarian": _("bibliothécaire"),
    "dpo": _("délégué à la protection des données"),
    "observer": _("observateur"),
}
FILTERS: Final[Mapping[str, Any]] = {
    "state": _("État"),
    "journey": _("Parcours"),
    "partner": _("Source"),
    "system": _("Attend le système"),
    "span": _("Période"),
}
STATUSES: Final[Mapping[str, Word]] = {
    "ready": Word(label=_("en cours"), tone="live"),
    "waiting_timer": Word(
        label=_("nouvelle tentative prévue"),
        tone="warn",
        advice=_("Rien à faire : la plateforme recommence d'elle-même."),
    ),
    "waiting_signal": Word(label=_("en attente"), tone="wait"),
    "waiting_human": Word(
        label=_("attend une décision"),
        tone="bad",
        advice=_("Une personne doit décider de la suite."),
    ),
    "compensating": Word(label=_("annulation en cours"), tone="warn"),
    "compensated": Word(label=_("annulée, effets repris"), tone="off"),
    "cancelled": Word(label=_("annulée"), tone="off"),
    "failed": Word(label=_("abandonnée"), tone="off"),
    "stuck": Word(
        label=_("en rebut"),
        tone="bad",
        advice=_("Elle ne reprendra pas seule : lisez la cause, corrigez-la, puis décidez."),
    ),
    "done": Word(label=_("terminée"), tone="good"),
}
LATE: Final = Word(label=_("en retard"), tone="bad")
OUTCOMES: Final[Mapping[str, Word]] = {
    "ok": Word(label=_("fait"), tone="good"),
    "error": Word(label=_("échec"), tone="warn"),
    "timeout": Word(label=_("délai dépassé"), tone="off"),
    "unknown": Word(label=_("issue inconnue"), tone="warn"),
    "skipped": Word(label=_("sautée"), tone="wait"),
    "deferred": Word(label=_("reportée"), tone="warn"),
    "compensated": Word(label=_("repris"), tone="off"),
}
CAUSES: Final[Mapping[str, Any]] = {
    "no_basis": _("aucun consentement en vigueur ne le permet : rien n'est parti"),
    "no_contact": _("aucun contact n'a été transmis avec la preuve d'un consentement"),
    "no_gateway": _("aucun service d'envoi n'est configuré pour ce canal"),
    "nothing_to_say": _("il n'y a rien à écrire à la personne"),
    "no_service": _("aucun système n'est raccordé à cette bibliothèque"),
    "not_offered": _("le système raccordé ne sait pas le faire"),
    "no_person": _("aucun nom n'a été transmis avec la preuve d'un consentement"),
    "expired": _("personne ne s'est manifesté dans le délai"),
    "out_of_territory": _("la commune n'est dans aucun de nos territoires"),
    "no_library": _("aucune bibliothèque ouverte n'est connue"),
    "already_registered": _("cette préinscription est déjà activée"),
    "unknown_subject": _("cet émetteur n'a annoncé personne sous cette référence"),
    "retry": _("relancée par une personne"),
    "resume": _("repartie sans attendre, par une personne"),
    "skip": _("passée par une personne, avec un motif"),
    "discard": _("écartée par une personne"),
    "restart": _("recommencée par une personne"),
    "restarted": _("une autre exécution la recommence"),
    "fork": _("reprise de cette étape par une personne"),
    "cancel": _("arrêt demandé par une personne"),
    "decide": _("décision d'une personne"),
    "signal": _("signal donné par une personne"),
    "in_doubt": _("on ne sait pas comment une tentative d'avant a fini"),
    "nothing_to_undo": _("il n'y avait rien à reprendre"),
}
CODES: Final[Mapping[str, Word]] = {
    "retries_exhausted": Word(
        label=_("toutes les tentatives ont échoué"),
        tone="bad",
        advice=_("Vérifiez le système en cause dans « Connecteurs »."),
    ),
    "rejected": Word(
        label=_("le système a refusé la demande"),
        tone="bad",
        advice=_(
            "Recommencer à l'identique ne servirait à rien : voyez l'appel refusé, dans « Livraisons »."
        ),
    ),
    "contract_broken": Word(
        label=_("le système a répondu autrement que prévu"),
        tone="bad",
        advice=_("Demandez au prestataire si son logiciel a changé de version."),
    ),
    "recoveries": Word(
        label=_("l'exécution a été interrompue cinq fois de suite"),
        tone="bad",
        advice=_(
            "Cherchez pourquoi le processus s'arrête à cette étape, dans le journal technique."
        ),
    ),
    "version_unknown": Word(
        label=_("cette version du parcours n'existe plus dans le programme"),
        tone="bad",
        advice=_("Réinstallez une version de Parvis qui la connaît."),
    ),
    "undo_failed": Word(
        label=_("ce qu'elle a fait n'a pas pu être repris"),
        tone="bad",
        advice=_(
            "Reprenez-le à la main dans le système, puis passez cette étape avec un motif : "
            "« parvis runs skip »."
        ),
    ),
    "outcome_unknown": Word(
        label=_("on ne sait pas si le système l'a fait"),
        tone="bad",
        advice=_("Regardez dans le système, puis relancez l'étape ou passez-la avec un motif."),
    ),
}
ERRORS: Final[Mapping[str, Word]] = {
    "PartnerUnavailableError": Word(
        label=_("le système n'a pas répondu"),
        tone="warn",
        advice=_("Rien à faire s'il revient : la plateforme recommence d'elle-même."),
    ),
    "PartnerThrottledError": Word(
        label=_("le système demande de ralentir"),
        tone="warn",
        advice=_("Rien à faire : l'envoi reprend au rythme demandé."),
    ),
    "PartnerAwaitedError": Word(
        label=_("le système n'est pas appelé pour l'instant"),
        tone="wait",
        advice=_("Rien à faire : la plateforme l'essaie, et reprend dès qu'il répond."),
    ),
    "PartnerBusyError": Word(
        label=_("le système a déjà tous les appels que nous lui réservons"),
        tone="wait",
        advice=_("Rien à faire : l'étape reprend dès qu'un appel se termine."),
    ),
    "PartnerMisconfiguredError": Word(
        label=_("le système refuse nos accès ou nos réglages"),
        tone="bad",
        advice=_("Vérifiez l'adresse et les identifiants de ce raccordement."),
    ),
    "PartnerRejectedError": CODES["rejected"],
    "PartnerContractBrokenError": CODES["contract_broken"],
    "StoreUnavailableError": Word(
        label=_("la base de données n'a pas répondu"),
        tone="warn",
        advice=_("Rien n'est perdu : l'étape recommence."),
    ),
}
ANY_ERROR: Final = Word(
    label=_("erreur de la plateforme"),
    tone="bad",
    advice=_("C'est à nous de la corriger : signalez-la avec l'identifiant de l'exécution."),
)
HEALTH: Final[Mapping[Health, Word]] = {
    Health.ANSWERS: Word(label=_("répond"), tone="good"),
    Health.UNKNOWN: Word(
        label=_("pas encore sollicité"),
        tone="off",
        advice=_("Son état sera connu au premier échange, ou avec « parvis doctor »."),
    ),
    Health.FAILS: Word(
        label=_("ne répond pas"),
        tone="warn",
        advice=_(
            "La plateforme réessaie seule. Si cela dure, prévenez l'exploitant de ce système."
        ),
    ),
    Health.REFUSES_US: Word(
        label=_("refuse nos accès"),
        tone="bad",
        advice=_(
            "Renouvelez ses identifiants avec « parvis secrets set », ils sont repris aussitôt."
        ),
    ),
    Health.PAUSED: Word(
        label=_("en pause : accès refusé"),
        tone="bad",
        advice=_(
            "Vérifiez son adresse et ses identifiants. Ce qui lui est destiné attend, dans l'ordre, "
            "et repart dès la correction."
        ),
    ),
    Health.HELD: Word(
        label=_("en pause : décision d'une personne"),
        tone="warn",
        advice=_(
            "Les appels reprendront seuls à la fin de la pause ; « parvis connectors resume » les "
            "reprend avant."
        ),
    ),
    Health.OFF: Word(label=_("arrêté par configuration"), tone="off"),
    Health.DRAFT: Word(label=_("en préparation"), tone="off"),
}
PREREGISTRATIONS: Final[Mapping[str, Word]] = {
    "staged": Word(label=_("gardée dans la plateforme"), tone="wait"),
    "transmitted": Word(label=_("transmise à la bibliothèque"), tone="live"),
    "confirmed": Word(label=_("confirmée par la bibliothèque"), tone="live"),
    "activated": Word(label=_("activée"), tone="good"),
    "expired": Word(label=_("échue"), tone="off"),
    "withdrawn": Word(label=_("retirée"), tone="off"),
}
_JOURNEYS: Final[Mapping[str, Any]] = {
    "library.arrival": _("Arrivée et préinscription"),
    "contact.verification": _("Vérification d'un contact"),
    "contact.withdrawal": _("Retrait d'un consentement"),
}
_STEPS: Final[Mapping[str, Any]] = {
    "announce": _("Annoncer la personne"),
    "library": _("Choisir la bibliothèque la plus proche"),
    "issue_code": _("Émettre le code d'accès"),
    "notify_library_code": _("Envoyer le code d'accès"),
    "preregister": _("Préinscrire dans le logiciel de la bibliothèque"),
    "wait_access_code_redeemed": _("Attendre que le code soit saisi"),
    "require_library_preregistration": _("Vérifier l'accord pour la préinscription"),
    "activate": _("Activer l'inscription"),
    "cancel_preregistration": _("Annuler la préinscription"),
    "notify_verification_code": _("Envoyer le code de vérification"),
    "record_withdrawal": _("Inscrire le retrait"),
    "journey": _("Retrouver le parcours"),
    "run": _("L'exécution entière"),
}
_OPERATIONS: Final[Mapping[str, Any]] = {
    **_STEPS,
    "send": _("Envoyer un message"),
    "lookup": _("Chercher"),
    "close_window": _("Clore le fichier en cours"),
}
_WAITS: Final[Mapping[str, Any]] = {
    "access_code.redeemed": _("la saisie du code d'accès"),
    "consent.given": _("l'accord de la personne"),
}
_EXCHANGES: Final[Mapping[str, Word]] = {
    "ok": Word(label=_("réussie"), tone="good"),
    "refused": Word(label=_("refusée"), tone="warn"),
    "timeout": Word(label=_("sans réponse à temps"), tone="warn"),
    "cut": Word(label=_("coupée"), tone="warn"),
    "tls": Word(label=_("chiffrement refusé"), tone="bad"),
    "not_sent": Word(label=_("non envoyée"), tone="bad"),
    "not_connected": Word(label=_("pas de connexion"), tone="warn"),
}


def status(name: str) -> Word:
    """Return the word for a run's status."""
    return STATUSES.get(name) or Word(label=name, tone="off")


def outcome(name: str) -> Word:
    """Return the word for what became of an attempt."""
    return OUTCOMES.get(name) or Word(label=name, tone="off")


def exchange(name: str) -> Word:
    """Return the word for what became of a call."""
    return _EXCHANGES.get(name.partition(":")[0]) or Word(label=name, tone="off")


def cause(name: str) -> Any:
    """Return why a step was skipped or a run ended; what a person wrote of their own stays out."""
    return CAUSES.get(name.partition(": ")[0], name)


def error(name: str | None) -> Word:
    """Return what an error means to somebody who answers for the hub."""
    return ERRORS.get(name or "", ANY_ERROR)


def code(name: str) -> Word:
    """Return what a run's error code means; the way a run ended is not an error."""
    return CODES.get(name) or Word(label=cause(name), tone="off")


def journey(name: str) -> Any:
    """Return a journey's name for people."""
    return _JOURNEYS.get(name, name)


def step(name: str) -> Any:
    """Return a step's name for people, that of its undo, or that of the step a person acted on."""
    base, _colon, act = name.partition(":")
    known = _STEPS.get(base, base)
    return _("Reprendre : %(step)s", step=known) if act.startswith("undo") else known


def operation(name: str) -> Any:
    """Return an operation's name for people."""
    return _OPERATIONS.get(name, name)


def awaited(name: str) -> Any:
    """Return what a run waits for: a signal, or a system by its profile."""
    return _WAITS.get(name, name.removeprefix("system:"))


def sender(partner: str | None, partners: Mapping[str, str]) -> Any:
    """Return a sender's name for people."""
    if partner == OWN_PAGES:
        return _("Nos pages")
    return partners.get(partner or "", partner) or _("Source inconnue")


def event(type_name: str) -> str:
    """Return what a type of event says happened."""
    known = events.catalogue().get(type_name)
    return known.title if known else type_name
