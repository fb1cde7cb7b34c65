"""Both realms set up on the real server: idempotent, telling drift, touching nothing of others."""

import pytest

from identity.keycloak import Change
from identity.names import HUB_CLIENT, HUB_SCOPE

ANOTHER = "https://autre.example.org"


def test_a_second_run_changes_nothing(realms):
    again = realms.provisioning().apply()

    assert again.is_as_wanted, again
    assert realms.provisioning().check().is_as_wanted
