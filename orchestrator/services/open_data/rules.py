"""The rules of the importers, by name: what a report may say.

Slugs are what tests and operators count; labels are what people read.
"""

from orchestrator.services.open_data.report import Action, Rule


def _corrected(slug: str, label: str) -> Rule:
    return Rule(slug=slug, action=Action.CORRECTED, label=label)


def _refused(slug: str, label: str) -> Rule:
    return Rule(slug=slug, action=Action.REFUSED, label=label)


def _noted(slug: str, label: str) -> Rule:
    return Rule(slug=slug, action=Action.NOTED, label=label)


# --- text --------------------------------------------------------------------------------------
UNICODE_FORM = _corrected("unicode-form", "écriture Unicode ramenée à la forme composée")
INVISIBLE_REMOVED = _corrected("invisible-removed", "caractères invisibles ou de commande retirés")
SPACES_COLLAPSED = _corrected("spaces-collapsed", "espaces superflus retirés")
BACKSLASH_REMOVED = _corrected("backslash-removed", "barre oblique inverse finale retirée")
CAPITALS_LOWERED = _corrected("capitals-lowered", "capitales ramenées à l'écriture d'un titre")
ACCENT_RESTORED = _corrected("accent-restored", "accents du mot rétablis")
FIRST_LETTER_RAISED = _corrected("first-letter-raised", "première lettre mise en capitale")
EMPTY_TEXT = _refused("empty-text", "texte sans lettre ni chiffre, ignoré")
FORMULA_LIKE = _noted("formula-like", "la valeur ressemble à une formule, gardée comme du texte")

# --- values ------------------------------------------------------------------------------------
NUMBER_AS_TEXT = _corrected("number-as-text", "nombre rendu en texte, zéros de tête rétablis")
DECIMAL_COMMA = _corrected("decimal-comma", "virgule décimale remplacée par un point")
ZERO_UNKNOWN = _corrected("zero-unknown", "zéro lu comme « inconnu »")
NUMBER_INVALID = _refused("number-invalid", "nombre illisible ou hors limites, valeur ignorée")
PHONE_NORMALISED = _corrected("phone-normalised", "téléphone écrit au format international E.164")
PHONE_UNREADABLE = _refused("phone-unreadable", "téléphone illisible, valeur ignorée")
URL_SCHEME_ADDED = _corrected("url-scheme-added", "https:// ajouté à l'adresse web")
URL_INVALID = _refused("url-invalid", "adresse web incorrecte, valeur ignorée")
SIREN_INVALID = _refused("siren-invalid", "numéro SIREN incorrect, valeur ignorée")
REFERENCE_INVALID = _refused("reference-invalid", "référence illisible, valeur ignorée")
CEDEX_IGNORED = _noted("cedex-ignored", "mention Cedex ignorée")

# --- keys and rows -----------------------------------------------------------------------------
KEY_DERIVED = _corrected("key-derived", "identifiant absent, calculé sur la commune et le nom")
KEY_INVALID = _refused("key-invalid", "identifiant illisible, ligne ignorée")
KEY_REPEATED = _refused("key-repeated", "identifiant déjà rencontré, ligne ignorée")
NAME_MISSING = _refused("name-missing", "nom absent, ligne ignorée")
LOCATION_MISSING = _refused("location-missing", "aucun lieu connu, ligne ignorée")
BLANK_LINE = _noted("blank-line", "ligne vide")

# --- communes ----------------------------------------------------------------------------------
DISTRICT_MAPPED = _corrected("district-mapped", "arrondissement remplacé par sa commune")
FORMER_CODE_MAPPED = _corrected("former-code-mapped", "ancien code remplacé par le code actuel")
JOINED_BY_NAME = _corrected("joined-by-name", "commune retrouvée par son nom")
COMMUNE_UNKNOWN = _refused("commune-unknown", "commune inconnue, ligne ignorée")
COMMUNE_NAME_DIFFERS = _noted("commune-name-differs", "nom de commune différent du nom officiel")
DEPARTMENT_DIFFERS = _noted("department-differs", "département différent de celui de la commune")
NOT_A_COMMUNE = _noted("not-a-commune", "ligne qui n'est pas une commune actuelle, laissée de côté")
FORMER_CODE_AMBIGUOUS = _refused(
    "former-code-ambiguous", "ancien code déjà pris par une autre commune, ignoré"
)
CENTROID_MISSING = _refused("centroid-missing", "commune sans centroïde")
CENTROID_DIFFERS = _noted("centroid-differs", "valeur différente de celle du fichier des communes")

# --- places ------------------------------------------------------------------------------------
CENTROID_USED = _corrected("centroid-used", "coordonnées absentes : centre de la commune")
FAR_POINT_REPLACED = _corrected(
    "far-point-replaced", "point à plus de 20 km de la commune : centre de la commune"
)
FAR_FROM_COMMUNE = _noted("far-from-commune", "point à plus de 10 km du centre de la commune")
COORDINATES_INVALID = _refused("coordinates-invalid", "coordonnées incorrectes, ignorées")
COORDINATES_DIFFER = _noted("coordinates-differ", "la colonne geolocalisation dit autre chose")
POSTAL_CODE_ELSEWHERE = _noted(
    "postal-code-elsewhere", "code postal qui n'est pas l'un de ceux de la commune (Cedex ?)"
)
POSTAL_CODE_IMPOSSIBLE = _refused("postal-code-impossible", "code postal impossible, ignoré")
