"""The people of the provider: invented, each there for one difficulty of civil status.

Names, places and dates are made up; e-mail addresses are under example.org. Codes of places are INSEE's,
those of countries too (99100 is France). The key is what the page's button sends and what a test names.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FRANCE", "PEOPLE", "Person", "subject"]

FRANCE = "99100"
LEVELS = ("eidas1", "eidas2", "eidas3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One invented person as the civil-status register would answer."""

    key: str
    about: str
    given_name: str
    family_name: str
    gender: str
    birthdate: str
    birthplace: str
    birthcountry: str = FRANCE
    preferred_username: str | None = None
    email: str | None = None
    idp_birthdate: str | None = None
    level: str = "eidas2"
    refusal: str | None = None

    @property
    def civil_status(self) -> tuple[str, ...]:
        """The six pivot values, in the order the identity hash takes them."""
        return (
            self.given_name,
            self.family_name,
            self.birthdate,
            self.gender,
            self.birthplace,
            self.birthcountry,
        )

    def reaches(self, level: str) -> bool:
        """Whether their account proves as much as is asked."""
        return LEVELS.index(level) <= LEVELS.index(self.level)

    def claims(self) -> dict[str, object]:
        """All that the register and their account know, by claim."""
        known: dict[str, object] = {
            "given_name": self.given_name,
            "given_name_array": self.given_name.split(" "),
            "family_name": self.family_name,
            "gender": self.gender,
            "birthdate": self.birthdate,
            "idp_birthdate": self.idp_birthdate or self.birthdate,
            "birthplace": self.birthplace,
            "birthcountry": self.birthcountry,
            "preferred_username": self.preferred_username,
            "email": self.email,
            "idp_id": "9e1f8a52-0000-4000-8000-00000000f1c7",
        }
        return {name: value for name, value in known.items() if value is not None}


def subject(person: Person, *, client_id: str, secret: str) -> str:
    """The pairwise subject: the same for one client for ever, until the civil status is corrected."""
    identity = hashlib.sha256("\x1f".join(person.civil_status).encode()).hexdigest()
    return hashlib.sha256(f"{client_id}{identity}{secret}".encode()).hexdigest() + "v1"


_EVERYBODY = (
    Person(
        key="marseille",
        about="une Marseillaise, accents et plusieurs prénoms",
        given_name="Anaïs Zoé Éléonore",
        family_name="BARTHÉLÉMY",
        gender="female",
        birthdate="1991-04-17",
        birthplace="13208",
        email="anais.barthelemy@example.org",
    ),
    Person(
        key="oe",
        about="œ dans le nom, apostrophe et trait d'union",
        given_name="Cœlia Marie-Ange",
        family_name="L'HŒST-D'ŒUVRE",
        gender="female",
        birthdate="1985-11-30",
        birthplace="59350",
        preferred_username="MÆLSTRÖM",
        email="coelia.lhoest@example.org",
    ),
    Person(
        key="long",
        about="plus de cinquante caractères de nom",
        given_name="Maximilien Barthélemy Hippolyte Alphonse-Désiré Théodose",
        family_name="DE LA ROCHEFOUCAULD-MONTMORENCY DES ESCHEROLLES-SAINT-VALLIER",
        gender="male",
        birthdate="1978-02-28",
        birthplace="75107",
        email="maximilien@example.org",
    ),
    Person(
        key="un_prenom",
        about="un seul prénom, pas de nom d'usage ni d'adresse électronique",
        given_name="Léo",
        family_name="NOUVEL",
        gender="male",
        birthdate="2002-07-01",
        birthplace="84007",
        level="eidas1",
    ),
    Person(
        key="corse_sud",
        about="née en Corse-du-Sud",
        given_name="Lætitia Ghjulia",
        family_name="SANTONI",
        gender="female",
        birthdate="1969-08-15",
        birthplace="2A004",
        email="laetitia.santoni@example.org",
    ),
    Person(
        key="haute_corse",
        about="né en Haute-Corse",
        given_name="Petru Santu",
        family_name="CASANOVA",
        gender="male",
        birthdate="1994-12-08",
        birthplace="2B033",
        preferred_username="CASANOVA-NÈGRE",
        email="petru.casanova@example.org",
    ),
    Person(
        key="mayotte",
        about="née à Mayotte",
        given_name="Fatima",
        family_name="MADI",
        gender="female",
        birthdate="1999-05-20",
        birthplace="97608",
        email="fatima.madi@example.org",
    ),
    Person(
        key="polynesie",
        about="né en Polynésie française",
        given_name="Teva Manuarii",
        family_name="TERIITAHI",
        gender="male",
        birthdate="1988-06-29",
        birthplace="98735",
        email="teva.teriitahi@example.org",
    ),
    Person(
        key="etranger",
        about="né à l'étranger, lieu de naissance vide",
        given_name="Karim Idriss",
        family_name="BENSAÏD",
        gender="male",
        birthdate="1982-03-09",
        birthplace="",
        birthcountry="99352",
        email="karim.bensaid@example.org",
    ),
    Person(
        key="europe",
        about="citoyenne européenne, lieu en toutes lettres, sexe non précisé",
        given_name="Ingrid",
        family_name="ÅSTRÖM",
        gender="unspecified",
        birthdate="1990-10-10",
        birthplace="Göteborg",
        birthcountry="99104",
        email="ingrid.astrom@example.org",
    ),
    Person(
        key="jour_inconnu",
        about="jour de naissance inconnu",
        given_name="Moussa",
        family_name="TRAORÉ",
        gender="male",
        birthdate="1975-06-00",
        birthplace="",
        birthcountry="99335",
        email="moussa.traore@example.org",
    ),
    Person(
        key="mois_inconnu",
        about="jour et mois de naissance inconnus",
        given_name="Aïcha",
        family_name="DIALLO",
        gender="female",
        birthdate="1960-00-00",
        birthplace="",
        birthcountry="99330",
        email="aicha.diallo@example.org",
    ),
    Person(
        key="date_redressee",
        about="date présumée, mise au premier du mois par le registre",
        given_name="Noé",
        family_name="GAUBERT",
        gender="male",
        birthdate="1971-01-01",
        idp_birthdate="1971-00-00",
        birthplace="13055",
        email="noe.gaubert@example.org",
    ),
    Person(
        key="jumelle_ines",
        about="jumelle : tout est pareil sauf les prénoms",
        given_name="Inès Solène",
        family_name="ESCOFFIER",
        gender="female",
        birthdate="1996-09-03",
        birthplace="13001",
        email="famille.escoffier@example.org",
    ),
    Person(
        key="jumelle_agathe",
        about="jumelle, et la même adresse électronique",
        given_name="Agathe Solène",
        family_name="ESCOFFIER",
        gender="female",
        birthdate="1996-09-03",
        birthplace="13001",
        email="famille.escoffier@example.org",
    ),
    Person(
        key="homonyme_arles",
        about="homonyme, né le même jour à Arles",
        given_name="Hugo",
        family_name="ROUMANILLE",
        gender="male",
        birthdate="1987-01-22",
        birthplace="13004",
        email="hugo.roumanille@example.org",
    ),
    Person(
        key="homonyme_aix",
        about="homonyme, né le même jour à Aix-en-Provence",
        given_name="Hugo",
        family_name="ROUMANILLE",
        gender="male",
        birthdate="1987-01-22",
        birthplace="13001",
        email="hugo.roumanille.aix@example.org",
    ),
    Person(
        key="avant_correction",
        about="avant une correction d'état civil",
        given_name="Camille Jeanne",
        family_name="SAUVAIRE",
        gender="female",
        birthdate="1993-02-11",
        birthplace="83137",
        email="camille.sauvaire@example.org",
    ),
    Person(
        key="apres_correction",
        about="la même personne après la correction : l'identifiant a changé",
        given_name="Camille Jeanne",
        family_name="SAUVAIRE",
        gender="female",
        birthdate="1993-02-12",
        birthplace="83137",
        email="camille.sauvaire@example.org",
    ),
    Person(
        key="forte",
        about="une identité numérique de niveau élevé",
        given_name="Élise",
        family_name="HERMELIN",
        gender="female",
        birthdate="1980-12-24",
        birthplace="06088",
        email="elise.hermelin@example.org",
        level="eidas3",
    ),
    Person(
        key="decedee",
        about="connue du registre comme décédée",
        given_name="Gaspard",
        family_name="ISNARD",
        gender="male",
        birthdate="1931-05-05",
        birthplace="13055",
        refusal="Le registre d'état civil indique que cette personne est décédée.",
    ),
    Person(
        key="inconnue",
        about="introuvable au registre",
        given_name="Maëlle",
        family_name="QUEYRAS",
        gender="female",
        birthdate="1998-08-08",
        birthplace="13055",
        refusal="L'état civil transmis ne correspond à personne au registre.",
    ),
)

PEOPLE: Mapping[str, Person] = {person.key: person for person in _EVERYBODY}
