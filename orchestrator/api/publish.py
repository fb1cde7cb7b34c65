"""Writes the OpenAPI document partners read: ``python -m orchestrator.api.publish``.

With ``--check`` it only says whether ``schemas/published/openapi.json`` is what the code says, and
exits 1 when it is not.
"""

import sys
from pathlib import Path
from typing import Final

from orchestrator.api.openapi import written

PUBLISHED: Final = Path(__file__).parents[2] / "schemas" / "published" / "openapi.json"


def main(arguments: list[str]) -> int:
    """Write the published document, or compare it; return the exit status."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m orchestrator.api.publish [--check]\n")
        return 2
    if not arguments:
        PUBLISHED.write_text(written(), "utf-8")
        return 0
    is_fresh = PUBLISHED.exists() and PUBLISHED.read_text("utf-8") == written()
    if not is_fresh:
        sys.stderr.write("schemas/published/openapi.json is not what the code says\n")
    return 0 if is_fresh else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
