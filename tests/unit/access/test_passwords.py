"""Passwords are kept as salted scrypt hashes."""

import pytest

from engine.access import passwords
from engine.access.passwords import check_password, hash_password


def test_the_right_password_passes_and_another_does_not() -> None:
    stored = hash_password("正确的密码")
    assert check_password("正确的密码", stored)
    assert not check_password("正确的密码 ", stored)


def test_the_same_password_never_looks_the_same() -> None:
    assert hash_password("same") != hash_password("same")


def test_a_hash_says_its_own_cost() -> None:
    """So that raising the cost later leaves old hashes readable."""
    assert hash_password("x").startswith("scrypt$14$8$1$")


def test_a_hash_of_another_cost_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(passwords, "COST_LOG2", 10)
        stored = hash_password("old")
    assert check_password("old", stored)
    assert not check_password("new", stored)
