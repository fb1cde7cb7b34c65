import pytest

from connectors.kit.adapter import LeanAdapter, Timeouts
from connectors.kit.addresses import Address
from connectors.kit.http import Call, HttpProfile, PartnerHttp
from connectors.kit.redaction import Redactor
from schemas import clock


@pytest.fixture
def face():
    """Make a call's view of a server; all views of one test share a profile."""
    opened = []

    def make(server, *, tls=None, host="127.0.0.1", cap=100_000, allow_private=True, log=None):
        adapter = LeanAdapter(
            Address(host, server.port, allow_private=allow_private),
            tls=tls,
            timeouts=Timeouts(connect=0.5, read=0.5),
            cap=cap,
        )
        opened.append(adapter)
        shared = HttpProfile(
            profile="essai",
            base_url=adapter.origin,
            adapter=adapter,
            redactor=Redactor(["a-declared-secret"]),
            errors_by_status={},
        )
        call = Call(
            operation="try", key="run:1", asked_at=clock.utcnow(), log=[] if log is None else log
        )
        return PartnerHttp(shared, call)

    yield make
    for each in opened:
        each.close()
