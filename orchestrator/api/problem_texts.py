"""What each kind of problem means and what to do about it, in French and in English.

Every ``type`` a problem may carry is here and has its page at ``/problems/<slug>``.
"""

from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["fr", "en"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One problem in one language: its name, what happened, what the caller can do."""

    title: str
    meaning: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemText:
    """One kind of problem; ``is_retryable``: the same request may pass later."""

    status: str
    fr: Words
    en: Words
    is_retryable: bool = False

    def words(self, language: Language) -> Words:
        """Return the text in one language."""
        return self.fr if language == "fr" else self.en


def _problem(
    status: str,
    french: tuple[str, str, str],
    english: tuple[str, str, str],
    *,
    retryable: bool = False,
) -> ProblemText:
    fr = Words(title=french[0], meaning=french[1], advice=french[2])
    en = Words(title=english[0], meaning=english[1], advice=english[2])
    return ProblemText(status=status, fr=fr, en=en, is_retryable=retryable)


PROBLEMS: Final = {
    "malformed": _problem(
        "400",
        (
            "La demande est illisible",
            "Le corps n'est pas un document JSON sans ambiguïté, en UTF-8, de 32 niveaux au plus.",
            "Corrigez la façon dont le document est écrit ; l'envoyer de nouveau tel quel ne sert à rien.",
        ),
        (
            "The request cannot be read",
            "The body is not an unambiguous JSON document in UTF-8, at most 32 levels deep.",
            "Mend the way the document is written; sending it again as it is will not help.",
        ),
    ),
    "signature-invalid": _problem(
        "401",
        (
            "La signature est invalide",
            (
                "Les octets reçus ne sont signés par aucune clé en service du partenaire que nomme "
                "Parvis-Key-Id."
            ),
            (
                "Vérifiez l'en-tête Parvis-Key-Id (partenaire/clé), le secret, et que la signature porte "
                "sur les octets envoyés, sans les réécrire."
            ),
        ),
        (
            "The signature is invalid",
            "No live key of the partner that Parvis-Key-Id names has signed the bytes received.",
            (
                "Check the Parvis-Key-Id header (partner/key), the secret, and that the signature covers "
                "the very bytes that were sent."
            ),
        ),
    ),
    "timestamp-skew": _problem(
        "401",
        (
            "L'horloge de l'émetteur est décalée",
            "webhook-timestamp est à plus de 300 secondes de notre horloge.",
            "Réglez l'horloge sur l'en-tête Date de la réponse, signez de nouveau, envoyez une fois.",
        ),
        (
            "The sender's clock is off",
            "webhook-timestamp is more than 300 seconds from our clock.",
            "Set the clock by the Date header of the answer, sign again, send once more.",
        ),
    ),
    "not-authenticated": _problem(
        "401",
        (
            "Connectez-vous pour continuer",
            "Aucun jeton ni aucune session valable n'accompagne la demande.",
            (
                "Obtenez un jeton du royaume des citoyens, fait pour cette API et encore valable, puis "
                "recommencez."
            ),
        ),
        (
            "Sign in to go on",
            "No valid token or session came with the request.",
            "Get a token of the citizens' realm, made for this API and still valid, then try again.",
        ),
    ),
    "source-mismatch": _problem(
        "403",
        (
            "La source n'est pas celle du signataire",
            "« source » doit être /partners/<votre identifiant>, avec une suite facultative.",
            "Corrigez « source » ou signez avec la clé du partenaire qu'elle nomme.",
        ),
        (
            "The source is not the signer's",
            '"source" must be /partners/<your identifier>, with an optional tail.',
            'Mend "source", or sign with a key of the partner it names.',
        ),
    ),
    "type-not-allowed": _problem(
        "403",
        (
            "Ce type d'événement ne vous est pas ouvert",
            "Le type existe, la convention de ce partenaire ne le prévoit pas.",
            "Consultez GET /v1/event-types ; demandez à la collectivité d'ouvrir ce type.",
        ),
        (
            "This type of event is not open to you",
            "The type exists, this partner's agreement does not list it.",
            "See GET /v1/event-types; ask the authority to open this type.",
        ),
    ),
    "not-permitted": _problem(
        "403",
        (
            "Vous n'avez pas le droit de faire cela",
            (
                "Le jeton est bon et ne donne pas ce droit : application inconnue ou hors service, rôle ou "
                "portée qui manque, ou identification trop ancienne (« max_age », en secondes)."
            ),
            "Demandez ce droit à la collectivité ; si « max_age » est donné, faites identifier de nouveau.",
        ),
        (
            "You have no right to do this",
            (
                "The token is good and gives no such right: an application that is unknown or out of "
                'service, a role or scope that is missing, or a sign-in too long ago ("max_age", seconds).'
            ),
            'Ask the authority for this right; when "max_age" is given, have the person sign in again.',
        ),
    ),
    "login-first": _problem(
        "403",
        (
            "La personne ne s'est encore jamais connectée",
            "Cette action demande une personne qui s'est connectée au moins une fois sur nos pages.",
            "Menez la personne à /connexion ; l'API ne crée personne.",
        ),
        (
            "The person never signed in",
            "This needs a person who signed in at least once on our pages.",
            "Send the person to /connexion; the API creates nobody.",
        ),
    ),
    "proof-needed": _problem(
        "403",
        (
            "La connexion de la personne ne prouve pas assez qui elle est",
            "L'adresse du compte n'est pas vérifiée, ou le service demande un niveau plus haut (min_level).",
            "Faites vérifier l'adresse du compte, ou reconnecter la personne par FranceConnect.",
        ),
        (
            "The person's sign-in does not prove enough who they are",
            "The address of the account is not verified, or the service wants a higher level (min_level).",
            "Have the address of the account verified, or have the person sign in by FranceConnect.",
        ),
    ),
    "consent-missing": _problem(
        "403",
        (
            "Aucun consentement ne permet cette action",
            "Aucune base légale n'est enregistrée pour cette finalité.",
            "Recueillez d'abord l'accord de la personne.",
        ),
        (
            "No consent allows this",
            "No legal basis is recorded for this purpose.",
            "Ask the person first.",
        ),
    ),
    "not-found": _problem(
        "404",
        (
            "Cette ressource n'existe pas",
            "Rien ne se trouve à cette adresse, ou rien que vous puissiez voir.",
            "Vérifiez l'adresse et l'identifiant.",
        ),
        (
            "There is no such thing",
            "Nothing is at this address, or nothing you may see.",
            "Check the address and the identifier.",
        ),
    ),
    "method-not-allowed": _problem(
        "405",
        (
            "Cette méthode n'est pas acceptée à cette adresse",
            "L'adresse existe, elle ne connaît pas cette méthode HTTP.",
            "Employez une des méthodes de l'en-tête Allow.",
        ),
        (
            "This method is not accepted here",
            "The address exists, it does not know this HTTP method.",
            "Use one of the methods of the Allow header.",
        ),
    ),
    "request-timeout": _problem(
        "408",
        (
            "La demande n'est pas arrivée à temps",
            "Le corps n'est pas arrivé en entier en dix secondes.",
            "Envoyez de nouveau, avec un corps plus petit si la liaison est lente.",
        ),
        (
            "The request did not arrive in time",
            "The body did not arrive whole within ten seconds.",
            "Send it again, with a smaller body on a slow link.",
        ),
        retryable=True,
    ),
    "conflict": _problem(
        "409",
        (
            "L'état actuel ne permet pas cette action",
            "L'objet a changé ou n'est pas dans l'état attendu.",
            "Relisez-le, puis décidez de nouveau.",
        ),
        (
            "The present state does not allow this",
            "The object changed or is not in the state this needs.",
            "Read it again, then decide again.",
        ),
    ),
    "gone": _problem(
        "410",
        (
            "Cette ressource n'est plus disponible",
            "Elle a existé et a été retirée.",
            "N'employez plus cette adresse.",
        ),
        ("This is no more", "It existed and was withdrawn.", "Stop using this address."),
    ),
    "too-large": _problem(
        "413",
        (
            "Le corps de la demande est trop grand",
            (
                "Un événement fait au plus 64 Kio ; un lot, 256 Kio et 50 événements, avant comme après "
                "décompression."
            ),
            "Envoyez moins à la fois.",
        ),
        (
            "The body is too large",
            "An event is at most 64 KiB; a batch 256 KiB and 50 events, before and after inflation.",
            "Send less at a time.",
        ),
    ),
    "unsupported-media-type": _problem(
        "415",
        (
            "Ce type de contenu n'est pas accepté ici",
            "Le type de média, son jeu de caractères ou son encodage n'est pas lu à cette adresse.",
            "Envoyez un des types de l'en-tête Accept-Post, en UTF-8.",
        ),
        (
            "This media type is not accepted here",
            "The media type, its character set or its encoding is not read at this address.",
            "Send one of the types of the Accept-Post header, in UTF-8.",
        ),
    ),
    "invalid-event": _problem(
        "422",
        (
            "L'événement ne suit pas CloudEvents 1.0",
            "Un attribut manque ou n'a pas la forme voulue ; « errors » dit lequel.",
            "Corrigez les attributs nommés dans « errors ».",
        ),
        (
            "The event does not follow CloudEvents 1.0",
            'An attribute is missing or badly formed; "errors" says which.',
            'Mend the attributes that "errors" names.',
        ),
    ),
    "invalid-data": _problem(
        "422",
        (
            "Certaines valeurs sont incorrectes",
            "« data », ou le corps de la demande, ne suit pas son schéma ; « errors » dit où.",
            "Comparez avec le schéma publié dans GET /v1/event-types ou dans le document OpenAPI.",
        ),
        (
            "Some values are wrong",
            '"data", or the body of the request, does not follow its schema; "errors" says where.',
            "Compare with the schema published in GET /v1/event-types or in the OpenAPI document.",
        ),
    ),
    "unknown-type": _problem(
        "422",
        (
            "Ce type d'événement n'existe pas",
            "« type » n'est pas dans la liste des types que nous recevons.",
            "Consultez GET /v1/event-types.",
        ),
        (
            "There is no such type of event",
            '"type" is not in the list of types we receive.',
            "See GET /v1/event-types.",
        ),
    ),
    "event-id-reused": _problem(
        "422",
        (
            "Cet identifiant a déjà servi pour un autre contenu",
            (
                "Un événement de même « source » et de même « id » est déjà là, avec un autre corps. Rien "
                "n'a changé."
            ),
            "Donnez un nouvel identifiant à chaque fait, le même à chaque répétition.",
        ),
        (
            "This id already served for another content",
            (
                'An event of the same "source" and "id" is already here with another body. Nothing '
                "changed."
            ),
            "Give each fact a new id, and each repeat the same one.",
        ),
    ),
    "idempotency-key-missing": _problem(
        "400",
        (
            "L'en-tête Idempotency-Key manque",
            "Cette écriture demande une clé qui la distingue d'une répétition.",
            "Ajoutez un en-tête Idempotency-Key unique.",
        ),
        (
            "Idempotency-Key is missing",
            "This write needs a key that tells it from a repeat.",
            "Add a unique Idempotency-Key header.",
        ),
    ),
    "idempotency-key-in-flight": _problem(
        "409",
        (
            "Une demande portant cette clé est en cours",
            "La première demande n'est pas finie.",
            "Attendez le délai de Retry-After, puis recommencez.",
        ),
        (
            "A request is outstanding for this Idempotency-Key",
            "The first request has not ended.",
            "Wait as long as Retry-After says, then try again.",
        ),
        retryable=True,
    ),
    "idempotency-key-reused": _problem(
        "422",
        (
            "Cette clé d'idempotence a déjà servi",
            "La même clé est arrivée avec un autre contenu.",
            "Une nouvelle demande prend une nouvelle clé.",
        ),
        (
            "Idempotency-Key is already used",
            "The same key came with another content.",
            "A new request takes a new key.",
        ),
    ),
    "rate-limited": _problem(
        "429",
        (
            "Trop de demandes",
            "Le quota de la fenêtre de temps est atteint ; RateLimit-Policy le décrit.",
            "Attendez le délai de Retry-After ; un partenaire regroupe ses événements en lots.",
        ),
        (
            "Too many requests",
            "The quota of the time window is used up; RateLimit-Policy describes it.",
            "Wait as long as Retry-After says; a partner sends events in batches.",
        ),
        retryable=True,
    ),
    "internal": _problem(
        "500",
        (
            "Une erreur interne est survenue",
            "C'est un défaut de notre côté ; il est enregistré sous request_id.",
            "Recommencez plus tard ; si cela dure, donnez-nous request_id.",
        ),
        (
            "An internal error occurred",
            "This is a fault of ours; it is logged under request_id.",
            "Try again later; if it lasts, tell us the request_id.",
        ),
        retryable=True,
    ),
    "system-refused": _problem(
        "502",
        (
            "Le système de la collectivité n'a pas accepté la demande",
            "Le système appelé a refusé.",
            "Corrigez la demande ou voyez avec le service concerné.",
        ),
        (
            "The authority's system did not accept the request",
            "The system that was called refused.",
            "Mend the request or ask the service concerned.",
        ),
    ),
    "system-unavailable": _problem(
        "502-504",
        (
            "Le système de la collectivité ne répond pas",
            "Le système appelé ne répond pas, ou pas à temps.",
            "Recommencez plus tard.",
        ),
        (
            "The authority's system does not answer",
            "The system that was called did not answer, or not in time.",
            "Try again later.",
        ),
        retryable=True,
    ),
    "unavailable": _problem(
        "503",
        (
            "Le service est momentanément indisponible",
            "La base de données ou le service d'identité n'est pas joignable : rien n'a été accepté.",
            "Envoyez de nouveau, avec le même identifiant, après le délai de Retry-After.",
        ),
        (
            "The service is unavailable for the moment",
            "The database or the identity service cannot be reached: nothing was accepted.",
            "Send again, with the same id, after the delay of Retry-After.",
        ),
        retryable=True,
    ),
}
