"""From a failed probe to two French sentences: what is the matter, and what to do about it."""

from collections.abc import Sequence
from typing import Final

from schemas.errors import (
    PartnerContractBrokenError,
    PartnerError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerThrottledError,
    PartnerUnavailableError,
)
from schemas.receipts import Exchange

Sentences = tuple[str, str]

BY_OUTCOME: Final[dict[str, Sentences]] = {
    "not_connected:name": (
        "Le nom du système est introuvable dans le DNS.",
        "Vérifiez l'adresse dans les réglages, puis la résolution de noms du serveur.",
    ),
    "not_connected:connection": (
        "Le système refuse la connexion.",
        "Vérifiez que le système est démarré et que le pare-feu laisse passer le serveur.",
    ),
    "not_connected:timeout": (
        "Le système n'accepte pas la connexion dans le délai.",
        "Vérifiez que le système est démarré et que le pare-feu laisse passer le serveur.",
    ),
    "not_connected:refused_address": (
        "L'adresse du système est sur un réseau interne que ce profil n'a pas le droit d'atteindre.",
        "Corrigez l'adresse ou cochez « Réseau interne autorisé ».",
    ),
    "tls": (
        "Le certificat du système n'est pas accepté.",
        "Faites renouveler le certificat, ou donnez l'autorité de certification dans les réglages.",
    ),
    "timeout": (
        "Le système est joint mais ne répond pas dans le délai.",
        "Prévenez son prestataire : le système est surchargé ou bloqué.",
    ),
    "disk": (
        "Le dossier de dépôt est absent, plein ou fermé en écriture.",
        "Vérifiez que le dossier existe, que son disque est monté et que Parvis peut y écrire.",
    ),
    "cut": (
        "Le système coupe la connexion sans répondre.",
        "Prévenez son prestataire : le système ou son proxy interrompt les échanges.",
    ),
}
BY_STATUS: Final[dict[int, Sentences]] = {
    401: (
        "Le système refuse nos identifiants.",
        "Saisissez à nouveau les identifiants fournis par le prestataire.",
    ),
    403: (
        "Nos identifiants n'ont pas le droit demandé dans le système, ou sont refusés.",
        "Demandez au prestataire les droits indiqués sur la page du connecteur.",
    ),
    404: (
        "Le service attendu n'existe pas à cette adresse.",
        "Vérifiez l'adresse de base, et que l'interface est activée dans le système.",
    ),
}
BY_ERROR: Final[tuple[tuple[type[PartnerError], Sentences], ...]] = (
    (
        PartnerThrottledError,
        (
            "Le système demande de ralentir.",
            "Patientez : l'essai reprendra seul. Si cela dure, demandez un quota plus élevé.",
        ),
    ),
    (
        PartnerUnavailableError,
        (
            "Le système répond qu'il est en panne ou en maintenance.",
            "Prévenez son prestataire : l'essai reprendra seul.",
        ),
    ),
    (
        PartnerMisconfiguredError,
        (
            "Le système refuse nos réglages ou nos identifiants.",
            "Comparez les réglages avec la page du connecteur et ce qu'a fourni le prestataire.",
        ),
    ),
    (
        PartnerContractBrokenError,
        (
            "Le système répond, mais pas ce que prévoit son interface.",
            "Demandez au prestataire si le système a changé de version.",
        ),
    ),
    (
        PartnerRejectedError,
        (
            "Le système refuse la transaction d'essai.",
            "Comparez les réglages avec la page du connecteur.",
        ),
    ),
)
UNKNOWN: Final = ("L'essai a échoué.", "Consultez les échanges de ce profil.")


def sentences(error: PartnerError, log: Sequence[Exchange]) -> Sentences:
    """Return cause and remedy of a probe's failure, from its last exchange, then from its class."""
    if log and log[-1].outcome in BY_OUTCOME:
        return BY_OUTCOME[log[-1].outcome]
    refused_status = log[-1].status if log and log[-1].outcome == "refused" else None
    if (
        isinstance(error, PartnerMisconfiguredError | PartnerRejectedError)
        and refused_status in BY_STATUS
    ):
        return BY_STATUS[refused_status]
    return next((texts for kind, texts in BY_ERROR if isinstance(error, kind)), UNKNOWN)
