"""Addresses: of pages, which are not those of machines, and of people, as they write them."""

import re

from werkzeug.routing import PathConverter


class PagePath(PathConverter):
    """Any path that is none of the interfaces for machines: their answers are not pages."""

    regex = r"(?!v1(?:/|$)|problems/|metrics$|[a-z]+z$)[^/].*?"


def as_read(address: str) -> str:
    """Return a contact as people write it: ``+33639980001`` is ``06 39 98 00 01``."""
    french = re.fullmatch(r"\+33([1-9])(\d\d)(\d\d)(\d\d)(\d\d)", address)
    return "\u00a0".join(("0" + french[1], *french.groups()[1:])) if french else address
