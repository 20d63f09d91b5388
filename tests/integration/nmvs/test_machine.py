"""Random operations by several participants on a few packs, against a plain model.

The model is written from the rules' text, not from the code (`tests.integration.pack_model`). After
each run the index equals the database and the audit trail holds every answer. Two markets and the
hub between them: `tests/acceptance/machine`.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.outcomes import Outcome
from emvs.scheme import Scheme
from emvs.states import Operation, State
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from nmvs.participants import Participant
from nmvs.requests import PackRequest
from tests.integration.pack_model import ModelPack, may, what_comes
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

_numbers = itertools.count(1)
_OPERATIONS = [operation for operation in Operation if operation is not Operation.CHECK_OUT]


class Model:
    """The rules in plain words: `pack_model`, and what batch and product add."""

    def __init__(self) -> None:
        self.recalled: set[str] = set()

    def expect(
        self, pack: ModelPack, operation: Operation, who: Participant, now_s: int
    ) -> Outcome:
        """Return what must come of it, and change the pack accordingly."""
        if not may(who.role.value, operation):
            return Outcome.NOT_PERMITTED
        inactive = State.RECALLED if pack.batch in self.recalled else None
        return what_comes(pack, operation, who.number, now_s=now_s, inactive=inactive)


class PackLives(RuleBasedStateMachine):
    """One national system; every rule is one request."""

    dsn: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.answered = 0
        self.model = Model()
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        config = NmvsConfig(
            market="IE",
            dsn=self.dsn,
            schema=f"machine_{next(_numbers)}",
            interconnect_token=INTERCONNECT_TOKEN,
            packs_max=100_000,
            password_hash_cost_log2=6,
            dialects=("rest",),  # type: ignore[arg-type] # Converted as from a file.
        )
        self.system = NationalSystem(config)
        await self.system.__aenter__()
        self.http = aiohttp.ClientSession()
        self.running = RunningSystem(self.http, self.system.ports, passwords_expire=False)
        self.packs: dict[str, ModelPack] = {}
        for batch in ("LOT1", "LOT2"):
            for serial in await self.running.load_packs(3, batch_id=batch):
                self.packs[serial] = ModelPack(batch)
        self.people: list[Participant] = []
        for number, kind in enumerate(("pharmacy", "pharmacy", "hospital", "wholesaler", "nca")):
            registration = await self.running.register(kind, number)
            client_id = registration["rest"]["client_id"]
            client = self.system.directory.client(client_id)
            assert client is not None
            assert client.participant is not None
            self.people.append(client.participant)

    async def _ask(self, operation: Operation, serial: str, who: Participant) -> Outcome:
        answer = await self.system.operations.perform(
            PackRequest(
                operation=operation,
                participant=who,
                scheme=Scheme.GTIN,
                product_code=self.running.product_code,
                serial_number=serial,
                batch_id=self.packs[serial].batch,
                expiry=self.running.expiry,
            )
        )
        return answer.outcome

    @rule(
        operation=st.sampled_from(_OPERATIONS),
        pack=st.integers(0, 5),
        who=st.integers(0, 4),
    )
    def ask(self, operation: Operation, pack: int, who: int) -> None:
        serial = list(self.packs)[pack]
        participant = self.people[who]
        now_s = self.system.clock.now_s()
        before = self.packs[serial]
        expected = self.model.expect(before, operation, participant, now_s)
        outcome = self.loop.run_until_complete(self._ask(operation, serial, participant))
        assert outcome is expected, (operation, before)
        if outcome is not Outcome.NOT_PERMITTED:
            self.answered += 1

    @rule(hours=st.integers(1, 260))
    def wait(self, hours: int) -> None:
        self.loop.run_until_complete(self.running.advance_clock(hours * 3600))

    @rule(batch=st.sampled_from(["LOT1", "LOT2"]), chance=st.integers(0, 5))
    def recall(self, batch: str, chance: int) -> None:
        if chance or batch in self.model.recalled:
            return
        self.loop.run_until_complete(
            self.running.deliver(
                "recalls",
                f"recall-{batch}",
                productCode=self.running.product_code,
                batchId=batch,
                reason="test",
            )
        )
        self.model.recalled.add(batch)

    @invariant()
    def memory_holds_what_the_model_holds(self) -> None:
        for serial, pack in self.packs.items():
            key = self.system.keys.key(self.running.product_code, serial)
            row = self.system.index.get(self.system.index.find(key))
            assert (row.state, row.repeat_count) == (pack.state, pack.repeats)

    def teardown(self) -> None:
        self.loop.run_until_complete(self._end())
        self.loop.close()

    async def _end(self) -> None:
        check = await self.running.ask_management("/check")
        entries = 0
        for serial in self.packs:
            trail: dict[str, Any] = await self.running.ask_management(
                "/trail", product_code=self.running.product_code, serial=serial
            )
            entries += len(trail["entries"])
        await self.http.close()
        await self.system.__aexit__()
        assert check["equal"], check
        assert entries == self.answered


def _run(postgres: EmbeddedPostgres, *, runs: int, steps: int) -> None:
    PackLives.dsn = postgres.dsn("emvs")
    run_state_machine_as_test(
        PackLives,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_packs_live_as_the_rules_say(postgres: EmbeddedPostgres) -> None:
    _run(postgres, runs=12, steps=60)


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_packs_live_as_the_rules_say_for_long(postgres: EmbeddedPostgres) -> None:
    _run(postgres, runs=100, steps=200)
