"""Random lives of packs in two markets with a hub between them, held against a plain model.

One example is one product of both markets, one of Poland alone, and what seven participants, the
manufacturer and the clock do to some ten packs. Each answer is compared, in its own dialect: code,
state, alert, who answered. Between markets the machine waits until changes have arrived, but for
one rule in which two markets change a pack while neither can hear of the other.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Coroutine
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from emvs.infra.embedded_postgres import EmbeddedPostgres
from tests.acceptance.machine.lives import MISREADINGS, Lives
from tests.acceptance.machine.model import MARKETS, Actor
from tests.acceptance.machine.stand import ACTORS, Stand

_numbers = itertools.count(1)
_actors = st.sampled_from(ACTORS)
_any = st.integers(0, 59)
"""Taken modulo the number of packs, operations or participants there are."""
_some_markets = st.sampled_from([MARKETS[:1], MARKETS[1:], MARKETS])
_few_requests = st.lists(st.tuples(_any, _any), min_size=1, max_size=3)
_seldom = st.integers(0, 5)


class TwoMarkets(RuleBasedStateMachine):
    """The rules; what they do is in `Lives`."""

    stand: ClassVar[Stand]
    loop: ClassVar[asyncio.AbstractEventLoop]
    step_count: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.lives = Lives(self.stand, next(_numbers))
        self.loop.run_until_complete(self.lives.begin())

    def _step(self, work: Coroutine[Any, Any, None]) -> None:
        TwoMarkets.step_count += 1
        self.loop.run_until_complete(work)

    @rule(actor=_actors, operation=_any, pack=_any)
    def ask(self, actor: Actor, operation: int, pack: int) -> None:
        self._step(self.lives.ask(actor, operation, pack))

    @rule(actor=_actors, operation=_any, pack=_any)
    def ask_again(self, actor: Actor, operation: int, pack: int) -> None:
        """Twice the same: repeats, and undo after it."""
        self._step(self.lives.ask(actor, operation, pack))
        self._step(self.lives.ask(actor, operation, pack))

    @rule(actor=_actors, operation=_any, pack=_any, what=st.sampled_from(MISREADINGS))
    def misread(self, actor: Actor, operation: int, pack: int, what: str) -> None:
        self._step(self.lives.misread(actor, operation, pack, what))

    @rule(actor=_actors, other=_any, pack=_any, operations=st.lists(_any, min_size=2, max_size=2))
    def two_at_once_in_one_market(
        self, actor: Actor, other: int, pack: int, operations: list[int]
    ) -> None:
        self._step(self.lives.at_once_here(actor, other, pack, operations))

    @rule(pack=_any, in_ireland=_few_requests, in_poland=_few_requests)
    def two_markets_at_once(
        self, pack: int, in_ireland: list[tuple[int, int]], in_poland: list[tuple[int, int]]
    ) -> None:
        requests = {"IE": in_ireland, "PL": in_poland}
        self._step(self.lives.at_once_in_both(pack, requests))

    @rule(actor=_actors, pack=_any, repeats=st.integers(0, 1), elsewhere=_few_requests)
    def a_lock_then_two_markets_at_once(
        self, actor: Actor, pack: int, repeats: int, elsewhere: list[tuple[int, int]]
    ) -> None:
        requests = dict.fromkeys(MARKETS, elsewhere)
        self._step(self.lives.after_a_lock(actor, pack, repeats, requests))

    @rule(hours=st.sampled_from([1, 20, 100, 241]))
    def wait(self, hours: int) -> None:
        self._step(self.lives.wait(hours))

    @rule(batch=_any, chance=_seldom)
    def wait_for_warsaw(self, batch: int, chance: int) -> None:
        if not chance:
            self._step(self.lives.wait_for_warsaw(batch))

    @rule(batch=_any, markets=_some_markets, chance=_seldom)
    def recall(self, batch: int, markets: tuple[str, ...], chance: int) -> None:
        if not chance:
            self._step(self.lives.recall(batch, markets))

    @rule(product=_any, markets=_some_markets, chance=_seldom)
    def withdraw(self, product: int, markets: tuple[str, ...], chance: int) -> None:
        if not chance:
            self._step(self.lives.withdraw(product, markets))

    @rule(batch=_any, count=st.integers(0, 2))
    def upload(self, batch: int, count: int) -> None:
        self._step(self.lives.upload(batch, count))

    @rule()
    def settle(self) -> None:
        self._step(self.lives.settle())

    def teardown(self) -> None:
        self.loop.run_until_complete(self.lives.end())


def run(dsn: str, schema_name: str, *, examples: int, steps: int) -> int:
    """Run the machine over one pair of markets; return how many steps were made in all."""
    # Crashes are other tests' business: commits need not wait for the disk.
    dsn += "&synchronous_commit=off"
    with asyncio.Runner() as runner:
        TwoMarkets.loop = runner.get_loop()
        TwoMarkets.stand = Stand(dsn, schema_name)
        runner.run(TwoMarkets.stand.start())
        try:
            run_state_machine_as_test(
                TwoMarkets,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=steps,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    database=None,
                ),
            )
        finally:
            runner.run(TwoMarkets.stand.markets.stop())
    return TwoMarkets.step_count


def test_packs_of_two_markets_live_as_the_rules_say(
    postgres: EmbeddedPostgres, schema_name: str
) -> None:
    run(postgres.dsn("emvs"), schema_name, examples=5, steps=40)


@pytest.mark.bench
@pytest.mark.timeout(6 * 3600)
def test_packs_of_two_markets_live_as_the_rules_say_for_long(
    postgres: EmbeddedPostgres, schema_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make machine`: as many steps as MACHINE_STEPS says, 20,000 unless told otherwise."""
    wanted = int(os.environ.get("MACHINE_STEPS", "20000"))
    for number in itertools.count():
        count = run(postgres.dsn("emvs"), f"{schema_name}_{number}", examples=40, steps=60)
        with capsys.disabled():
            print(f"{count} steps, nothing found")  # noqa: T201 - what a long run tells.
        if count >= wanted:
            return
