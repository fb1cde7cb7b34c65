import requests

from tools import keycloak_server


def test_the_server_answers_under_the_name_its_proxy_says(keycloak):
    address = f"{keycloak.url}/realms/master/.well-known/openid-configuration"

    straight = requests.get(address, timeout=10).json()
    behind = {"X-Forwarded-Host": "idp.test", "X-Forwarded-Proto": "https"}
    proxied = requests.get(address, headers=behind, timeout=10).json()

    assert straight["issuer"] == f"{keycloak.url}/realms/master"
    assert proxied["issuer"] == "https://idp.test/realms/master"


def test_the_server_is_the_version_that_is_pinned(keycloak):
    pinned = tuple(int(part) for part in keycloak_server.VERSION.split("."))

    assert keycloak.version >= pinned
