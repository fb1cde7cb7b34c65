import base64
import io
import json
import stat
from pathlib import Path

import pytest

from parvis.settings import read_master_keys, read_secret_key
from schemas.signatures import parse_secret

CITY = Path("parvis/demo/city.yaml")
SECRETS = (
    *("koha_marseille", "koha_aix", "koha_draguignan"),
    *("sms_application_key", "sms_application_secret", "sms_consumer_key"),
    *("volt_provence_k1", "clevanne_k1", "ventabrune_k1", "tournelune_k1"),
)
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def environ(database_url, tmp_path, monkeypatch):
    keys = {"master.key": MASTER_KEY, "secret.key": "c" * 40}
    for name, content in keys.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    values = {
        "PARVIS_MODE": "demo",
        "PARVIS_DATABASE_URL": database_url,
        "PARVIS_MASTER_KEY_FILE": str(tmp_path / "master.key"),
        "PARVIS_SECRET_KEY_FILE": str(tmp_path / "secret.key"),
        "PARVIS_PUBLIC_URL": "http://127.0.0.1:8930",
        "PARVIS_DATA_DIR": str(tmp_path),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def city(environ, parvis, tmp_path):
    assert parvis("migrate")[0] == 0
    assert parvis("data", "import")[0] == 0
    value = tmp_path / "value"
    value.write_text("a value\n")
    for name in SECRETS:
        assert parvis("secrets", "set", name, "--file", str(value))[0] == 0


@pytest.mark.postgres
def test_a_city_is_installed_from_nothing_by_the_command_line(city, parvis, tmp_path):
    code, out, _ = parvis("plan", str(CITY))
    assert code == 0
    assert "+ créer service lib_alcazar" in out
    code, out, _ = parvis("apply", str(CITY))
    assert code == 0
    assert "Appliqué : révision" in out
    code, out, _ = parvis("apply", str(CITY))
    assert (code, out) == (0, "Aucun changement.\n")
    exported = tmp_path / "exported.yaml"
    assert parvis("export", "--output", str(exported))[0] == 0
    code, out, _ = parvis("plan", "--json", str(exported))
    assert code == 0
    planned = json.loads(out)
    assert planned["create"] == planned["retire"] == planned["faults"] == []


@pytest.mark.postgres
def test_importing_twice_adds_nothing_and_migrating_twice_either(city, parvis):
    code, out, _ = parvis("data", "import", "--json")
    assert code == 0
    assert json.loads(out)["places"] == {"absent": 0, "changed": 0, "created": 0, "same": 830}
    assert "0 finalités" in parvis("db", "upgrade")[1]


@pytest.mark.postgres
def test_a_damaged_data_file_changes_nothing_and_says_where(environ, parvis, tmp_path, database):
    assert parvis("migrate")[0] == 0
    folder = tmp_path / "data"
    folder.mkdir()
    for source in Path("parvis/data").glob("*_paca*.*"):
        (folder / source.name).write_bytes(source.read_bytes())
    libraries = folder / "bibliotheques_paca.csv"
    libraries.write_bytes(libraries.read_bytes()[:-40])
    code, _, err = parvis("data", "import", "--dir", str(folder))
    assert code == 1
    assert "bibliotheques_paca.csv" in err
    assert database.all("SELECT code FROM commune") == []


@pytest.mark.postgres
def test_a_wrong_file_is_refused_with_every_fault_and_its_own_code(city, parvis, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(CITY.read_text().replace("profiles:", "profils:", 1))
    code, _, err = parvis("apply", str(wrong))
    assert code == 78
    assert "clé inconnue « profils ». Vouliez-vous dire « profiles » ?" in err
    assert "Traceback" not in err


@pytest.mark.postgres
def test_retiring_is_asked_for_first(city, parvis, tmp_path, monkeypatch):
    parvis("apply", str(CITY))
    shorter = tmp_path / "short.yaml"
    shorter.write_text("version: 1\ncity: {name: Petite ville}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert parvis("apply", "--retire", str(shorter))[0] == 130
    assert "Aucun changement" in parvis("plan", str(CITY))[1]
    assert parvis("apply", "--retire", "--yes", str(shorter))[0] == 0
    assert "- retirer" not in parvis("plan", "--retire", str(shorter))[1]


@pytest.mark.postgres
def test_a_secret_comes_by_standard_input_and_is_never_shown(
    environ, parvis, monkeypatch, database
):
    parvis("migrate")
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    code, out, err = parvis("secrets", "set", "koha_aix")
    assert code == 0
    assert "hunter2" not in out + err
    (row,) = database.all("SELECT name, sealed FROM secret")
    assert b"hunter2" not in bytes(row["sealed"])
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert parvis("secrets", "set", "koha_aix")[0] == 78
    assert parvis("secrets", "set", "Koha-Aix", "--file", str(CITY))[0] == 78


@pytest.mark.postgres
def test_secrets_that_lack_a_value_are_told(city, parvis, database):
    parvis("apply", str(CITY))
    assert parvis("secrets", "check")[0] == 0
    database.run("DELETE FROM secret WHERE name = 'koha_aix'")
    code, out, _ = parvis("secrets", "check", "--json")
    assert code == 1
    assert json.loads(out)["koha_aix"] is False


@pytest.mark.postgres
def test_a_partner_gets_its_key_once(city, parvis):
    parvis("apply", str(CITY))
    code, out, _ = parvis(
        *("partners", "create", "cinema_x", "--name", "Cinéma X", "--json"),
        *("--event", "poster.scanned.v1", "--territory", "aix"),
    )
    assert code == 0
    key = json.loads(out)
    assert key["key_id"] == "cinema_x/k1"
    assert parse_secret(key["secret"]).scheme == "v1"
    code, out, _ = parvis("partners", "rotate-key", "cinema_x")
    assert "cinema_x/k2" in out
    code, out, _ = parvis("partners", "list", "--json")
    assert json.loads(out)["cinema_x"] == ["cinema_x/k1", "cinema_x/k2"]
    code, _, err = parvis(
        "partners", "create", "cinema_x", "--name", "X", "--event", "lease.signed.v1"
    )
    assert code == 78
    assert "existe déjà" in err


@pytest.mark.postgres
def test_the_doctor_gives_each_fault_a_remedy(city, parvis, database):
    code, out, _ = parvis("doctor", "--json")
    found = json.loads(out)
    assert {"versions", "réglages", "base de données", "horloge", "migrations", "disque"} <= {
        line["subject"] for line in found
    }
    (fault,) = [line for line in found if line["level"] == "faute"]
    assert (code, fault["subject"]) == (1, "configuration")
    assert "parvis apply" in fault["remedy"]
    parvis("apply", str(CITY))
    database.run("DELETE FROM secret WHERE name = 'koha_aix'")
    database.run("UPDATE alembic_version SET version_num = 'older'")
    _, out, _ = parvis("doctor")
    assert "lancez « parvis migrate »" in out


@pytest.mark.postgres
def test_the_doctor_names_secrets_without_a_value(city, parvis, database):
    parvis("apply", str(CITY))
    database.run("DELETE FROM secret WHERE name = 'koha_aix'")
    code, out, _ = parvis("doctor")
    assert code == 1
    assert "parvis secrets set koha_aix" in out


@pytest.mark.postgres
def test_without_a_database_the_answer_is_a_sentence(environ, parvis, monkeypatch):
    monkeypatch.setenv("PARVIS_DATABASE_URL", "postgresql://parvis:x@127.0.0.1:1/parvis")
    code, _, err = parvis("export")
    assert code == 69
    assert "ne répond pas" in err
    code, out, _ = parvis("doctor")
    assert code == 1
    assert "PostgreSQL ne répond pas" in out


def test_without_settings_every_fault_is_listed(parvis, monkeypatch):
    for name in ("DATABASE_URL", "MASTER_KEY_FILE", "SECRET_KEY_FILE", "PUBLIC_URL"):
        monkeypatch.delenv(f"PARVIS_{name}", raising=False)
    for command in (["worker"], ["serve"], ["migrate"], ["export"]):
        code, _, err = parvis(*command)
        assert code == 78
        assert err.count("manque") == 4
    assert parvis("doctor")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["aply"], "« aply » n'existe pas. Vouliez-vous dire « apply » ?"),
        (["apply"], "Il manque FICHIER"),
        (["apply", "--retir", "x"], "Vouliez-vous dire --retire ?"),
        (["apply", "/nowhere.yaml"], "FICHIER ne convient pas"),
        (["partners", "create", "x1"], "Il manque --name"),
    ],
)
def test_a_mistyped_command_is_told_in_french(parvis, arguments, said):
    code, _, err = parvis(*arguments)
    assert code == 2
    assert said in err


def test_keys_are_made_once_and_for_their_owner_only(parvis, tmp_path):
    folder = tmp_path / "keys"
    assert parvis("init", "--dir", str(folder))[0] == 0
    for name in ("master.key", "secret.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    keys = read_master_keys(folder / "master.key"), read_secret_key(folder / "secret.key")
    assert parvis("init", "--dir", str(folder))[0] == 78
    assert keys == (read_master_keys(folder / "master.key"), read_secret_key(folder / "secret.key"))


def test_help_is_french(parvis):
    code, out, _ = parvis("apply", "--help")
    assert code == 0
    assert "Usage : parvis apply" in out
    assert "Montre cette aide" in out
