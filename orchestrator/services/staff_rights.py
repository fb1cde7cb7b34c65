"""Who may do what in the console: operations by role, as data.

What is not written here is refused. A role granted for one territory opens only what can be narrowed to a
territory; the rest stays closed to it until it can.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from orchestrator.services.ports.staff import Role, RoleGrant


class Operation(StrEnum):
    """What somebody does, or looks at."""

    CONSOLE_OPEN = "console:open"
    EXCHANGE_READ = "exchange:read"
    EXCHANGE_REVEAL = "exchange:reveal"
    REPLAY_ONE = "replay:one"
    REPLAY_BULK = "replay:bulk"
    REPLAY_EDIT = "replay:edit"
    CONNECTOR_READ = "connector:read"
    CONNECTOR_EDIT = "connector:edit"
    CONNECTOR_PAUSE = "connector:pause"
    SECRET_WRITE = "secret:write"  # noqa: S105 - the name of a right
    PARTNER_ROTATE = "partner:rotate"
    RIGHTS_HANDLE = "rights:handle"
    JOURNAL_EXPORT = "journal:export"
    ROLE_GRANT = "role:grant"


_ALL: Final = frozenset(Operation)
_READ: Final = frozenset(
    {Operation.CONSOLE_OPEN, Operation.EXCHANGE_READ, Operation.CONNECTOR_READ}
)
RIGHTS: Final[Mapping[Role, frozenset[Operation]]] = MappingProxyType(
    {
        Role.ADMIN: _ALL,
        Role.CONNECTOR_MANAGER: _READ
        | {
            Operation.EXCHANGE_REVEAL,
            Operation.REPLAY_ONE,
            Operation.REPLAY_BULK,
            Operation.REPLAY_EDIT,
            Operation.CONNECTOR_EDIT,
            Operation.CONNECTOR_PAUSE,
            Operation.PARTNER_ROTATE,
        },
        Role.LIBRARIAN: frozenset({Operation.CONSOLE_OPEN, Operation.EXCHANGE_READ}),
        Role.DPO: frozenset(
            {Operation.CONSOLE_OPEN, Operation.RIGHTS_HANDLE, Operation.JOURNAL_EXPORT}
        ),
        Role.OBSERVER: _READ,
    }
)
READ_ONLY: Final = _READ
"""What changes nothing and opens no body."""
NARROWED: Final = frozenset({Operation.CONSOLE_OPEN})
"""What a grant for one territory opens."""


def may(grants: Iterable[RoleGrant], operation: Operation) -> bool:
    """Tell whether one of the grants opens an operation."""
    return any(
        operation in RIGHTS[grant.role] and (grant.territory is None or operation in NARROWED)
        for grant in grants
    )
