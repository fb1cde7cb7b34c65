"""C7: a connector's name stays in its module, a partner's appears in no code, identifiers are English."""

import ast
import pkgutil
import re

import pytest
import yaml

import connectors
from tests.architecture.tree import PRODUCT, ROOMS, ROOT, files, name_of, python, syntax, text

CONNECTORS = sorted(m.name for m in pkgutil.iter_modules(connectors.__path__) if m.name != "kit")
# `mail` is also an English word: only a value or a name that is exactly it counts
WORDS = [name for name in CONNECTORS if name != "mail"]
CONFIGURATION = "parvis/demo/"
FRENCH = """
    abonne adherent adresse affiche annee bibliotheque chaine cle collectivite compte connexion consentement
    courriel creer demande departement donnees ecole emplacement envoi envoyer essai etape etat evenement
    fichier finalite guichet heure horaire jeton jour langue lecteur lieu ligne liste mairie mediatheque mois
    mot musee naissance nom parcours pays prenom profil quartier rebut recevoir reponse rue systeme tentative
    territoire titre usager utilisateur valeur verifier ville
"""


def _code_outside_connectors():
    rooms = [room for room in PRODUCT if room != "connectors"]
    kit = files("connectors/kit")
    return [path for path in [*files(*rooms), *kit] if not name_of(path).startswith(CONFIGURATION)]


@pytest.mark.parametrize("name", WORDS)
def test_a_connector_is_named_in_its_own_module_only(name):
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", re.IGNORECASE)
    code = [path for path in _code_outside_connectors() if path.suffix in {".py", ".sql", ".html"}]

    assert [name_of(path) for path in code if word.search(text(path))] == []


def test_no_value_outside_the_connectors_is_exactly_a_connectors_name():
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in _code_outside_connectors()
        if path.suffix == ".py"
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Constant) and node.value in CONNECTORS
    ]

    assert found == []


def test_a_connector_does_not_name_another():
    found = [
        f"{name_of(path)} names {other}"
        for name in CONNECTORS
        for path in _module_of(name)
        for other in WORDS
        if other != name and re.search(rf"\b{other}\b", text(path))
    ]

    assert found == []


def test_a_partner_of_the_demonstration_is_named_in_no_product_code():
    city = yaml.safe_load((ROOT / "parvis/demo/city.yaml").read_text(encoding="utf-8"))
    names = {entry["id"] for entry in city["partners"]} | {e["name"] for e in city["partners"]}
    code = [*_code_outside_connectors(), *files("connectors")]

    assert [
        f"{name_of(path)} names {name}" for path in code for name in names if name in text(path)
    ] == []


def test_identifiers_are_english():
    found = {
        f"{name_of(path)}: {identifier}"
        for path in python(*ROOMS)
        for identifier in _identifiers(syntax(path))
        if set(_words(identifier)) & set(FRENCH.split())
    }

    assert found == set()


def _module_of(name):
    package = ROOT / "connectors" / name
    return python(f"connectors/{name}") if package.is_dir() else [package.with_suffix(".py")]


def _identifiers(tree):
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.arg():
                yield node.arg


def _words(identifier):
    return re.findall(r"[a-z0-9]+", re.sub(r"([A-Z])", r"_\1", identifier).lower())
