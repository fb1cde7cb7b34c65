import json
import time

import pytest

from mock_partners.sms_ovh import signature

SERVICE = "/1.0/sms/sms-xx00000-1"
GOOD = {
    "message": "Votre code : AB3DE-FGH7K",
    "receivers": ["+33639980001"],
    "sender": "PARVIS",
    "noStopClause": True,
    "tag": "PV-7K3M9QXA",
}


class Gateway:
    """A client that signs."""

    def __init__(self, client):
        self.client = client

    def signed(self, method, path, body=b"", *, at=None, **wrong):
        timestamp = str(int(time.time()) if at is None else at)
        keys = {
            "key": "an-invented-key",
            "secret": "an-invented-secret",
            "consumer": "an-invented-consumer",
            **wrong,
        }
        url = self.client.server.url + path
        return {
            "X-Ovh-Application": keys["key"],
            "X-Ovh-Consumer": keys["consumer"],
            "X-Ovh-Timestamp": timestamp,
            "X-Ovh-Signature": signature(
                keys["secret"], keys["consumer"], method, url, body, timestamp
            ),
            "Content-Type": "application/json",
        }

    def call(self, method, path, document=None, **wrong):
        body = b"" if document is None else json.dumps(document).encode()
        headers = self.signed(method, path, body, **wrong)
        return self.client.call(method, path, body=body, headers=headers)

    def send(self, **changes):
        document = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
        return self.call("POST", f"{SERVICE}/jobs", document)

    def messages(self, query=""):
        return self.client.call("GET", f"/_mock/messages{query}").json["messages"]

    def turn(self, now):
        self.client.call("PUT", "/_mock/clock", {"now": now})


@pytest.fixture
def start_sms(start_kind):
    def started(**changes):
        return Gateway(start_kind("sms_ovh", **changes))

    return started


@pytest.fixture
def sms(start_sms):
    return start_sms()
