"""What the doubles of the systems received, told, changed: asked over HTTP like any script would."""

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 10.0


class Mock:
    """One double, by its address."""

    def __init__(self, url: str) -> None:
        self.url = url
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), address.port

    def journal(self, *, after: int = 0) -> list[dict[str, Any]]:
        """Return the entries above a number, oldest first."""
        entries: list[dict[str, Any]] = self.get(f"/_mock/journal?after={after}")["entries"]
        return entries

    def mark(self) -> int:
        """Return the number of the newest entry."""
        entries = self.journal()
        return int(entries[-1]["seq"]) if entries else 0

    def effects(self, kind: str, *, after: int = 0) -> list[dict[str, Any]]:
        """Return the entries that changed something in one way."""
        entries = self.journal(after=after)
        return [entry for entry in entries if (entry["effect"] or {}).get("kind") == kind]

    def arm(self, fault: str, **members: Any) -> None:
        """Throw the fault switch."""
        self.post("/_mock/faults", {"fault": fault, **members})

    def mend(self) -> None:
        """Clear every fault."""
        self._ask("DELETE", "/_mock/faults", None)

    def patrons(self, our_ref: str) -> list[dict[str, Any]]:
        """Return the records of a library's system that bear our reference."""
        rows: list[dict[str, Any]] = self.get("/_mock/patrons")["patrons"]
        return [row for row in rows if row.get("statistics_1") == our_ref]

    def messages(self, **wanted: str) -> list[dict[str, Any]]:
        """Return the texts that telephones show (``receiver``, ``tag``)."""
        found: list[dict[str, Any]] = self.get(f"/_mock/messages?{urlencode(wanted)}")["messages"]
        return found

    def get(self, path: str) -> Any:
        """Ask a page."""
        return self._ask("GET", path, None)

    def post(self, path: str, document: Mapping[str, Any]) -> Any:
        """Send a document."""
        return self._ask("POST", path, document)

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            body = None if document is None else json.dumps(document).encode()
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            msg = f"{method} {path.partition('?')[0]}: HTTP {answer.status}"
            raise OSError(msg)
        return json.loads(content)
