"""HTTP for the partners and the portal, problem details, OpenAPI."""

from orchestrator.api.application import ApiServices, install
from orchestrator.api.partner_face import PartnerFace
from orchestrator.api.portal_face import PortalFace
from orchestrator.api.together import all_together

__all__ = ["ApiServices", "PartnerFace", "PortalFace", "all_together", "install"]
