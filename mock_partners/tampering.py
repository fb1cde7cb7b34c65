"""Answers altered on purpose: replaced, re-encoded, drifted or cut."""

import json
from collections.abc import Mapping
from dataclasses import replace

from mock_partners.faults import Hit
from mock_partners.wire import JSON, After, Answer, Delivery, json_answer, rendered

__all__ = ["delivered", "drifted", "is_applied", "replaced"]

HTML = "<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body>Service en maintenance</body></html>\n"
REPLACING = ("status", "html_200", "empty_200")


def replaced(
    hits: Mapping[str, Hit], answer: Answer, *, error_bodies: Mapping[int, object]
) -> Answer:
    """The answer that goes out: the true one, or the one a fault puts in its place."""
    for name in REPLACING:
        if name in hits:
            other = _replacement(name, hits[name].params, error_bodies)
            return replace(other, effect=answer.effect, reference=answer.reference)
    if "drift" in hits:
        answer = drifted(answer, hits["drift"].params)
    if answer.seal is not None:
        answer = replace(answer, body=answer.seal(answer.body), seal=None)
    return _recoded(answer, hits["charset"].params) if "charset" in hits else answer


def is_applied(hits: Mapping[str, Hit]) -> bool:
    """Whether the system does the work although another answer is put in its place."""
    return all(bool(hits[name].params["applied"]) for name in REPLACING if name in hits)


def delivered(
    answer: Answer, hits: Mapping[str, Hit], *, date: str, method: str, is_last: bool
) -> Delivery:
    """The answer as bytes, cut or slowed down as the faults say."""
    if "reset_after" in hits:
        return Delivery(after=After.RESET)
    close = is_last or "truncate" in hits
    if close:
        answer = replace(answer, headers=(*answer.headers, ("Connection", "close")))
    head, body = rendered(answer, date=date, method=method)
    if "truncate" in hits:
        body = body[: min(int(hits["truncate"].number("bytes")), max(len(body) - 1, 0))]
    drip = hits["slow_drip"].number("bytes_per_s") if "slow_drip" in hits else None
    after = After.CLOSE if close else After.KEEP
    return Delivery(payload=head + body, after=after, bytes_per_second=drip)


def drifted(answer: Answer, params: Mapping[str, object]) -> Answer:
    """The answer with one member added, dropped or of another type."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        return answer
    _drift(document, str(params["pointer"]), params)
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return replace(answer, body=body)


def _drift(document: object, pointer: str, params: Mapping[str, object]) -> None:
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in path:
        document = _member(document, part)
    if isinstance(document, list):
        for item in document:  # a list of records drifts in every record
            _drift_member(item, last, params)
    else:
        _drift_member(document, last, params)


def _member(document: object, part: str) -> object:
    if isinstance(document, list) and part.isdigit() and int(part) < len(document):
        return document[int(part)]
    return document.get(part) if isinstance(document, dict) else None


def _drift_member(document: object, name: str, params: Mapping[str, object]) -> None:
    if not isinstance(document, dict):
        return
    match params["kind"]:
        case "add":
            document[name] = params["value"] if params["value"] is not None else "drift"
        case "drop":
            document.pop(name, None)
        case _ if name in document:
            document[name] = _retyped(document[name], params["value"])


def _retyped(value: object, wished: object) -> object:
    if wished is not None:
        return wished
    return {"value": value} if isinstance(value, str) else str(value)


def _replacement(
    name: str, params: Mapping[str, object], error_bodies: Mapping[int, object]
) -> Answer:
    if name == "html_200":
        body = str(params["body"] or HTML).encode()
        return Answer(status=200, body=body, content_type="text/html; charset=utf-8")
    if name == "empty_200":
        return Answer(status=200)
    code = int(str(params["code"]))
    wait = params["retry_after"]
    headers = () if wait is None else (("Retry-After", str(wait)),)
    text = params["body"]
    if isinstance(text, str):
        return Answer(status=code, body=text.encode(), content_type=_guess(text), headers=headers)
    document = error_bodies.get(code, {"error": f"status {code}"}) if text is None else text
    return json_answer(code, document, headers=headers)


def _guess(body: str) -> str:
    return "text/html; charset=utf-8" if body.lstrip().startswith("<") else JSON


def _recoded(answer: Answer, params: Mapping[str, object]) -> Answer:
    body = answer.body.decode().encode(str(params["actual"]), "replace")
    kind = (answer.content_type or JSON).partition(";")[0]
    return replace(answer, body=body, content_type=f"{kind}; charset={params['declared']}")
