"""Invented people of the two realms: citizens by FranceConnect or by an account, and staff."""

import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

__all__ = ["CITIZENS", "STAFF", "Person", "invented", "new_key"]

FRANCECONNECT: Final = "france-connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can sign in; ``civil_status`` is what FranceConnect would say of them."""

    key: str
    shown: str
    alias: str | None = None
    level: str = "eidas1"
    civil_status: Mapping[str, str] = field(default_factory=dict)
    has_proved_email: bool = True
    life: int = 0

    def again(self, life: int) -> "Person":
        """The same person with an account made anew so many times."""
        return replace(self, life=life)

    @property
    def _name(self) -> str:
        return f"{self.key}/{self.life}" if self.life else self.key

    @property
    def account(self) -> str:
        """The realm's own id of the person."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"realm/{self._name}"))

    def name_id(self, client: str) -> str:
        """What one client of the realm knows the person by."""
        return f"G-{uuid.uuid5(uuid.NAMESPACE_URL, f'{client}/{self._name}')}"

    def attributes(self) -> dict[str, str]:
        """What the realm says of the person."""
        said = {"kc_user": self.account}
        if self.alias is None:
            return said | {"email_verified": "true" if self.has_proved_email else "false"}
        subject = hashlib.sha256(f"france-connect/{self.key}".encode()).hexdigest() + "v1"
        proved = {"idp_alias": self.alias, "fc_acr": self.level, "fc_sub": subject}
        return said | proved | dict(self.civil_status)


def _born(given: str, name: str, date: str, gender: str, place: str) -> dict[str, str]:
    return {
        "given_names": given,
        "birth_name": name,
        "birthdate": date,
        "gender": gender,
        "birthplace": place,
        "birthcountry": "99100",
    }


CITIZENS: Final = {
    person.key: person
    for person in (
        Person(
            key="camille",
            shown="Camille Essai, de Marseille",
            alias=FRANCECONNECT,
            civil_status=_born("Camille Zoé", "ESSAI", "1994-05-17", "female", "13055"),
        ),
        Person(
            key="loic",
            shown="Loïc Épreuve, d'Ajaccio",
            alias=FRANCECONNECT,
            civil_status=_born("Loïc", "ÉPREUVE", "1971-11-02", "male", "2A004"),
        ),
        Person(key="amina", shown="Amina Modèle, compte de la ville"),
        Person(
            key="paul", shown="Paul Spécimen, compte sans adresse vérifiée", has_proved_email=False
        ),
    )
}
_INVENTED: Final = re.compile(r"nouveau-[0-9a-f]{8}")
_GIVEN: Final = ("Alba", "Basile", "Clélia", "Ewen", "Inès", "Maël", "Nour", "Zélie")
_NAMES: Final = (
    "ÉCHANTILLON",
    "ÉPREUVE",
    "ESSAI",
    "EXEMPLE",
    "FICTIF",
    "MODÈLE",
    "SPÉCIMEN",
    "TÉMOIN",
)
_PLACES: Final = ("13055", "83137", "06088", "84007", "2B033", "97611", "59350", "67482")
STAFF: Final = {
    "admin.demo": "Administratrice de démonstration",
    "biblio.demo": "Bibliothécaire de démonstration",
}


def new_key() -> str:
    """The key of somebody who does not exist yet."""
    return f"nouveau-{secrets.token_hex(4)}"


def invented(key: str) -> Person | None:
    """Somebody made of a key alone, the same each time; None for a key that is not of that kind."""
    if _INVENTED.fullmatch(key) is None:
        return None
    digest = hashlib.sha256(key.encode()).digest()
    day = date(1950, 1, 1) + timedelta(days=int.from_bytes(digest[:2]) % 20_000)
    given, name = _GIVEN[digest[2] % 8], _NAMES[digest[3] % 8]
    gender = ("female", "male")[digest[4] % 2]
    born = _born(given, name, day.isoformat(), gender, _PLACES[digest[5] % 8])
    return Person(key=key, shown=f"{given} {name}", alias=FRANCECONNECT, civil_status=born)
