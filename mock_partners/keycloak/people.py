"""Invented people of the two realms: citizens by FranceConnect or by an account, and staff."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CITIZENS", "STAFF", "Person"]

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

    @property
    def account(self) -> str:
        """The realm's own id of the person."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"realm/{self.key}"))

    def name_id(self, client: str) -> str:
        """What one client of the realm knows the person by."""
        return f"G-{uuid.uuid5(uuid.NAMESPACE_URL, f'{client}/{self.key}')}"

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
STAFF: Final = {
    "admin.demo": "Administratrice de démonstration",
    "biblio.demo": "Bibliothécaire de démonstration",
}
