"""Logging in, as consumer and as staff."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.access import access as module
from engine.access.access import Access
from engine.access.tokens import Role, Tokens
from engine.core import ids
from engine.core.connections import open_pool
from engine.core.errors import AlreadyExists, BadInput, LoginFailed, NotFound, Overloaded
from engine.core.settings import Settings


@pytest.fixture
async def access(settings: Settings) -> AsyncIterator[Access]:
    pool = await open_pool(settings.postgres.url, size_max=2)
    yield Access(pool, Tokens(settings.auth.secret), settings.auth)
    await pool.close()


async def test_the_same_code_is_always_the_same_user(access: Access, settings: Settings) -> None:
    first = await access.login_consumer("demo-爱丽丝")
    again = await access.login_consumer("demo-爱丽丝")
    other = await access.login_consumer("demo-bob")
    assert first.user_id == again.user_id == ids.user_id("demo-爱丽丝")
    assert other.user_id != first.user_id
    session = Tokens(settings.auth.secret).verify(first.token)
    assert (session.subject, session.role, session.store_id) == (first.user_id, Role.CONSUMER, None)


@pytest.mark.parametrize("code", ["", "demo-", "demo-a b", "demo-" + "x" * 33, "0123456789", "demo-a\n", "demo-\0"])
async def test_any_other_code_does_not_log_in(access: Access, code: str) -> None:
    with pytest.raises(LoginFailed, match="微信登录未配置，请使用 demo-<名字>"):
        await access.login_consumer(code)


async def test_demo_codes_can_be_switched_off(settings: Settings) -> None:
    pool = await open_pool(settings.postgres.url, size_max=1)
    production = Access(pool, Tokens(settings.auth.secret), msgspec.structs.replace(settings.auth, demo_logins=False))
    with pytest.raises(LoginFailed, match=r"微信登录未配置$"):
        await production.login_consumer("demo-alice")
    await pool.close()


async def test_staff_log_in_with_their_own_password_only(access: Access, settings: Settings) -> None:
    await access.create_staff("finance", "correct horse", Role.FINANCE)
    login = await access.login_staff("finance", "correct horse")
    assert (login.role, login.store_id) == (Role.FINANCE, None)
    assert Tokens(settings.auth.secret).verify(login.token).role is Role.FINANCE
    told = []
    for username, password in (("finance", "wrong"), ("nobody", "correct horse"), ("finance", "")):
        with pytest.raises(LoginFailed) as caught:
            await access.login_staff(username, password)
        told.append(str(caught.value))
    assert set(told) == {"用户名或密码错误"}


@pytest.mark.parametrize(
    ("role", "store"),
    [(Role.STORE, None), (Role.CLERK, None), (Role.HQ, "1001"), (Role.FINANCE, "1001"), (Role.CONSUMER, None)],
)
async def test_only_a_store_has_roles_of_a_store(access: Access, role: Role, store: str | None) -> None:
    """And nobody is hired as a consumer."""
    with pytest.raises(BadInput):
        await access.create_staff("somebody", "correct horse", role, store)


async def test_a_name_is_somebodys(access: Access) -> None:
    await access.create_staff("finance", "correct horse", Role.FINANCE)
    with pytest.raises(AlreadyExists):
        await access.create_staff("finance", "another horse", Role.HQ)
    with pytest.raises(NotFound):
        await access.create_staff("clerk", "correct horse", Role.CLERK, "nowhere")


async def test_a_password_from_the_settings_is_the_one_that_counts(access: Access) -> None:
    """Whoever is there already keeps their role, and has that password from now on."""
    await access.ensure_staff("hq", "the first one", Role.HQ, None)
    await access.ensure_staff("hq", "the second one", Role.FINANCE, None)
    assert (await access.login_staff("hq", "the second one")).role is Role.HQ
    with pytest.raises(LoginFailed):
        await access.login_staff("hq", "the first one")


async def test_an_unknown_name_costs_a_password_check_too(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the time an answer takes does not tell which names exist."""
    checked: list[str] = []

    def check(password: str, stored: str) -> bool:
        checked.append(stored)
        return True

    monkeypatch.setattr(module, "check_password", check)
    with pytest.raises(LoginFailed):
        await access.login_staff("nobody", "")
    assert len(checked) == 1


async def test_a_crowd_of_logins_is_told_to_wait(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKS_WAITING_MAX", 0)
    with pytest.raises(Overloaded):
        await access.login_staff("anyone", "anything")
