"""What applications are answered, member by member: nothing gets out that is not written here."""

from dataclasses import asdict
from typing import Any

from orchestrator.services.offered_services import OfferedService
from orchestrator.services.ports.portal import PortalSpace
from schemas import clock


def service(offered: OfferedService) -> dict[str, Any]:
    """Return one service of the city."""
    return {
        "id": offered.id,
        "kind": offered.kind,
        "name": offered.name,
        "territory": offered.territory,
        "communes": list(offered.communes),
        "place": asdict(offered.place) if offered.place else None,
        "min_level": offered.min_level,
    }


def me(space: PortalSpace) -> dict[str, Any]:
    """Return how sure we are of the citizen and where they belong."""
    return {
        "level": int(space.level),
        "state": space.state,
        "language": space.language,
        "services": sorted({account.service_id for account in space.accounts}),
    }


def accounts(space: PortalSpace) -> dict[str, Any]:
    """Return the citizen's places."""
    listed = [
        {
            "id": str(account.id),
            "service": account.service_id,
            "name": account.name,
            "state": account.state,
            "level": int(account.level),
            "method": account.method,
            "opened_at": clock.rfc3339(account.opened_at),
        }
        for account in space.accounts
    ]
    return {"accounts": listed}


def logins(space: PortalSpace) -> dict[str, Any]:
    """Return the citizen's ways of signing in."""
    listed = [
        {
            "id": str(login.id),
            "alias": login.alias,
            "method": login.method,
            "level": int(login.level),
            "since": clock.rfc3339(login.since),
            "last_used_at": clock.rfc3339(login.last_used_at),
        }
        for login in space.logins
    ]
    return {"logins": listed}
