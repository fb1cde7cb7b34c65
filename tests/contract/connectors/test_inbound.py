"""What every connector makes of a hostile body posted to its profile: only errors of ours."""

import json

import pytest

from connectors.kit import Inbound, catalogue, open_profile
from schemas.errors import ParvisError, UnknownMessageTypeError
from tests.contract.connectors.test_manifest import good_values

NAMES = sorted(catalogue())
HOSTILE = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "latin-1": '{"nom": "Éléonore"}'.encode("latin-1"),
    "wrong types": b'{"id": [], "kind": {}, "data": 3}',
    "deep": b"[" * 100_000,
    "huge integer": b'{"id": ' + b"9" * 5000 + b"}",
    "not json": b"<html></html>",
}


def opened(name):
    hidden = {item.name for item in catalogue()[name].manifest.secrets}
    values = {key: value for key, value in good_values(name).items() if key != "ca_file"}
    settings = {key: value for key, value in values.items() if key not in hidden}
    return open_profile(name, "profil_essai", settings, {key: values[key] for key in hidden})


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_body_raises_only_errors_of_ours(name, body):
    rules = catalogue()[name].manifest.inbound
    headers = {"content-type": "application/json"}
    profile = opened(name)
    if rules is not None:
        headers[rules.header.lower()] = profile._secrets[rules.secret]
    with pytest.raises(ParvisError):
        profile.translate(Inbound(profile="profil_essai", body=body, headers=headers))
    with pytest.raises(ParvisError):
        profile._connector.translate(Inbound(profile="profil_essai", body=body, headers=headers))
    profile.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_system_that_posts_nothing_is_told_so(name):
    manifest = catalogue()[name].manifest
    if not manifest.emits:
        assert manifest.inbound is None
        with pytest.raises(UnknownMessageTypeError):
            opened(name).translate(Inbound(profile="profil_essai", body=json.dumps({}).encode()))
