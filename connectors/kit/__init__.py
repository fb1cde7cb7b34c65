"""The kit of the connectors: what a connector is made of, and the face the gateway calls it through."""

from connectors.kit.adapter import Outgoing
from connectors.kit.answers import Answer, Fields
from connectors.kit.connector import Connector
from connectors.kit.folder import FolderFace, append_line, rename, replace_content
from connectors.kit.http import PartnerHttp, segment
from connectors.kit.inbound import Inbound, json_event
from connectors.kit.manifest import InboundRules, Manifest, PersonalField, Transport
from connectors.kit.operations import Operation, operation
from connectors.kit.registry import Profile, catalogue, open_profile, operations
from connectors.kit.settings import Secret, Setting, seconds
from connectors.kit.smtp import SmtpFace

__all__ = [
    "Answer",
    "Connector",
    "Fields",
    "FolderFace",
    "Inbound",
    "InboundRules",
    "Manifest",
    "Operation",
    "Outgoing",
    "PartnerHttp",
    "PersonalField",
    "Profile",
    "Secret",
    "Setting",
    "SmtpFace",
    "Transport",
    "append_line",
    "catalogue",
    "json_event",
    "open_profile",
    "operation",
    "operations",
    "rename",
    "replace_content",
    "seconds",
    "segment",
]
