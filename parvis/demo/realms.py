"""``python -m parvis.demo.realms FOLDER``: sets both realms of the real Keycloak up, and somebody in each.

The realms are brought by what ``parvis identity apply`` runs. The member of staff has a password; the
second factor is set up by whoever signs in first, as that realm demands.
"""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Final

from identity.keycloak import RUNTIME, AdminApi, Provisioning, client_secret
from parvis import identity_setup
from parvis.bootstrap import open_hub
from parvis.demo.city import PROVIDER_FILE
from parvis.demo.environment import environment_of
from parvis.demo.folder import DemoFolder
from parvis.demo.options import STAFF_ACCOUNT
from parvis.demo.preparation import ACTOR
from parvis.realm_accounts import ACCOUNT_SECRET
from parvis.settings import Settings
from schemas.errors import ParvisError

WORDS: Final = 3


def main() -> int:
    """Set the realms up; what people need is one JSON line."""
    folder = DemoFolder(Path(sys.argv[1]))
    settings = Settings.read(environment_of(folder, {}))
    hub = open_hub(settings)
    try:
        provider = json.loads((folder.path / PROVIDER_FILE).read_bytes())
        apis = identity_setup.apis(settings, os.environ)
        wanted = identity_setup.installation(
            settings,
            hub.secrets,
            identity_setup.Wishes(providers=(provider,)),
            digest_key=hub.keys.provider_secret,
        )
        report = Provisioning(wanted, apis).apply()
        if report.stopped is not None:
            raise report.stopped.error
        citizens = settings.idp_realm
        secret = client_secret(apis[citizens], citizens, RUNTIME, mark=settings.public_url)
        hub.secrets.put(ACCOUNT_SECRET, secret, actor=ACTOR)
        password = _staff(apis[settings.idp_staff_realm], settings.idp_staff_realm)
    except ParvisError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    finally:
        hub.database.close()
    sys.stdout.write(json.dumps({"staff_password": password}) + "\n")
    return 0


def _staff(api: AdminApi, realm: str) -> str:
    """Make the invented member of staff; returns the password."""
    password = "-".join(secrets.token_hex(3) for _ in range(WORDS))
    credential = {"type": "password", "value": password, "temporary": False}
    person = {
        "username": STAFF_ACCOUNT,
        "enabled": True,
        "firstName": "Administratrice",
        "lastName": "Démonstration",
        "email": "admin.demo@example.org",
        "emailVerified": True,
        "credentials": [credential],
    }
    api.post(f"/{realm}/users", person)
    return password


if __name__ == "__main__":
    sys.exit(main())
