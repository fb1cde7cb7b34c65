"""HTTP for the partners and the portal."""
