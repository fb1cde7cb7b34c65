"""No secret leaves in any output; no person in an address, an error text or a probe."""

import traceback
from contextlib import suppress

import pytest

from connectors.kit import catalogue
from schemas.errors import ParvisError
from schemas.receipts import ProbeLevel
from tests.contract.connectors.rigs import (
    PERSONAL,
    all_cases,
    effect_cases,
    identify,
    networked,
    over_http,
)

pytestmark = [pytest.mark.enable_socket, pytest.mark.filterwarnings("ignore::UserWarning")]
EVERYONE = sorted(catalogue())
FAULTS = [
    {"fault": "status", "code": 500},
    {"fault": "status", "code": 400},
    {"fault": "reset_after"},
    {"fault": "auth_revoked"},
    {"fault": "down"},
]


def spellings(secret):
    from base64 import b64encode
    from json import dumps
    from urllib.parse import quote, quote_plus

    plain = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), dumps(secret)[1:-1]]
    return {*plain, b64encode(secret.encode()).decode()}


def assert_no_secret(rig, *outputs):
    text = "\n".join(map(repr, outputs))
    for secret in rig.secrets.values():
        for spelling in spellings(secret):
            assert spelling not in text


def assert_nobody(text):
    for canary in PERSONAL:
        assert canary.lower() not in text.lower()


@pytest.mark.parametrize(("name", "case"), all_cases(EVERYONE), ids=identify)
def test_no_secret_is_in_a_receipt_or_an_exchange(rig, case):
    receipt = rig.call(rig.command(case))
    assert_no_secret(rig, receipt, *rig.log)


@pytest.mark.parametrize("fault", FAULTS, ids=identify)
@pytest.mark.parametrize(("name", "case"), effect_cases(networked()), ids=identify)
def test_no_secret_and_nobody_is_in_an_error(rig, case, fault):
    command = rig.command(case)
    rig.arm(**fault)
    with pytest.raises(ParvisError) as raised:
        rig.call(command)
    assert_no_secret(rig, raised.value, vars(raised.value), *rig.log)
    assert_nobody("".join(traceback.format_exception_only(raised.value)))
    chain = [raised.value.__cause__, raised.value.__context__]
    assert_nobody(" ".join(str(each) for each in chain))
    assert_no_secret(rig, *map(str, chain))


@pytest.mark.parametrize(("name", "case"), all_cases(EVERYONE), ids=identify)
def test_no_address_holds_a_query_or_a_person(rig, case):
    rig.call(rig.command(case))
    for each in rig.log:
        assert "?" not in each.address
        assert_nobody(each.address)


@pytest.mark.parametrize(("name", "case"), effect_cases(networked()), ids=identify)
def test_an_authorization_is_never_recorded(rig, case):
    rig.call(rig.command(case))
    for each in rig.log:
        headers = {key.lower(): value for key, value in each.request.get("headers", {}).items()}
        hidden = {
            "authorization",
            "cookie",
            "x-ovh-signature",
            "x-ovh-consumer",
            "x-ovh-application",
        }
        assert all(headers[key] == "[secret]" for key in hidden & set(headers))
        assert "Bearer " not in repr(each)


@pytest.mark.parametrize("code", [200, 400, 500])
@pytest.mark.parametrize(("name", "case"), effect_cases(over_http()), ids=identify)
def test_a_secret_that_the_system_repeats_is_not_recorded(rig, case, code):
    command = rig.command(case)
    for secret in rig.secrets.values():
        for spelling in sorted(spellings(secret)):
            rig.clear()
            rig.arm(
                "status", operation=case.effect, code=code, body=f'{{"note": "vu {spelling} ici"}}'
            )
            with suppress(ParvisError):
                rig.call(command)
            assert "vu [secret] ici" in str(rig.log[-1].response)
    assert_no_secret(rig, *rig.log)


@pytest.mark.parametrize("name", EVERYONE)
def test_no_secret_is_in_a_probe(rig):
    for level in ProbeLevel:
        assert_no_secret(rig, rig.profile.probe(level))


@pytest.mark.parametrize("name", EVERYONE)
def test_no_secret_shows_in_the_declaration(name):
    for secret in catalogue()[name].manifest.secrets:
        assert secret.is_secret
        assert secret.default is None
        assert secret.example is None
