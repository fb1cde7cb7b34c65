"""The base of every connector: a manifest, a check at three levels, operations, perhaps a translation."""

from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.kit.inbound import Inbound
from connectors.kit.manifest import Manifest
from schemas.errors import UnknownMessageTypeError
from schemas.messages import Message
from schemas.receipts import ProbeLevel


class Connector:
    """An adapter between the canonical model and one system; one instance per profile and process.

    An operation is a method marked ``@operation``: it takes the command and the transport's face, and
    returns a receipt. Only the errors of ``schemas.errors`` may leave it.
    """

    manifest: ClassVar[Manifest]

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self.settings = settings
        self.secrets = secrets

    def check(self, level: ProbeLevel, transport: Any) -> None:
        """Prove the system usable up to a level, or raise what is the matter."""
        raise NotImplementedError

    def translate(self, inbound: Inbound) -> list[Message]:  # noqa: ARG002 - the children's
        """Return the canonical messages of what the system posted; a system that posts nothing refuses."""
        raise UnknownMessageTypeError
