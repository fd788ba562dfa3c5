"""Signed tokens: who is asking, in which role, until when.

A token is `base64url(json).base64url(HMAC-SHA256)`, both without padding. It is not looked up anywhere,
so any process that knows the secret can read it.
"""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from engine.core.errors import SettingsInvalid, TokenExpired, TokenInvalid

SECRET_CHARS_MIN = 16
TOKEN_CHARS_MAX = 512
CACHE_GENERATION_MAX = 100_000


class Role(StrEnum):
    """Every caller has exactly one."""

    CONSUMER = "CONSUMER"
    HQ = "HQ"
    FINANCE = "FINANCE"
    STORE = "STORE"
    CLERK = "CLERK"


class Caller(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What a valid token says. `subject` is a user's or a staff member's id; `store_id` only for STORE and CLERK."""

    subject: str
    role: Role
    expires_at_s: int
    store_id: str | None = None


class Tokens:
    """Issues tokens and verifies them."""

    def __init__(self, secret: str) -> None:
        if len(secret) < SECRET_CHARS_MIN:
            raise SettingsInvalid(f"auth.secret must have at least {SECRET_CHARS_MIN} characters")
        self._key = secret.encode()
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Caller).decode
        # Two generations: when the young one is full it becomes the old one, and the old one is dropped.
        # So the cache is bounded and a busy token stays, without bookkeeping on each hit.
        self._young: dict[str, Caller] = {}
        self._old: dict[str, Caller] = {}

    def issue(self, subject: str, role: Role, ttl_s: int, store_id: str | None = None) -> tuple[str, datetime]:
        """(token, when it expires)."""
        expires_at_s = int(time.time()) + ttl_s
        caller = Caller(subject=subject, role=role, expires_at_s=expires_at_s, store_id=store_id)
        body = _text(self._encode(caller))
        return f"{body}.{self._mac(body)}", datetime.fromtimestamp(expires_at_s, UTC)

    def verify(self, token: str) -> Caller:
        """Who asks, by a token we issued. Raises TokenInvalid or TokenExpired."""
        caller = self._young.get(token) or self._remember(token)
        if caller.expires_at_s <= time.time():
            raise TokenExpired
        return caller

    def _remember(self, token: str) -> Caller:
        caller = self._old.get(token) or self._read(token)
        if len(self._young) >= CACHE_GENERATION_MAX:
            self._old, self._young = self._young, {}
        self._young[token] = caller
        return caller

    def _read(self, token: str) -> Caller:
        if len(token) > TOKEN_CHARS_MAX or not token.isascii():
            raise TokenInvalid
        body, dot, mac = token.partition(".")
        # Compared as text: a mac decoded first would let two spellings of the last character pass.
        if not dot or not hmac.compare_digest(mac, self._mac(body)):
            raise TokenInvalid
        try:
            return self._decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (NotBase64, msgspec.DecodeError):
            raise TokenInvalid from None

    def _mac(self, body: str) -> str:
        return _text(hmac.digest(self._key, body.encode(), "sha256"))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
