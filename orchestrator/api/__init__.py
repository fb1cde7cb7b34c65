"""HTTP for the partners and the portal, problem details, OpenAPI."""

from orchestrator.api.application import ApiServices, install
from orchestrator.api.partner_face import PartnerFace
from orchestrator.api.together import all_together

__all__ = ["ApiServices", "PartnerFace", "all_together", "install"]
