"""Every error of the hub: the class says where, ``recovery`` says what happens next.

The class docstring is the default message, in English, for us; ``title`` is the French sentence a
person may read. Neither ever holds a body, a query, a name, an address or a telephone number.
"""

from enum import Enum
from typing import ClassVar


class Recovery(Enum):
    """What the one who catches must do."""

    RETRY = "retry"
    PAUSE = "pause"
    DEAD_LETTER = "dead_letter"
    DONE = "done"


class ParvisError(Exception):
    """Something failed inside the hub.

    ``detail`` is what was said of this very case, empty when only the default message is.
    """

    recovery: ClassVar[Recovery] = Recovery.DEAD_LETTER
    status: ClassVar[int] = 500
    slug: str = "internal"
    title: ClassVar[str] = "Une erreur interne est survenue."

    def __init__(self, detail: str | None = None, *, slug: str | None = None) -> None:
        super().__init__(detail or (type(self).__doc__ or "").partition("\n")[0])
        self.detail = detail or ""
        if slug is not None:
            self.slug = slug


class ConfigurationError(ParvisError):
    """The configuration is wrong: the process does not start."""

    title = "La configuration est incorrecte."

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults) or None)
        self.faults = faults


class ImportRefusedError(ParvisError):
    """A data file was refused: nothing of it was loaded."""

    title = "Le fichier de données a été refusé : rien n'a été chargé."


class StoreUnavailableError(ParvisError):
    """PostgreSQL cannot be reached: nothing was accepted."""

    recovery = Recovery.RETRY
    status = 503
    slug = "unavailable"
    title = "Le service est momentanément indisponible : rien n'a été enregistré, réessayez."
    retry_after = 5


class BrokerUnavailableError(ParvisError):
    """RabbitMQ cannot be reached or broke off: what was not confirmed stays in the outbox."""

    recovery = Recovery.RETRY
    status = 503
    slug = "unavailable"
    title = "RabbitMQ ne répond pas : les messages attendent dans la base, rien n'est perdu."


class IdentityUnavailableError(ParvisError):
    """The identity provider does not answer; nobody can sign in for the moment."""

    recovery = Recovery.RETRY
    status = 503
    slug = "unavailable"
    title = "La connexion est momentanément indisponible : réessayez dans quelques minutes."
    retry_after = 30


class IdentityRefusedError(ParvisError):
    """The identity provider refuses our account or what we ask: a person must mend it."""

    recovery = Recovery.PAUSE
    status = 502
    slug = "unavailable"
    title = "Le serveur de connexion refuse ce que Parvis demande."


class IdentityContractBrokenError(ParvisError):
    """The identity provider answers what nobody can read, or does not keep what it accepted."""

    status = 502
    slug = "unavailable"
    title = "Le serveur de connexion ne répond pas comme prévu."


class BrokerRefusedError(ConfigurationError):
    """RabbitMQ answers and refuses us: a person must mend its settings or ours."""

    recovery = Recovery.PAUSE
    title = "RabbitMQ refuse ce que Parvis demande."


# --- a system of the city or a gateway ---------------------------------------------------------


class PartnerError(ParvisError):
    """A system did not do what was asked.

    ``is_shut`` tells that its breaker is open by now: whoever tries again waits for the system.
    """

    status = 502
    slug = "system-refused"
    title = "Le système de la collectivité n'a pas accepté la demande."

    def __init__(
        self,
        partner: str,
        operation: str,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(detail)
        self.partner = partner
        self.operation = operation
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown
        self.is_shut = False


class PartnerUnavailableError(PartnerError):
    """The system did not answer, or said it cannot now."""

    recovery = Recovery.RETRY
    status = 503
    slug = "system-unavailable"
    title = "Le système de la collectivité ne répond pas : la demande sera reprise."


class PartnerThrottledError(PartnerUnavailableError):
    """The system asks us to slow down."""


class PartnerBusyError(PartnerThrottledError):
    """The system has our whole share of calls, or all it takes a second: nothing was sent."""


class PartnerAwaitedError(PartnerUnavailableError):
    """The system's breaker is open, or it asked for a pause: nothing was sent, the run waits."""


class PartnerMisconfiguredError(PartnerError):
    """The system refuses our credentials or our settings: a person must mend them."""

    recovery = Recovery.PAUSE
    slug = "system-unavailable"
    title = "L'accès au système est refusé : ses réglages sont à corriger."


class PartnerRejectedError(PartnerError):
    """The system refuses this request for good."""


class PartnerContractBrokenError(PartnerError):
    """The system answered with success and something we cannot read."""


class PartnerAlreadyDoneError(PartnerError):
    """The system says it already did this; ``external_ref`` is its reference when known."""

    recovery = Recovery.DONE
    status = 200

    def __init__(self, partner: str, operation: str, external_ref: str | None = None) -> None:
        super().__init__(partner, operation)
        self.external_ref = external_ref


# --- runs and messages ---------------------------------------------------------------------------


class MessageError(ParvisError):
    """An inbound message cannot be understood."""

    status = 422
    slug = "invalid-event"
    title = "Le message reçu ne peut pas être compris."


class UnknownMessageTypeError(MessageError):
    """No such type of message."""

    slug = "unknown-type"
    title = "Ce type d'événement n'existe pas."


class InvalidMessageError(MessageError):
    """The message does not follow its schema."""

    def __init__(self, partner: str, operation: str, detail: str | None = None) -> None:
        super().__init__(detail)
        self.partner = partner
        self.operation = operation


class RunError(ParvisError):
    """A run cannot go on as it is."""

    title = "Le parcours ne peut pas continuer sans une décision."


class CompensationFailedError(RunError):
    """What a step did could not be undone."""

    recovery = Recovery.PAUSE


# --- our caller is wrong -------------------------------------------------------------------------


class RequestError(ParvisError):
    """The request is wrong; the caller can mend it."""

    status = 400
    slug = "malformed"
    title = "La demande est incorrecte."


class MalformedError(RequestError):
    """The request cannot be read."""

    title = "La demande est illisible."


class IdempotencyKeyMissingError(RequestError):
    """Idempotency-Key is missing."""

    slug = "idempotency-key-missing"
    title = "L'en-tête Idempotency-Key manque."


class NotAuthenticatedError(RequestError):
    """No valid token or session."""

    status = 401
    slug = "not-authenticated"
    title = "Connectez-vous pour continuer."


class TokenRefusedError(NotAuthenticatedError):
    """The bearer token is not trusted; ``reason`` says why, to us only.

    ``error`` is what RFC 6750 section 3.1 lets a caller know.
    """

    title = "Le jeton n'est pas valable : demandez-en un nouveau."

    def __init__(self, reason: str, *, error: str = "invalid_token") -> None:
        super().__init__()
        self.reason = reason
        self.error = error


class SignatureVerificationError(RequestError):
    """The signature does not prove the sender; ``reason`` is for us, never for the answer."""

    status = 401
    slug = "signature-invalid"
    title = "La signature est invalide."

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class ClockSkewError(SignatureVerificationError):
    """The timestamp is too far from our clock."""

    slug = "timestamp-skew"
    title = "L'horloge de l'émetteur est décalée : réglez-la sur l'en-tête Date de cette réponse."


class SamlRefusedError(RequestError):
    """A message of an identity provider that is not trusted.

    ``code`` says why, to us only; ``case`` is what a person may quote.
    """

    status = 403
    slug = "not-permitted"
    title = "La connexion n'a pas pu être vérifiée : recommencez depuis le début."

    def __init__(self, code: str, *, case: str | None = None) -> None:
        super().__init__()
        self.code = code
        self.case = case


class NotPermittedError(RequestError):
    """The caller has no right to this."""

    status = 403
    slug = "not-permitted"
    title = "Vous n'avez pas le droit de faire cela."


class AccessRefusedError(NotPermittedError):
    """The token is good and does not open this; ``reason`` says why, to us only."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class LoginFirstError(AccessRefusedError):
    """Nobody known signs in by this token: the person signs in on our pages first."""

    slug = "login-first"
    title = "Connectez-vous d'abord une fois sur nos pages."


class ProofNeededError(AccessRefusedError):
    """The sign-in proved nothing of the person, or less than the service wants: nothing is done."""

    slug = "proof-needed"
    title = "La connexion de la personne ne prouve pas assez qui elle est."

    def __init__(self, reason: str = "unproved") -> None:
        super().__init__(reason)


class RecentSignInNeededError(AccessRefusedError):
    """The act needs a person who proved who they are within the last ``max_age`` seconds."""

    title = "Cet acte demande de vous être identifié il y a moins de cinq minutes."

    def __init__(self, max_age: int) -> None:
        super().__init__("not_recent")
        self.max_age = max_age


class ConsentMissingError(RequestError):
    """No legal basis for this purpose."""

    status = 403
    slug = "consent-missing"
    title = "Aucun consentement ne permet cette action."


class NotFoundError(RequestError):
    """No such thing."""

    status = 404
    slug = "not-found"
    title = "Cette ressource n'existe pas."


class JourneyUnknownError(NotFoundError):
    """No such journey, or no such version of it."""

    title = "Ce parcours n'existe pas, ou pas à cette version."


class RunUnknownError(NotFoundError):
    """No such run."""

    title = "Cette exécution n'existe pas."


class SystemUnknownError(NotFoundError):
    """No such system."""

    title = "Ce système n'existe pas."


class MethodNotAllowedError(RequestError):
    """This address does not know the method; ``allowed`` are those it knows."""

    status = 405
    slug = "method-not-allowed"
    title = "Cette méthode n'est pas acceptée à cette adresse."

    def __init__(self, *allowed: str) -> None:
        super().__init__()
        self.allowed = allowed


class RequestTimeoutError(RequestError):
    """The body did not come in time."""

    status = 408
    slug = "request-timeout"
    title = "La demande n'est pas arrivée en entier dans le délai."


class ConflictError(RequestError):
    """State or version does not allow this."""

    status = 409
    slug = "conflict"
    title = "L'état actuel ne permet pas cette action."


class RunStateError(ConflictError):
    """The run's state does not allow this act."""

    title = "L'état de cette exécution ne permet pas cet acte."


class VersionMoveError(ConflictError):
    """Runs cannot be moved from the one version to the other."""

    title = "Cette migration est impossible."


class RunKeyHeldError(ConflictError):
    """Another run with the same key is under way."""

    title = "Une autre exécution porte la même clé et n'est pas finie."


class SystemNotPausedError(ConflictError):
    """Calls to this system pass: there is nothing to resume."""

    title = "Les appels à ce système passent déjà : il n'y a rien à reprendre."


class IdempotencyKeyInFlightError(ConflictError):
    """A request is outstanding for this Idempotency-Key."""

    slug = "idempotency-key-in-flight"
    title = "Une demande portant cette clé est en cours."
    retry_after = 5


class GoneError(RequestError):
    """It was here and is no more."""

    status = 410
    slug = "gone"
    title = "Cette ressource n'est plus disponible."


class RunErasedError(GoneError):
    """What the run was told is no longer readable: it was erased or its time is over."""

    title = "Ce que cette exécution avait reçu est effacé : elle ne peut pas recommencer."


class PayloadTooLargeError(RequestError):
    """The body is larger than allowed."""

    status = 413
    slug = "too-large"
    title = "Le corps de la demande est trop grand."


class UnsupportedMediaTypeError(RequestError):
    """The media type is not one we read here."""

    status = 415
    slug = "unsupported-media-type"
    title = "Ce type de contenu n'est pas accepté ici."


class InvalidPayloadError(RequestError):
    """The body does not follow its schema.

    ``errors`` are pairs (JSON pointer fragment such as ``#/data/commune``, French sentence).
    """

    status = 422
    slug = "invalid-data"
    title = "Certaines valeurs sont incorrectes."

    def __init__(
        self, errors: tuple[tuple[str, str], ...] = (), *, slug: str | None = None
    ) -> None:
        super().__init__(slug=slug)
        self.errors = errors


class ReasonMissingError(RequestError):
    """The act needs a reason, in a few words."""

    status = 422
    slug = "invalid-data"
    title = "Cet acte demande un motif."


class PauseEndError(RequestError):
    """The end of the pause is past or more than 30 days away."""

    status = 422
    slug = "invalid-data"
    title = "La fin de la pause doit être à venir, à 30 jours au plus."


class NothingSelectedError(RequestError):
    """The selection holds nothing: nothing was planned."""

    status = 422
    slug = "invalid-data"
    title = "Rien ne correspond à cette sélection : rien n'a été fait."


class EventIdReusedError(RequestError):
    """The same source and id came with another body: nothing was changed."""

    status = 422
    slug = "event-id-reused"
    title = "Cet identifiant d'événement a déjà servi pour un autre contenu."


class IdempotencyKeyReusedError(RequestError):
    """Idempotency-Key is already used."""

    status = 422
    slug = "idempotency-key-reused"
    title = "Cette clé d'idempotence a déjà servi pour un autre contenu."


class RateLimitedError(RequestError):
    """Too many requests; ``retry_after`` in seconds."""

    status = 429
    slug = "rate-limited"
    title = "Trop de demandes : patientez avant de réessayer."

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after
