"""Logins that change while they are asked for, commits whose answer is lost, and floods of
strangers: against the registry itself, over a real database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from emvs.infra.clock import MovableClock
from emvs.infra.database import Database
from emvs.infra.migrations import migrate
from emvs.login_rules import LoginRules, LoginState
from emvs.roles import Role
from nmvs.credentials import hash_secret
from nmvs.logins.enrolment import LoginEnrolment, SoapLogin
from nmvs.logins.registry import (
    ChangeResult,
    Login,
    LoginRefusal,
    Logins,
    TermsResult,
    Visit,
)
from nmvs.logins.store import LoginStore, StoredLogin
from nmvs.logins.terms import TermsOnFile
from nmvs.participants import Participant

COST_LOG2 = 4
PARTICIPANT = Participant(1, Role.PHARMACY, "P1", "Pharmacy 1", "IE", frozenset(), "Pharmacy 1")
CLIENT, USER, GOOD, NEW = "CLIENT1", "USER0001", "Demo-Pass-1", "Demo-Pass-2"


class LossyStore(LoginStore):
    """A store whose connection may break behind a commit, before its answer comes."""

    loses_answers = False

    async def put(self, login: StoredLogin) -> None:
        await super().put(login)
        self._lose()

    async def put_with_history(self, *args: Any, **options: Any) -> None:
        await super().put_with_history(*args, **options)
        self._lose()

    def _lose(self) -> None:
        if self.loses_answers:
            raise ConnectionResetError("the answer to a commit was lost")


class Registry:
    """Logins with one login registered."""

    def __init__(self, database: Database) -> None:
        self.store = LossyStore(database)
        self.clock = MovableClock()
        self.logins = Logins(
            store=self.store,
            clock=self.clock,
            terms=TermsOnFile(self.store),
            rules=LoginRules(),
            admitted=lambda _: PARTICIPANT,
            hash_cost_log2=COST_LOG2,
        )
        self.enrolment = LoginEnrolment(self.logins)

    @property
    def login(self) -> Login:
        return self.logins.by_id[CLIENT, USER]

    async def enter(self, password: str = GOOD, user: str = USER) -> Visit | LoginRefusal:
        return await self.logins.enter(CLIENT, user, password, None)

    async def visit(self, password: str = GOOD) -> Visit:
        visit = await self.enter(password)
        assert isinstance(visit, Visit), visit
        return visit

    @asynccontextmanager
    async def checks_wait(self) -> AsyncIterator[None]:
        """Hold up all checks of passwords."""
        gate = self.logins.cache._gate
        for _ in range(2):
            await gate.acquire()
        yield
        for _ in range(2):
            gate.release()


@pytest.fixture
async def registry(dsn: str, schema_name: str) -> AsyncIterator[Registry]:
    database = Database(dsn, schema_name, connections_max=4)
    await database.open()
    await migrate(database.pool, "nmvs")
    await database.pool.execute(
        "insert into location (location_number, market, location, role, name, organisation)"
        " values (1, 'IE', 'P1', 'pharmacy', 'Pharmacy 1', 'Pharmacy 1')"
    )
    registry = Registry(database)
    await registry.enrolment.register(SoapLogin(CLIENT, USER, GOOD), 1)
    yield registry
    await database.close()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_change_whose_answer_was_lost_counts_whatever_comes_next(
    registry: Registry,
) -> None:
    now: datetime = registry.clock.now()
    await registry.logins.terms.put(
        1, content="Be kind.", starts_at=now, accept_by=now + timedelta(days=30)
    )
    changing, accepting = await registry.visit(), await registry.visit()
    registry.store.loses_answers = True
    with pytest.raises(ConnectionResetError):
        await registry.logins.change_password(changing, GOOD, GOOD, NEW)
    registry.store.loses_answers = False
    # This request was let in before.
    assert await registry.logins.accept_terms(accepting, 1) is TermsResult.DONE
    visit = await registry.visit(NEW)
    assert not visit.uses_former
    assert registry.login.stored == await registry.store.login(CLIENT, USER)


async def test_a_second_change_after_a_lost_answer_is_one_too_many(registry: Registry) -> None:
    first, second = await registry.visit(), await registry.visit()
    registry.store.loses_answers = True
    with pytest.raises(ConnectionResetError):
        await registry.logins.change_password(first, GOOD, GOOD, NEW)
    registry.store.loses_answers = False
    changed = await registry.logins.change_password(second, GOOD, GOOD, "Demo-Pass-3")
    assert changed is ChangeResult.ALREADY_REPLACED
    await registry.visit(NEW)


async def test_a_lock_whose_answer_was_lost_is_not_gone_around(registry: Registry) -> None:
    async with registry.checks_wait():
        entering = asyncio.create_task(registry.enter())
        await settle()
        registry.store.loses_answers = True
        with pytest.raises(ConnectionResetError):
            await registry.enrolment.lock(CLIENT, USER)
        registry.store.loses_answers = False
    await entering
    assert registry.logins.enter_calmly(CLIENT, USER, GOOD) is None
    assert await registry.enter() is LoginRefusal.LOCKED


async def test_a_password_that_was_right_when_it_was_sent_is_no_guess(registry: Registry) -> None:
    login = registry.login
    async with registry.checks_wait():
        entering = asyncio.create_task(registry.enter())
        await settle()
        async with registry.logins.changing:
            hashed = hash_secret(NEW, COST_LOG2)
            state = LoginState(registry.clock.now_ms())
            await registry.logins.put(
                login, login.stored._replace(password_hash=hashed, state=state)
            )
    assert await entering is LoginRefusal.WRONG
    assert login.stored.state.failure_count == 0
    assert await registry.enter() is LoginRefusal.WRONG
    assert login.stored.state.failure_count == 1


async def test_a_flood_of_strangers_keeps_no_known_user_out(registry: Registry) -> None:
    async with registry.checks_wait():
        strangers = [
            asyncio.create_task(registry.enter(user=f"STRANGER{number}")) for number in range(1_200)
        ]
        await settle()
        known = asyncio.create_task(registry.enter())
        await settle()
    assert isinstance(await known, Visit)
    told = set(await asyncio.gather(*strangers))
    assert told == {LoginRefusal.WRONG, LoginRefusal.OVERLOADED}


async def test_nobody_takes_as_long_as_somebody_with_a_wrong_password(registry: Registry) -> None:
    async def seconds(user: str) -> float:
        times = []
        for number in range(3):
            started_s = time.perf_counter()
            assert await registry.enter(f"Wrong-Pass-{number}", user) is LoginRefusal.WRONG
            times.append(time.perf_counter() - started_s)
        return min(times)

    # With the usual cost of a hash, not this system's, it would be some 40 ms.
    assert await seconds("STRANGER1") < await seconds(USER) + 0.01
