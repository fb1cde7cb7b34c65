"""The realm's public keys, kept at hand: a token is checked without asking anybody.

A key nobody knows makes the set be fetched anew, at most once a minute and by one caller of this
process, so that rotation needs no restart and a flood of invented names costs the realm nothing.
While the realm does not answer the old set goes on; past a day that is said aloud.
"""

import base64
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from identity.realm_documents import fetch_document
from identity.tokens import ALGORITHM
from schemas import clock
from schemas.errors import IdentityUnavailableError, ParvisError, RequestError
from schemas.strict_json import read_json

MOST_BYTES: Final = 64 * 1024
TIMEOUT_SECONDS: Final = 3.0
FETCH_EVERY_SECONDS: Final = 60.0
RENEW_AFTER_SECONDS: Final = 600.0
OLD_AFTER_SECONDS: Final = 24 * 3600.0
UNKNOWN_FOR_SECONDS: Final = 120.0
_MOST_UNKNOWN: Final = 256
_MOST_WAITING: Final = 200
_MOST_KEYS: Final = 64
_SIZES: Final = range(2048, 8193)
_log = structlog.get_logger(__name__)

Fetch = Callable[[], bytes]
Spawn = Callable[[Callable[[], None]], None]


class KeySetUnusableError(ParvisError):
    """The address of the realm's keys answered with something that holds no key of ours."""


def key_set_url(issuer: str) -> str:
    """Return where a realm publishes the keys of its tokens."""
    return f"{issuer}/protocol/openid-connect/certs"


def fetch(url: str, *, ca_file: Path | None = None, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """Return what an address holds: at most 64 kB, within the time, from that address only.

    Raises:
        IdentityUnavailableError: it cannot be reached or answers with anything but success.
        KeySetUnusableError: it holds more than a set of keys does.
    """
    found = fetch_document(
        url, at_most=MOST_BYTES, seconds=timeout, ca_file=ca_file, accept="application/json"
    )
    if len(found) > MOST_BYTES:
        raise KeySetUnusableError
    return found


def read_keys(raw: bytes) -> Mapping[str, RSAKey]:
    """Return the RSA keys that sign, by name; others, weak and nameless ones are left out.

    Raises:
        KeySetUnusableError: it is no set of keys, or holds none that we use.
    """
    try:
        held = read_json(raw)
    except RequestError as error:
        raise KeySetUnusableError from error
    listed = held.get("keys") if isinstance(held, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise KeySetUnusableError
    found: dict[str, RSAKey] = {}
    for entry in listed:
        key = _usable(entry) if isinstance(entry, dict) else None
        if key is not None:
            found.setdefault(str(entry["kid"]), key)
    if not found:
        raise KeySetUnusableError
    return found


def _usable(entry: Mapping[str, Any]) -> RSAKey | None:
    is_ours = (
        entry.get("kty") == "RSA"
        and entry.get("use") == "sig"
        and entry.get("alg", ALGORITHM) == ALGORITHM
        and all(isinstance(entry.get(name), str) for name in ("kid", "n", "e"))
    )
    if not is_ours:
        return None
    try:
        if _bits(entry["n"]) not in _SIZES or _bits(entry["e"]) > 32:
            return None
        return RSAKey.import_key({name: entry[name] for name in ("kty", "kid", "n", "e")})
    except (JoseError, ValueError):
        return None


def _bits(number: str) -> int:
    raw = base64.urlsafe_b64decode(number + "=" * (-len(number) % 4))
    return int.from_bytes(raw).bit_length()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    keys: Mapping[str, RSAKey]
    fetched_at: float


class RealmKeys:
    """The keys of one realm as this process knows them; made after the fork."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        monotonic: Callable[[], float] = clock.monotonic,
        spawn: Spawn | None = None,
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._spawn = spawn or _in_a_thread
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._tried_at = -math.inf
        self._flight: threading.Event | None = None
        self._waiting = 0
        self._unknown: dict[str, float] = {}
        self._is_away = False
        self._is_told_old = False

    def key(self, kid: str) -> RSAKey | None:
        """Return a key by its name, None when the realm has none of that name.

        Raises:
            IdentityUnavailableError: no set was ever had, so that nothing can be told.
        """
        held = self._held
        if held is not None and kid in held.keys:
            self._look_after(held)
            return held.keys[kid]
        if held is not None and self._is_unknown(kid):
            return None
        is_news = self._wait_for_news()
        return self._now_held(kid, is_news=is_news)

    @property
    def is_old(self) -> bool:
        """Whether the set is past its day: usable, and somebody should look."""
        held = self._held
        return held is not None and self._monotonic() - held.fetched_at > OLD_AFTER_SECONDS

    def _look_after(self, held: _Held) -> None:
        """Renew a set that is not fresh, in the background; say once that it is old."""
        if self._monotonic() - held.fetched_at <= RENEW_AFTER_SECONDS:
            return
        if self.is_old and not self._is_told_old:
            self._is_told_old = True
            _log.error("identity.keys_old", hours=int(OLD_AFTER_SECONDS // 3600))
        self._begin()

    def _is_unknown(self, kid: str) -> bool:
        asked_at = self._unknown.get(kid)
        return asked_at is not None and self._monotonic() - asked_at < UNKNOWN_FOR_SECONDS

    def _wait_for_news(self) -> bool:
        """Wait for the fetch under way, begun here if one may begin; tell whether one ended.

        Nobody waits longer than a fetch may take, nor do more than a few hundred wait at once.
        """
        flight = self._begin()
        if flight is None or self._waiting >= _MOST_WAITING:
            return False
        self._waiting += 1
        try:
            return flight.wait(TIMEOUT_SECONDS)
        finally:
            self._waiting -= 1

    def _now_held(self, kid: str, *, is_news: bool) -> RSAKey | None:
        held = self._held
        if held is None:
            raise IdentityUnavailableError
        if kid in held.keys:
            return held.keys[kid]
        if is_news and not self._is_away and len(self._unknown) < _MOST_UNKNOWN:
            self._unknown[kid] = self._monotonic()
        return None

    # --- fetching: one at a time, at most once a minute ----------------------------------------------

    def _begin(self) -> threading.Event | None:
        """Return the fetch under way, begun now unless the last one is too recent (None)."""
        with self._lock:
            if self._flight is not None:
                return self._flight
            now = self._monotonic()
            if now < self._tried_at + FETCH_EVERY_SECONDS:
                return None
            self._tried_at = now
            flight = self._flight = threading.Event()
        self._spawn(lambda: self._fly(flight))
        return flight

    def _fly(self, flight: threading.Event) -> None:
        try:
            self._take(read_keys(self._fetch()))
        except (IdentityUnavailableError, KeySetUnusableError) as error:
            self._tell_away(type(error).__name__)
        finally:
            self._flight = None
            flight.set()

    def _take(self, keys: Mapping[str, RSAKey]) -> None:
        before = self._held
        self._held = _Held(keys=keys, fetched_at=self._monotonic())
        self._unknown = {}
        if self._is_away:
            _log.info("identity.keys_back")
        if before is None or before.keys.keys() != keys.keys():
            _log.info("identity.keys_changed", keys=len(keys))
        self._is_away = self._is_told_old = False

    def _tell_away(self, error: str) -> None:
        if not self._is_away:
            _log.warning("identity.keys_away", error=error, has_old_keys=self._held is not None)
        self._is_away = True


def _in_a_thread(job: Callable[[], None]) -> None:
    threading.Thread(target=job, name="realm-keys", daemon=True).start()


__all__ = ["KeySetUnusableError", "RealmKeys", "fetch", "key_set_url", "read_keys"]
