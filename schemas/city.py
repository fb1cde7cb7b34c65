"""The city's configuration as people write it (``city.yaml``): its shape, and its faults in French.

What only the connectors, the data or the running configuration can tell is checked where they are
known. A secret is always a reference, ``{secret: name}``: a value written in the file is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas import ids, shapes
from schemas.errors import ConfigurationError
from schemas.located_yaml import Located, Path
from schemas.located_yaml import read as read_yaml
from schemas.shapes import Faults, Key

COMMUNE: Final = r"(?:0[1-9]|[1-9][0-9]|2[AB])[0-9]{3}"
_DAYS: Final = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_HOUR: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
PLACEMENT_STATES: Final = ("planned", "live", "suspended", "withdrawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """The name of a secret kept in the vault."""

    secret: str


Value = str | int | bool | SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Who the city is."""

    name: str
    domain: str | None
    languages: tuple[str, ...]
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory:
    """A named set of communes."""

    id: str
    communes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One system: its connector, its settings, the secrets it needs by name."""

    connector: str
    settings: Mapping[str, Value]

    @property
    def secrets(self) -> Mapping[str, str]:
        """Return setting → name of its secret."""
        return {
            name: value.secret
            for name, value in self.settings.items()
            if isinstance(value, SecretRef)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the city offers at one place or in one territory, by one system."""

    id: str
    kind: str
    name: str
    territory: str | None
    place: str | None
    profile: str
    min_level: int
    binding: Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerKey:
    """A key a partner signs with: a shared secret by name, or a public key."""

    id: str
    scheme: str
    secret: str | None
    public_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """An organisation that sends events or hosts posters."""

    id: str
    name: str
    allowed_events: tuple[str, ...]
    territories: tuple[str, ...]
    handover: str
    keys: tuple[PartnerKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One poster at one place; ``valid_until`` is its last day."""

    token: str
    poster: str
    place_name: str
    commune: str
    partner: str | None
    campaign: str
    status: str
    valid_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPolicy:
    """How patient the hub is with one system; ``operations`` names the exceptions.

    ``max_rps`` is how many calls a second it gets at most, from all processes together.
    """

    retry: str | None = None
    max_rps: int | None = None
    operations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """How patient and how discreet the hub is; ``profiles`` names the systems that differ."""

    retry: str | None = None
    profiles: Mapping[str, SystemPolicy] = field(default_factory=dict)
    quiet_hours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CityDocument:
    """A well-formed configuration; ``located`` knows the lines of the file it came from."""

    city: City
    territories: tuple[Territory, ...]
    profiles: Mapping[str, Profile]
    services: tuple[Service, ...]
    partners: tuple[Partner, ...]
    placements: tuple[Placement, ...]
    policies: Policies
    located: Located = field(compare=False, repr=False)


def read_city(text: str) -> CityDocument:
    """Read a ``city.yaml``; raises ConfigurationError with every fault of its shape."""
    return city_of(read_yaml(text))


def city_of(source: Located | Mapping[str, Any]) -> CityDocument:
    """Read a configuration already parsed; without lines, faults name the path instead."""
    located = source if isinstance(source, Located) else Located(value=dict(source))
    faults = Faults(located)
    read = _DOCUMENT(located.value, (), faults)
    _check_unique(located.value, faults)
    if faults.found:
        raise ConfigurationError(*faults.found)
    return CityDocument(**read, located=located)


def secret_ref(value: Any, path: Path, faults: Faults) -> str:
    """Read ``{secret: name}``; anything else here is a secret written in the file."""
    if not isinstance(value, dict):
        faults.add(
            path,
            "un secret ne s'écrit pas dans le fichier : écrivez {secret: nom}, "
            "puis « parvis secrets set nom ».",
        )
        return ""
    ref: SecretRef | None = _SECRET(value, path, faults)
    return ref.secret if ref else ""


def _setting(value: Any, path: Path, faults: Faults) -> Value:
    if isinstance(value, dict):
        return SecretRef(secret=secret_ref(value, path, faults))
    if isinstance(value, (int, bool)):
        return value
    return shapes.text(value, path, faults, most=2000)


def _plain(value: Any, path: Path, faults: Faults) -> Value:
    if isinstance(value, dict):
        faults.add(path, "un texte ou un nombre est attendu ici, sans secret.")
        return ""
    return _setting(value, path, faults)


def _settings(value: Any, path: Path, faults: Faults) -> dict[str, Any]:
    read: dict[str, Any] = shapes.mapping_of(_plain)(value, path, faults)
    return read


def _profile(value: Any, path: Path, faults: Faults) -> Profile | None:
    settings = shapes.mapping_of(_setting)(value, path, faults)
    connector = settings.pop("connector", None)
    if not isinstance(connector, str) or not connector:
        faults.add(path, "« connector » manque : le nom du connecteur.")
        return None
    return Profile(connector=connector, settings=settings)


def _key(value: Any, path: Path, faults: Faults) -> PartnerKey | None:
    key: PartnerKey | None = _KEY(value, path, faults)
    if key is None:
        return None
    if key.scheme == "v1" and (not key.secret or key.public_key):
        faults.add(path, "une clé v1 a « secret: {secret: nom} » et rien d'autre.")
    if key.scheme == "v1a" and (key.secret or not key.public_key):
        faults.add(path, "une clé v1a a « public_key: whpk_… » et rien d'autre.")
    return key


def _token(text: str) -> str | None:
    return text if ids.read_crockford(text, 8) == text else None


def _day(value: Any, path: Path, faults: Faults) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        faults.add(path, "un jour est attendu, de la forme 2027-06-30.")
        return None


def _version(value: Any, path: Path, faults: Faults) -> None:
    if value != 1 or isinstance(value, bool):
        faults.add(path, "cette version du format n'est pas connue : écrivez « version: 1 ».")


def _check_unique(document: Any, faults: Faults) -> None:
    """Refuse two entries of a list with the same identifier."""
    names = {"territories": "id", "services": "id", "partners": "id", "placements": "token"}
    for section, key in names.items():
        entries = document.get(section) if isinstance(document, dict) else None
        _check_list(entries, (section,), key, faults)
    partners = document.get("partners") if isinstance(document, dict) else None
    for index, partner in enumerate(partners if isinstance(partners, list) else ()):
        keys = partner.get("keys") if isinstance(partner, dict) else None
        _check_list(keys, ("partners", index, "keys"), "id", faults)


def _check_list(entries: Any, path: Path, key: str, faults: Faults) -> None:
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        name = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(name, str) and name in seen:
            faults.add((*path, index, key), "cet identifiant a déjà servi plus haut.")
        elif isinstance(name, str):
            seen.add(name)


_commune = shapes.matching(
    COMMUNE, 'un code INSEE de commune est attendu, entre guillemets, par exemple "13055".'
)
_language = shapes.matching(
    r"[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}", "une langue est attendue : fr, en…"
)
_event_type = shapes.matching(
    r"[a-z_]+(\.[a-z_]+)+\.v[1-9][0-9]?", "un type d'événement est attendu : lease.signed.v1…"
)
_quiet = shapes.matching(
    rf"(?:{_DAYS})-(?:{_DAYS}) {_HOUR}-{_HOUR}",
    "une plage est attendue, par exemple « Mon-Sat 08:00-22:00 ».",
)
_domain = shapes.matching(
    r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", "un nom de domaine est attendu."
)
_timezone = shapes.checked(ZoneInfo, "un fuseau horaire est attendu, par exemple Europe/Paris.")
_public_key = shapes.matching(
    r"whpk_[A-Za-z0-9+/]{43}=", "une clé publique est attendue : whpk_ et 44 caractères."
)
_SECRET = shapes.record({"secret": Key(shapes.config_id)}, SecretRef)
_KEY = shapes.record(
    {
        "id": Key(shapes.config_id),
        "scheme": Key(shapes.choice("v1", "v1a")),
        "secret": Key(secret_ref, None),
        "public_key": Key(_public_key, None),
    },
    PartnerKey,
)
_CITY = shapes.record(
    {
        "name": Key(shapes.text),
        "domain": Key(_domain, None),
        "languages": Key(shapes.list_of(_language, least=1), ("fr",)),
        "timezone": Key(_timezone, "Europe/Paris"),
    },
    City,
)
_TERRITORY = shapes.record(
    {"id": Key(shapes.config_id), "communes": Key(shapes.list_of(_commune, least=1))}, Territory
)
_SERVICE = shapes.record(
    {
        "id": Key(shapes.config_id),
        "kind": Key(shapes.config_id),
        "name": Key(shapes.text),
        "territory": Key(shapes.config_id, None),
        "place": Key(
            shapes.matching(
                r"[A-Za-z0-9-]{1,40}", "un identifiant de lieu est attendu, entre guillemets."
            ),
            None,
        ),
        "profile": Key(shapes.config_id),
        "min_level": Key(shapes.integer(0, 4), 0),
        "binding": Key(_settings, {}),
    },
    Service,
)
_PARTNER = shapes.record(
    {
        "id": Key(shapes.config_id),
        "name": Key(shapes.text),
        "allowed_events": Key(shapes.list_of(_event_type)),
        "territories": Key(shapes.list_of(shapes.config_id), ()),
        "handover": Key(shapes.choice("none", "partner"), "none"),
        "keys": Key(shapes.list_of(_key), ()),
    },
    Partner,
)
_PLACEMENT = shapes.record(
    {
        "token": Key(
            shapes.checked(
                _token, "un jeton de 8 caractères (chiffres et capitales sans I L O U) est attendu."
            )
        ),
        "poster": Key(shapes.text),
        "place_name": Key(shapes.text),
        "commune": Key(_commune),
        "partner": Key(shapes.config_id, None),
        "campaign": Key(shapes.text),
        "status": Key(shapes.choice(*PLACEMENT_STATES), "planned"),
        "valid_until": Key(_day, None),
    },
    Placement,
)
_SYSTEM_POLICY = shapes.record(
    {
        "retry": Key(shapes.text, None),
        "max_rps": Key(shapes.integer(1, 1000), None),
        "operations": Key(shapes.mapping_of(shapes.text), {}),
    },
    SystemPolicy,
)
_QUIET_HOURS = shapes.record(
    {"marketing": Key(_quiet, None), "service": Key(_quiet, None)},
    lambda **hours: {kind: said for kind, said in hours.items() if said is not None},
)
_POLICIES = shapes.record(
    {
        "retry": Key(shapes.text, None),
        "profiles": Key(shapes.mapping_of(_SYSTEM_POLICY), {}),
        "quiet_hours": Key(_QUIET_HOURS, {}),
    },
    Policies,
)
_DOCUMENT = shapes.record(
    {
        "version": Key(_version),
        "city": Key(_CITY),
        "territories": Key(shapes.list_of(_TERRITORY), ()),
        "profiles": Key(shapes.mapping_of(_profile), {}),
        "services": Key(shapes.list_of(_SERVICE), ()),
        "partners": Key(shapes.list_of(_PARTNER), ()),
        "placements": Key(shapes.list_of(_PLACEMENT), ()),
        "policies": Key(_POLICIES, Policies()),
    },
    lambda *, version, **sections: sections,  # noqa: ARG005 - the version is only checked
)
