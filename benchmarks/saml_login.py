"""One answer of a realm verified with all checks on, beside the same library with the xmlsec1 program.

Usage: ``python -m benchmarks.saml_login [--answers 300] [--rounds 5]``. RSA 2048, SHA-256, answer and
assertion both signed. The two take turns, round by round, in one process; without the program only our
own way is measured. Then logins a second with one process and with two. Goals: p50 at most 8 ms, 50
logins a second on two cores.
"""

import argparse
import hashlib
import multiprocessing
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from saml2.sigver import CryptoBackendXmlSec1

from benchmarks.lab.figures import keep, percentile, ratios, table
from identity.saml import SamlConfig, new_key_pair
from identity.saml.client import make_client
from identity.saml.provider import ServiceProvider
from mock_partners.keycloak.answers import answer
from mock_partners.keycloak.descriptor import descriptor
from mock_partners.keycloak.drafts import Answering
from mock_partners.keycloak.keys import KeyRing
from orchestrator.services.ports.sign_in import Descriptor
from schemas.logins import Asked, Binding, Face, SamlMessage

ISSUER: Final = "https://idp.example.org/realms/parvis"
HUB: Final = "https://hub.example.org"
ASKED: Final = Asked(request_id="_a_request", relay_key="r")
ANSWERS, ROUNDS, PROGRAM_SHARE = 300, 5, 10
OURS, PROGRAM = "in process, every rule", "library with the xmlsec1 program"


class Known:
    """A description that never changes."""

    def __init__(self, xml: bytes) -> None:
        digest = hashlib.sha256(xml).digest()
        self._known = Descriptor(xml=xml.decode(), digest=digest, fetched_at=datetime.now(UTC))

    def current(self) -> Descriptor:
        """Return it."""
        return self._known

    def refresh(self) -> Descriptor:
        """Return it again."""
        return self._known


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--answers", type=int, default=ANSWERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    ring = KeyRing()
    config, xml = _config(), descriptor(ISSUER, ring.pairs)
    taken = _in_turns(config, xml, ring, options)
    rows = [_row(name, rounds) for name, rounds in taken.items()]
    rates = {count: _per_second(config, xml, ring, count, options.answers) for count in (1, 2)}
    print(table(rows))
    for count, rate in rates.items():
        print(f"logins a second, processes {count}: {rate}")
    figures: dict[str, Any] = {"p50_ms": rows[0]["p50_ms"], "p95_ms": rows[0]["p95_ms"]}
    figures |= {f"logins_s_{count}": rate for count, rate in rates.items()}
    told: dict[str, Any] = {"rows": rows, "is_try": options.answers < ANSWERS, "figures": figures}
    if PROGRAM in taken:
        told["ratio"] = ratios(_medians(taken[PROGRAM]), _medians(taken[OURS]))
        figures["ratio"] = told["ratio"]["median"]
        print(f"the program to ours: {figures['ratio']} (rounds {told['ratio']['spread']})")
    else:
        print("xmlsec1 is not on this machine: our own way only")
    keep("saml-login", told)
    return 0


def _in_turns(
    config: SamlConfig, xml: bytes, ring: KeyRing, options: argparse.Namespace
) -> dict[str, list[list[float]]]:
    """Return the milliseconds of every answer, by way and round; a first round only warms up."""
    ways = {OURS: (_ours(config, xml), 1)}
    program = shutil.which("xmlsec1")
    if program:
        ways[PROGRAM] = (_by_program(config, xml, program), PROGRAM_SHARE)
    taken: dict[str, list[list[float]]] = {name: [] for name in ways}
    for turn in range(options.rounds + 1):
        for name, (read, share) in ways.items():
            texts = _answers(config, ring, max(2, options.answers // options.rounds // share))
            timed = [_timed(read, text) for text in texts]
            if turn:
                taken[name].append(timed)
    return taken


def _ours(config: SamlConfig, xml: bytes) -> Callable[[str], None]:
    provider = ServiceProvider(config=config, descriptors=Known(xml))

    def read(text: str) -> None:
        provider.read_answer(SamlMessage(binding=Binding.POST, text=text), asked=ASKED)

    return read


def _by_program(config: SamlConfig, xml: bytes, program: str) -> Callable[[str], None]:
    """The same client of the library; signatures and certificates go through files and the program."""
    client = make_client(config, xml.decode())
    client.sec.crypto = CryptoBackendXmlSec1(program)
    client.sec.metadata = client.metadata

    def read(text: str) -> None:
        found = client.parse_authn_request_response(
            text,
            "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
            outstanding={ASKED.request_id: ASKED.relay_key},
            conv_info={"entity_id": config.entity_id, "request_uri": config.acs},
        )
        if found is None or found.name_id is None:
            raise SystemExit("the program refused a good answer")

    return read


def _per_second(config: SamlConfig, xml: bytes, ring: KeyRing, count: int, answers: int) -> float:
    """Return how many answers so many processes read in a second, all at once."""
    context = multiprocessing.get_context("fork")
    begin, ready = context.Event(), context.Barrier(count + 1)
    shares = [_answers(config, ring, answers) for _ in range(count)]

    def work(texts: Sequence[str]) -> None:
        read = _ours(config, xml)
        read(texts[0])
        ready.wait(timeout=120)
        begin.wait(timeout=120)
        for text in texts:
            read(text)

    processes = [context.Process(target=work, args=(texts,)) for texts in shares]
    for process in processes:
        process.start()
    ready.wait(timeout=120)
    begun = time.perf_counter()
    begin.set()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a process did not read its answers")
    return round(count * answers / (time.perf_counter() - begun), 1)


def _config() -> SamlConfig:
    key, certificate = new_key_pair(HUB)
    return SamlConfig(
        face=Face.CITIZEN,
        public_url=HUB,
        key_pem=key,
        certificate_pem=certificate,
        idp_entity_id=ISSUER,
    )


def _answers(config: SamlConfig, ring: KeyRing, count: int) -> list[str]:
    """Return answers made just now: they are good for a minute."""
    attributes = {
        "kc_user": "4be0643f-1d98-573b-97cd-ca98a65347dd",
        "idp_alias": "france-connect",
        "fc_acr": "eidas1",
        "fc_sub": "0" * 64 + "v1",
    }
    return [
        answer(
            Answering(
                issuer=ISSUER,
                audience=config.entity_id,
                acs=config.acs,
                request_id=ASKED.request_id,
                key=ring.active,
                attributes=attributes,
            )
        )
        for _ in range(count)
    ]


def _timed(read: Callable[[str], None], text: str) -> float:
    begun = time.perf_counter()
    read(text)
    return (time.perf_counter() - begun) * 1000


def _row(name: str, rounds: Sequence[Sequence[float]]) -> dict[str, Any]:
    every = [one for timed in rounds for one in timed]
    return {
        "way": name,
        "count": len(every),
        "p50_ms": round(percentile(every, 0.5), 2),
        "p95_ms": round(percentile(every, 0.95), 2),
    }


def _medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [percentile(timed, 0.5) for timed in rounds]


if __name__ == "__main__":
    raise SystemExit(main())
