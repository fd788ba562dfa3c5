"""A token says who somebody is, until when, and cannot be made or changed by anyone else."""

import time
from base64 import urlsafe_b64encode

import pytest

from engine.access import tokens as module
from engine.access.tokens import Role, Tokens
from engine.core.errors import SettingsInvalid, TokenExpired, TokenInvalid

SECRET = "a secret of enough characters"


def make_tokens() -> Tokens:
    return Tokens(SECRET)


def test_a_token_says_what_it_was_issued_for() -> None:
    tokens = make_tokens()
    token, expires_at = tokens.issue("a1", Role.STORE, 60, "1001")
    session = tokens.verify(token)
    assert (session.subject, session.role, session.store_id) == ("a1", Role.STORE, "1001")
    assert session.expires_at_s == int(expires_at.timestamp())


def test_another_process_with_the_same_secret_reads_it() -> None:
    token, _ = make_tokens().issue("u1", Role.CONSUMER, 60)
    assert make_tokens().verify(token).subject == "u1"


@pytest.mark.parametrize("kept", [0, 1, 20, 42])
def test_a_signature_that_is_cut_off_is_none(kept: int) -> None:
    token, _ = make_tokens().issue("u1", Role.CONSUMER, 60)
    body, _, mac = token.partition(".")
    with pytest.raises(TokenInvalid):
        make_tokens().verify(f"{body}.{mac[:kept]}")


def test_what_is_longer_than_any_token_is_not_read() -> None:
    """Not even when it is signed: we issue none of that length."""
    token, _ = make_tokens().issue("u" * module.TOKEN_CHARS_MAX, Role.CONSUMER, 60)
    with pytest.raises(TokenInvalid):
        make_tokens().verify(token)


def test_every_changed_character_makes_it_invalid() -> None:
    tokens = make_tokens()
    token, _ = tokens.issue("u1", Role.CONSUMER, 60)
    tokens.verify(token)
    for place, character in enumerate(token):
        changed = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        with pytest.raises(TokenInvalid):
            tokens.verify(changed)


def test_another_role_cannot_be_written_into_it() -> None:
    tokens = make_tokens()
    _, mac = tokens.issue("u1", Role.CONSUMER, 60)[0].split(".")
    forged = b'{"subject":"u1","role":"HQ","expires_at_s":9999999999,"store_id":null}'
    with pytest.raises(TokenInvalid):
        tokens.verify(f"{urlsafe_b64encode(forged).rstrip(b'=').decode()}.{mac}")


@pytest.mark.parametrize("token", ["", ".", "a.b", "a", "é.é", "\0", "x" * 100_000, "a.b.c", "=.="])
def test_what_is_no_token_is_invalid(token: str) -> None:
    with pytest.raises(TokenInvalid):
        make_tokens().verify(token)


def test_a_token_of_another_secret_is_invalid() -> None:
    token, _ = Tokens("another secret, long enough").issue("u1", Role.CONSUMER, 60)
    with pytest.raises(TokenInvalid):
        make_tokens().verify(token)


def test_an_expired_token_is_told_so() -> None:
    tokens = make_tokens()
    token, _ = tokens.issue("u1", Role.CONSUMER, -1)
    with pytest.raises(TokenExpired):
        tokens.verify(token)


def test_a_cached_token_expires_all_the_same() -> None:
    tokens = make_tokens()
    token, expires_at = tokens.issue("u1", Role.CONSUMER, 1)
    tokens.verify(token)
    time.sleep(max(0.0, expires_at.timestamp() - time.time()))
    with pytest.raises(TokenExpired):
        tokens.verify(token)


def test_the_cache_is_bounded_and_keeps_busy_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_GENERATION_MAX", 10)
    tokens = make_tokens()
    busy, _ = tokens.issue("busy", Role.CONSUMER, 60)
    first = tokens.verify(busy)
    for number in range(100):
        tokens.verify(tokens.issue(f"u{number}", Role.CONSUMER, 60)[0])
        assert tokens.verify(busy) is first
    assert len(tokens._young) + len(tokens._old) <= 20


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match=r"auth\.secret"):
        Tokens("short")
