"""An answer before it is sent: what the partner face gives back, without a framework round it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

Headers = list[tuple[str, str]]
_JSON: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_ALWAYS: Final = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


@dataclass(slots=True, kw_only=True)
class Reply:
    """Status, headers and body; headers may still be added."""

    status: int
    headers: Headers
    body: bytes

    def send(self, start_response: "StartResponse", *, method: str) -> Iterable[bytes]:
        """Answer a WSGI server; the answer to HEAD has a length and no body, a 204 has neither."""
        length = [] if self.status == 204 else [("Content-Length", str(len(self.body)))]
        start_response(_LINES[self.status], [*self.headers, *length])
        return () if method == "HEAD" else (self.body,)


def json_reply(value: Any, *, status: int = 200, media_type: str = "application/json") -> Reply:
    """Return a JSON answer that nobody on the way keeps."""
    headers = [("Content-Type", media_type), *_ALWAYS]
    return Reply(status=status, headers=headers, body=_JSON.encode(value).encode())


def empty_reply() -> Reply:
    """Return an answer that says only that it was done."""
    return Reply(status=204, headers=list(_ALWAYS), body=b"")
