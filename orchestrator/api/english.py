"""English for the French sentences of the validators, for callers who ask for it.

The validators speak French because most of what they say is read in France. A sentence that is not
in this table becomes the general one; a test reads the validators and finds none missing.
"""

import re
from functools import lru_cache
from typing import Final

GENERAL: Final = "This value is not accepted."
_SENTENCES: Final = (
    (r"Le corps n'est pas un document JSON\.", "The body is not a JSON document."),
    (r"Le corps commence par une marque .*", "The body begins with a byte order mark (BOM)."),
    (r"Le corps n'est pas en UTF-8\.", "The body is not UTF-8."),
    (r"NaN et Infinity ne sont pas du JSON\.", "NaN and Infinity are not JSON."),
    (r"Ce nombre ne tient pas sur 64 bits\.", "This number does not fit in 64 bits."),
    (r"Le document a plus de (\d+) niveaux\.", r"The document has more than \1 levels."),
    (r"Un nom de membre est répété .*", "A member name is repeated in this object."),
    (r"Un nom de membre contient .*", "A member name holds a forbidden character."),
    (r"Ce texte contient un caractère interdit\.", "This text holds a forbidden character."),
    (r"Un événement est un objet JSON\.", "An event is a JSON object."),
    (r"Un lot est un tableau JSON .*", "A batch is a JSON array of events."),
    (r"Un lot contient au plus (\d+) .*", r"A batch holds at most \1 events."),
    (r"Un événement fait au plus 64 Kio\.", "An event is at most 64 KiB."),
    (r"« specversion » vaut exactement « 1\.0 »\.", '"specversion" is exactly "1.0".'),
    (
        r"« source » est une référence .*",
        '"source" is a URI reference of at most 256 characters.',
    ),
    (
        r"« id » est obligatoire : .*",
        '"id" is required: 1 to 64 characters of A-Z a-z 0-9 _ and -.',
    ),
    (r"« time » est obligatoire : .*", '"time" is required: RFC 3339 with seconds and offset.'),
    (r"« time » est dans le futur\.", '"time" is in the future.'),
    (r"« time » est trop ancien .*", '"time" is too old: 35 days at most.'),
    (r"« type » .*minuscules.*", '"type" is lower case letters, digits, dots and underscores.'),
    (r"« (\w+) » est obligatoire\.", r'"\1" is required.'),
    (r"« (\w+) » contient un caractère interdit\.", r'"\1" holds a forbidden character.'),
    (r"« (\w+) » est un texte non vide\.", r'"\1" is a text that is not empty.'),
    (r"« subject » a 256 .*", '"subject" has at most 256 characters.'),
    (
        r"« subject » est une référence opaque, .*",
        '"subject" is an opaque reference, never an address nor a telephone number.',
    ),
    (r"« datacontenttype » est un type de média\.", '"datacontenttype" is a media type.'),
    (r"« dataschema » est une URI absolue\.", '"dataschema" is an absolute URI.'),
    (r"Un nom d'attribut .*", "An attribute name is made of a-z and 0-9 only."),
    (
        r"Cet attribut contient un caractère interdit\.",
        "This attribute holds a forbidden character.",
    ),
    (r"Un attribut est un texte, .*", "An attribute is a text, a boolean or a 32-bit integer."),
    (r"« recordedtime » est une date .*", '"recordedtime" is an RFC 3339 date-time.'),
    (r"« recordedtime » ne précède pas .*", '"recordedtime" is not before "time".'),
    (r"« data » et « data_base64 » .*", '"data" and "data_base64" exclude each other.'),
    (r"« data_base64 » est un texte en base64\.", '"data_base64" is base64 text.'),
    (r"Le contenu décodé .*", "What was decoded is not a readable JSON document."),
    (r"Ce type d'événement ne porte pas .*", 'This type of event carries no "subject".'),
    (r"Ce membre est obligatoire\.", "This member is required."),
    (r"Ce membre ne peut pas être nul\.", "This member cannot be null."),
    (r"Ce membre n'est pas connu\.", "This member is not known."),
    (r"Cette valeur est incorrecte\.", "This value is wrong."),
    (r"Un objet est attendu\.", "An object is expected."),
    (r"Une liste de (\d+) à (\d+) .*", r"A list of \1 to \2 values is expected."),
    (r"Une valeur est répétée\.", "A value is repeated."),
    (r"Un texte est attendu\.", "A text is expected."),
    (r"Un texte de 1 à (\d+) .*", r"A text of 1 to \1 characters is expected."),
    (r"Un code de commune .*", "An INSEE commune code is expected (5 characters, as in 13055)."),
    (r"Cette commune n'est pas connue\.", "This commune is not known."),
    (r"Un identifiant est attendu .*", "An identifier is expected: lower case, digits and _."),
    (r"Le nom d'une finalité .*", "The name of a purpose is expected: library.preregistration."),
    (r"Une empreinte SHA-256 .*", "A SHA-256 digest is expected: 64 lower-case hex digits."),
    (r"Le code de l'affiche .*", "A poster's code is expected: 8 characters, as in AB12CD34."),
    (r"Un code PIC .*", "A PIC code of 9 digits is expected."),
    (r"Un UUID .*", "A lower-case UUID is expected."),
    (r"Le nom d'un parcours .*", "The name of a journey is expected: library.arrival."),
    (r"Une adresse https .*", "An https address is expected."),
    (r"Une saison est attendue .*", "A season is expected: two years in a row, as in 2026-2027."),
    (r"Un numéro de téléphone .*", "A telephone number in international form is expected (+33…)."),
    (r"Une adresse électronique .*", "An e-mail address is expected."),
    (r"Une étiquette de langue .*", "A BCP 47 language tag is expected, as in fr or fr-x-falc."),
    (r"Une de ces valeurs est attendue : (.*)", r"One of these values is expected: \1"),
    (r"Une date est attendue .*", "A date is expected (YYYY-MM-DD)."),
    (r"Un instant RFC 3339 .*", "An RFC 3339 date-time with seconds and offset is expected."),
    (r"Un nombre entier est attendu, (-?\d+) .*", r"A whole number is expected, at least \1."),
    (r"Un objet \{lat, lon\} est attendu\.", "An object {lat, lon} is expected."),
    (r"Un nombre de (-?\d+) à (\d+) .*", r"A number from \1 to \2 is expected."),
    (r"Le corps est plus court qu'annoncé\.", "The body is shorter than announced."),
    (r"Le découpage du corps est illisible\.", "The body's chunks cannot be read."),
    (r"Le corps n'est pas du gzip lisible\.", "The body is not readable gzip."),
    (r"Le corps dépasse (\d+) Kio\.", r"The body is over \1 KiB."),
    (r"Le type de contenu attendu est (.*)", r"The expected media type is \1"),
    (r"Aucun encodage du contenu .*", "No content encoding is accepted at this address."),
    (r"Seul l'encodage gzip .*", "Only the gzip content encoding is accepted, once."),
    (r"Seul le jeu de caractères .*", "Only the UTF-8 character set is accepted."),
    (
        r"Cet acte demande de vous être identifié .*",
        "This act needs a sign-in that is less than five minutes old.",
    ),
    (
        r"« Idempotency-Key » est un texte .*",
        '"Idempotency-Key" is a text of 1 to 128 visible characters, in quotes.',
    ),
    (r"Ce code n'ouvre rien .*", "This code opens nothing: it is unknown, used up or expired."),
    (
        r"Ce code est bon, .*",
        "This code is good, its pre-registration is under way: try again in a moment.",
    ),
    (r"La personne a déjà sa place .*", "The person already has a place in that service."),
    (
        r"La personne a déjà une autre inscription .*",
        "The person has another place in that service.",
    ),
    (r"Un agent doit d'abord .*", "A member of staff has to look at this first."),
    (r"Ce service ne relie pas de carte\.", "This service joins no card."),
    (r"Cette carte et ce code .*", "This card and this PIN do not belong together."),
    (r"Le code de cette carte .*", "This card's PIN expired: the library gives another one."),
    (r"Un numéro de carte a .*", "A card number has digits, sometimes letters, 40 at most."),
    (r"Le code d'une carte a .*", "A card's PIN has 1 to 100 characters."),
    (r"C'est votre seule façon .*", "This is the only way to sign in: add another one first."),
    (r"Confirmez d'abord votre identité .*", "First prove who you are by the login you keep."),
    (r"Un code d'accès a .*", "An access code has 10 characters, as in ABCDE-FGHJK."),
    (r"Le mode binaire .*", "Binary mode is not accepted: send the event in structured mode."),
)
_COMPILED: Final = tuple((re.compile(french), english) for french, english in _SENTENCES)
_PLACE: Final = re.compile(r"(.*?) \((#[^()]*)\)", re.DOTALL)


@lru_cache(maxsize=512)
def in_english(sentence: str) -> str:
    """Return the English of a validator's sentence; a place behind it, in brackets, stays."""
    placed = _PLACE.fullmatch(sentence)
    if placed:
        return f"{_translated(placed[1])} ({placed[2]})"
    return _translated(sentence)


def _translated(sentence: str) -> str:
    for french, english in _COMPILED:
        found = french.fullmatch(sentence)
        if found:
            return found.expand(english)
    return GENERAL
