"""Identifiers. Clients treat them as opaque strings; here is how they are made.

An order's id is a function of (config, user, requestId), so one request can never become two orders:
not in Redis, not in the stream, not in Postgres, not at the payment provider, and not after any of
them was lost and rebuilt.
"""

import secrets
from binascii import crc32
from hashlib import blake2b


def new_config_id() -> str:
    """13 characters, `c` and 12 hexadecimal digits; never contains a dot."""
    return "c" + secrets.token_hex(6)


def new_id(prefix: str) -> str:
    """`prefix` and 12 hexadecimal digits, for rows nobody clicks on."""
    return prefix + secrets.token_hex(6)


def user_id(identity: str) -> str:
    """17 characters; the same identity (an openid) is always the same user."""
    return "u" + blake2b(identity.encode(), digest_size=8).hexdigest()


def click_id(config_id: str, user: str, request_id: str) -> str:
    """32 hexadecimal digits; the id of the order or action that this request may have, at most once."""
    return blake2b(f"{config_id}|{user}|{request_id}".encode(), digest_size=16).hexdigest()


def fingerprint(verb: str, target: str, quantity: int) -> int:
    """Unsigned 32 bits over what a click asks for; the same requestId with another one is refused."""
    return crc32(f"{verb}|{target}|{quantity}".encode())


def instance_id(config_id: str, suffix: str) -> str:
    """An instance's id starts with its config's, so a click finds its shard without a look-up."""
    return f"{config_id}.{suffix}"


def opened_suffix(order_id: str) -> str:
    """An instance opened by a click bears the start of that click's id."""
    return order_id[:16]


def late_suffix(order_id: str) -> str:
    """An instance opened for a payment that came late bears the rest of its order's id."""
    return order_id[16:]


def split_instance_id(instance: str) -> tuple[str, str]:
    """(config id, suffix); both empty when it is not an instance id."""
    config_id, dot, suffix = instance.partition(".")
    return (config_id, suffix) if dot else ("", "")


def shard_of(config_id: str, shards: int) -> int:
    """The shard a new config is born in; afterwards its row says so."""
    return crc32(config_id.encode()) % shards
