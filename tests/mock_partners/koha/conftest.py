from urllib.parse import urlencode

import pytest

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def log_in(client, **changes):
    form = {
        "grant_type": "client_credentials",
        "client_id": "parvis",
        "client_secret": "an-invented-secret",
        **changes,
    }
    return client.call("POST", "/api/v1/oauth/token", body=urlencode(form), headers=FORM)


class Library:
    """A client that is logged in."""

    def __init__(self, client):
        self.client = client
        self.token = log_in(client).json["access_token"]

    def call(self, method, path, document=None, *, headers=None, **query):
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        target = f"/api/v1{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        return self.client.call(method, target, document, headers=headers)

    def add(self, **members):
        patron = {
            "surname": "Sauvaire",
            "firstname": "Inès",
            "library_id": "ALC",
            "category_id": "PREINS",
            **members,
        }
        return self.call("POST", "/patrons", patron)


@pytest.fixture
def log_in_as():
    return log_in


@pytest.fixture
def library_of():
    return Library


@pytest.fixture
def start_koha(start_kind):
    def started(**changes):
        return Library(start_kind("koha", **changes))

    return started


@pytest.fixture
def koha(start_koha):
    return start_koha()
