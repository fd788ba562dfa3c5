"""Passwords of staff: scrypt, with its cost written into each hash so that it can be raised later."""

import hmac
from base64 import b64decode, b64encode
from hashlib import scrypt
from secrets import token_bytes

COST_LOG2 = 14  # 2^14 * 8 * 128 bytes = 16 MiB, about 40 ms
BLOCK = 8
PARALLEL = 1
SALT_BYTES = 16
HASH_BYTES = 32


def hash_password(password: str) -> str:
    """`scrypt$cost$block$parallel$salt$hash`. Slow on purpose: call it in a thread."""
    salt = token_bytes(SALT_BYTES)
    digest = _derive(password, salt, COST_LOG2, BLOCK, PARALLEL)
    return f"scrypt${COST_LOG2}${BLOCK}${PARALLEL}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def check_password(password: str, stored: str) -> bool:
    """Whether `stored` is the hash of `password`; takes the same time either way. Call it in a thread."""
    _, cost, block, parallel, salt, digest = stored.split("$")
    expected = b64decode(digest)
    actual = _derive(password, b64decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(expected, actual)


def _derive(password: str, salt: bytes, cost_log2: int, block: int, parallel: int) -> bytes:
    return scrypt(password.encode(), salt=salt, n=1 << cost_log2, r=block, p=parallel, maxmem=1 << 26, dklen=HASH_BYTES)
