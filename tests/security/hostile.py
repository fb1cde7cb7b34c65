"""A generator of hostile requests: valid ones bent in one to four ways, from a fixed seed."""

import base64
import copy
import gzip
import json
import random
from urllib.parse import unquote

from schemas import ids
from tests.fakes.partner import (
    BATCH,
    CONTACT,
    EVENT,
    PERSON,
    arrival,
    environ_of,
    event,
    hmac_key,
    proof,
    signature_headers,
)

STRANGE = (
    "",
    " ",
    "\x00",
    "\u0007",
    "\ud800",
    "\uffff",
    "\ufeff",
    "é" * 300,
    "A" * 70_000,
    "' OR 1=1 --",
    "${jndi:ldap://x}",
    "<script>",
    "../../etc/passwd",
    "%00",
    "%s%n",
    "{{7*7}}",
    "\U0001d7d9\U0001d7d8",
    "1e999",
    "true",
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    2**63,
    -(2**63) - 1,
    10**400,
    [],
    {},
    [[]],
    {"a": {"b": [1, {"c": None}]}},
)
JUNK = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"null",
    b"true",
    b"0",
    b'"x"',
    b"[",
    b"{",
    b"[" * 5_000,
    b'{"a":' * 3_000,
    b"[" * 40 + b"]" * 40,
    b"NaN",
    b'{"a":NaN}',
    b'{"a":1,"a":2}',
    b"1" * 10_000,
    b'{"a":' + b"9" * 5_000 + b"}",
    b'"\\ud800"',
    b'"\\u0000"',
    b"--x\r\nContent-Disposition: form-data\r\n\r\n--x--",
    b"a=b&c=d",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    gzip.compress(b"[" + b" " * 2_000_000),
    gzip.compress(b"[]")[:-3],
)
METHODS = ("POST", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")
TARGETS = (
    "/v1/events",
    "/v1/events:batch",
    "/v1/events/",
    "/v1/events/x",
    "/v1/events/x?source=/partners/volt_provence",
    "/v1/events/x?source=%00%ff",
    "/v1/events/x?source=" + "a" * 3_000,
    "/v1/events/x?" + "&".join(["a=1"] * 40),
    "/v1/events/%e2%80%ae/../..",
    "/v1/event-types",
    "/v1/event-types?x=%zz",
    "/v1/openapi.json",
    "/v1/docs",
    "/v1/%00",
    "/v1//events",
    "/problems/malformed",
    "/problems/%0d%0ax",
    "/problems/" + "a" * 5_000,
    "/livez",
    "/readyz",
)
HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Content-Length",
    "Accept-Language",
    "If-None-Match",
    "Parvis-Key-Id",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "ce-id",
    "Host",
    "Cookie",
    "X-Forwarded-For",
    "Expect",
)
VALUES = (
    "",
    " ",
    ",",
    ";",
    ";;;=",
    "é\xff",
    "x" * 8_000,
    "-1",
    "1e3",
    "99999999999999999999",
    "gzip, gzip",
    "br",
    EVENT,
    BATCH,
    "application/json",
    "text/plain; charset=utf-7",
    'a/b; c="',
    "*;q=x",
    "en;q=0, fr;q=-1, *;q=9" * 50,
    'W/"' * 400,
    "v1,AAAA v1a,BBBB",
    "v1a," + base64.b64encode(bytes(64)).decode(),
    "volt_provence/k1",
    "volt_provence/../k1",
    "chunked",
    "100-continue",
)


class Hostile:
    """Makes environs; the same seed makes the same requests, but for their times and ids."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def environ(self):
        draw = self._random
        method, target, body, headers = self._valid()
        if draw.random() < 0.15:
            method = draw.choice(METHODS)
        if draw.random() < 0.15:
            target = draw.choice(TARGETS)
        if draw.random() < 0.75:
            body = self._bent(body)
        signed = signature_headers(
            method, target, body, key=hmac_key() if draw.random() < 0.9 else hmac_key(3)
        )
        headers = signed | headers
        for _ in range(draw.choice((0, 0, 0, 1, 1, 2, 4))):
            headers[draw.choice(HEADERS)] = draw.choice(VALUES)
        environ = environ_of(method, target, body, headers)
        environ["PATH_INFO"] = unquote(environ["PATH_INFO"], "latin-1")
        if draw.random() < 0.05:
            environ |= {"CONTENT_LENGTH": "", "wsgi.input_terminated": draw.random() < 0.5}
        return environ

    def _valid(self):
        if self._random.random() < 0.3:
            items = [
                self._event()
                for _ in range(51 if self._random.random() < 0.01 else self._random.randrange(4))
            ]
            body, headers = json.dumps(items).encode(), {"Content-Type": BATCH}
            if self._random.random() < 0.3:
                return (
                    "POST",
                    "/v1/events:batch",
                    gzip.compress(body, 1),
                    headers | {"Content-Encoding": "gzip"},
                )
            return "POST", "/v1/events:batch", body, headers
        return "POST", "/v1/events", json.dumps(self._event()).encode(), {"Content-Type": EVENT}

    def _event(self):
        draw = self._random
        value = draw.choice((event, full))()
        for _ in range(draw.choice((0, 1, 1, 2))):
            self._bend_member(value)
        return value

    def _bend_member(self, value):
        draw = self._random
        where = value
        while isinstance(where, dict) and where and draw.random() < 0.5:
            name = draw.choice(list(where))
            if not isinstance(where[name], dict):
                break
            where = where[name]
        name = draw.choice([*where, "surprise", "Ext", "data_base64", "time", ""])
        if draw.random() < 0.2:
            where.pop(name, None)
        else:
            where[name] = copy.deepcopy(draw.choice(STRANGE))

    def _bent(self, body):
        draw = self._random
        match draw.randrange(8):
            case 0:
                return draw.choice(JUNK)
            case 1:
                return body[: draw.randrange(len(body) + 1)]
            case 2:
                place = draw.randrange(len(body) or 1)
                return body[:place] + bytes([draw.randrange(256)]) + body[place + 1 :]
            case 3:
                place = draw.randrange(len(body) or 1)
                return body[:place] + draw.choice(JUNK) + body[place:]
            case _:
                return body


def full():
    value = arrival(person=dict(PERSON), contact=dict(CONTACT), consent=proof(), language="fr")
    return value | {
        "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        "subject": str(ids.uuid7()),
    }
