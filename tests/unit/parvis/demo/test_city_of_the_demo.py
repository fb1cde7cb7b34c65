from dataclasses import replace
from datetime import date

import pytest
import yaml

from identity.keycloak import read_provider
from mock_partners import build
from mock_partners.senders import Sender
from parvis.demo.city import (
    City,
    drop_folders,
    filled,
    mail_profile,
    mock_names,
    mock_settings,
    provider,
    read_city,
    secret_kinds,
)
from parvis.demo.folder import DemoFolder, public_key_of
from schemas.city import read_city as read_strictly

NOTICE = {"version": "arrival-partner-1", "sha256": "0" * 64}


@pytest.fixture
def folder(tmp_path):
    made = DemoFolder(tmp_path / "demo")
    made.take()
    return made


@pytest.fixture
def city(folder):
    document = read_city()
    names = [*mock_names(document), mail_profile(document)]
    return City(
        document=document,
        ports={name: 20_000 + number for number, name in enumerate(names)},
        secrets=folder.keep_secrets(secret_kinds(document)),
    )


def test_the_filled_city_is_a_city_like_any_other(city, folder):
    text = yaml.safe_dump(filled(city, folder, today=date(2026, 11, 22)), allow_unicode=True)

    read = read_strictly(text)

    assert len(read.partners) == 5


def test_systems_stand_at_the_addresses_of_their_doubles(city, folder):
    profiles = filled(city, folder, today=date(2026, 11, 22))["profiles"]

    assert profiles["koha_aix"]["base_url"] == city.mocks["koha_aix"]
    assert profiles["sms_city"]["base_url"] == city.mocks["sms_city"]
    assert profiles["mail_city"]["port"] == city.ports["mail_city"]
    assert profiles["drop_sorgues"]["directory"] == str(drop_folders(city.document, folder)[0])


def test_the_public_key_of_v1a_is_the_one_of_this_folder(city, folder):
    document = filled(city, folder, today=date(2026, 11, 22))
    (partner,) = [p for p in document["partners"] if p["keys"][0]["scheme"] == "v1a"]
    (row,) = [p for p in city.partners if p["scheme"] == "v1a"]

    assert partner["keys"][0]["public_key"] == public_key_of(row["secret"])


@pytest.mark.parametrize("today", [date(2026, 11, 22), date(2031, 3, 1)])
def test_posters_hang_for_a_year_from_the_day_of_the_demonstration(city, folder, today):
    for placement in filled(city, folder, today=today)["placements"]:
        assert (placement["valid_until"] - today).days >= 365


def test_every_double_can_be_built_from_its_settings(city):
    mocks = mock_settings(city, hub="http://127.0.0.1:1", notice=NOTICE, seed=7)["mocks"]

    assert set(mocks) == set(city.mocks)
    for mock in mocks.values():
        app = build(mock["kind"], mock["settings"])
        app.close()


def test_with_a_real_keycloak_franceconnects_double_stands_behind_its_realm(city):
    real = replace(
        city,
        keycloak="http://127.0.0.1:8080",
        ports={**city.ports, "franceconnect": 20_999},
        secrets={**city.secrets, "franceconnect_client": "an-invented-secret"},
    )
    mocks = mock_settings(real, hub="http://127.0.0.1:1", notice=NOTICE, seed=7)["mocks"]
    (client,) = mocks["franceconnect"]["settings"]["clients"].values()
    told = provider(real)

    assert set(mocks) == set(real.mocks) == (set(city.mocks) - {"keycloak"}) | {"franceconnect"}
    assert (real.identity_url, city.identity_url) == (
        "http://127.0.0.1:8080",
        city.mocks["keycloak"],
    )
    (back,) = client["redirect_uris"]
    assert back == "http://127.0.0.1:8080/realms/parvis/broker/france-connect/endpoint"
    assert told["token_url"] == "http://127.0.0.1:20999/api/v2/token"
    read = read_provider(told, secrets=real.secrets, digest_key=b"d" * 32)
    assert read.secret == client["secret"]
    build("franceconnect", mocks["franceconnect"]["settings"]).close()


def test_a_library_gives_no_number_twice_over_the_starts_of_one_folder(city, tmp_path):
    folder = DemoFolder(tmp_path / "another")
    folder.take()
    starts = [folder.count_start() for _ in range(3)]
    mocks = mock_settings(city, hub="http://h", notice=NOTICE, seed=7, records_from=2001)["mocks"]

    assert starts == [0, 1, 2]
    assert folder.starts.stat().st_mode & 0o777 == 0o600
    assert mocks["koha_aix"]["settings"]["first_patron_id"] == 2001


def test_a_librarys_double_knows_the_sites_and_categories_of_the_city(city):
    mocks = mock_settings(city, hub="http://127.0.0.1:1", notice=NOTICE, seed=7)["mocks"]
    library = mocks["koha_aix"]["settings"]

    assert library["libraries"] == {"ORM": "Bibliothèque Méjanes, Deux Ormes"}
    assert library["categories"] == ["ADULTE", "PREINS"]


def test_every_partner_has_the_key_scripts_need_to_speak_for_it(city):
    for row in city.partners:
        sender = Sender.read(row)
        assert sender.keys[0].key_id == row["key_id"]
        assert sender.source == f"/partners/{row['id']}"


def test_each_secret_of_the_file_gets_a_value_and_the_private_key_too(city):
    assert set(city.secrets) == {
        "koha_marseille",
        "koha_aix",
        "koha_draguignan",
        "keycloak_runtime",
        "sms_application_key",
        "sms_application_secret",
        "sms_consumer_key",
        "volt_provence_k1",
        "clevanne_k1",
        "ventabrune_k1",
        "valcigale_k1",
        "tournelune_k1",
    }
