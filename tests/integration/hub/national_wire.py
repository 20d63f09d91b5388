"""The other end of the hub's wires: a small real HTTP server that speaks `emvs.interconnect`.

It can be told to misbehave, and applies a delivery once, as a national system must.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
from aiohttp import web

from emvs.interconnect import (
    DeliveryResult,
    IntermarketAnswer,
    IntermarketRequest,
    PacksDelivery,
    RefusedSerial,
)
from emvs.state_deliveries import OutcomeRun, PackAlert, StatesDelivery, StatesResult

_UNKNOWN = ("SERIAL_UNKNOWN", None)
WIRE_TOKEN = "token-of-the-hub-at-the-wire"


class NationalWire:
    """One national system, seen from the hub."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.url = ""
        self.attempts: list[str] = []
        """Delivery ids in the order in which they came, repeats included."""
        self.applied: dict[str, tuple[str, Any]] = {}
        """Delivery id to kind and message, in the order in which they took effect."""
        self.results: dict[str, DeliveryResult] = {}
        self.stored: set[tuple[str, str]] = set()
        self.faults: list[str] = []
        """Taken from the front, one for each delivery that comes: drop_before, drop_after, slow,
        or an HTTP status."""
        self.failing_kind: str | None = None
        """Deliveries of this kind are answered with 500."""
        self.open_gate = asyncio.Event()
        """Deliveries wait while it is not set."""
        self.open_gate.set()
        self.in_flight = self.in_flight_max = 0
        self.refusal: str | None = None
        self.instead: dict[str, Any] | None = None
        """Members of the answer to whatever comes, right or wrong; nothing is applied then."""
        self.pack_answers: dict[str, tuple[str, str | None]] = {}
        """Outcome and state of serial numbers in state updates and verifications; others are
        unknown, which alerts unless the delivery is a silent one."""
        self.outcome = "SERIAL_UNKNOWN"
        self.counting = 0
        """Questions about batches that wait for `counts_gate`, and are refused then."""
        self.counts_gate = asyncio.Event()
        self.asked: list[IntermarketRequest] = []
        self.answer_wait_s = 0.0
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_put("/hub/v1/{kind}/{delivery_id}", self._deliver)
        app.router.add_post("/hub/v1/intermarket", self._intermarket)
        app.router.add_post("/hub/v1/batch-counts", self._count)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Stop listening: connections are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _deliver(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {WIRE_TOKEN}"
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight, self.in_flight_max)
        try:
            return await self._work(request)
        finally:
            self.in_flight -= 1

    async def _work(self, request: web.Request) -> web.StreamResponse:
        delivery_id = request.match_info["delivery_id"]
        self.attempts.append(delivery_id)
        body = await request.read()
        await self.open_gate.wait()
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "drop_before":
            return _hang_up(request)
        if fault == "slow":
            await asyncio.sleep(5)
        if request.match_info["kind"] == self.failing_kind:
            fault = "500"
        if fault.isdigit():
            return web.Response(status=int(fault), text="told to")
        if self.instead is not None:
            told = {"deliveryId": delivery_id, "accepted": True} | self.instead
            return web.Response(body=msgspec.json.encode(told))
        result = self._apply(request.match_info["kind"], delivery_id, body)
        if fault == "drop_after":
            return _hang_up(request)
        return web.Response(body=msgspec.json.encode(result))

    def _apply(self, kind: str, delivery_id: str, body: bytes) -> DeliveryResult:
        # A delivery of changes may have grown since it came: not its id, but what is in it counts.
        if delivery_id in self.results and kind != "changes":
            return self.results[delivery_id]
        if self.refusal:
            result = DeliveryResult(delivery_id, accepted=False, code=self.refusal, text="no")
        elif kind == "packs":
            packs = msgspec.json.decode(body, type=PacksDelivery)
            result = DeliveryResult(delivery_id, accepted=True)
            for serial_number in packs.serialNumbers:
                key = (packs.productCode, serial_number)
                if key in self.stored:
                    refused = RefusedSerial(serial_number, "NMVS_FE_SN_02")
                    result.refusedSerials.append(refused)
                else:
                    self.stored.add(key)
                    result.loadedCount += 1
        elif kind == "states":
            result = self._answer_packs(delivery_id, msgspec.json.decode(body, type=StatesDelivery))
        else:
            result = DeliveryResult(delivery_id, accepted=True)
        self.applied[delivery_id] = (kind, json.loads(body))
        self.results[delivery_id] = result
        return result

    def _answer_packs(self, delivery_id: str, asked: StatesDelivery) -> StatesResult:
        result = StatesResult(delivery_id, accepted=True)
        for position, serial_number in enumerate(asked.serialNumbers):
            outcome, state = self.pack_answers.get(serial_number, _UNKNOWN)
            result.runs.append(OutcomeRun(1, outcome, state))
            result.loadedCount += state is not None
            if state is None and not asked.silent:
                alert_id = f"{self.code}-AAA-BBB-CCC-DDD-EEE"
                result.alerts.append(PackAlert(position, alert_id))
        return result

    async def _count(self, _: web.Request) -> web.Response:
        self.counting += 1
        await self.counts_gate.wait()
        self.counting -= 1
        return web.Response(status=503)

    async def _intermarket(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {WIRE_TOKEN}"
        wanted = msgspec.json.decode(await request.read(), type=IntermarketRequest)
        self.asked.append(wanted)
        await asyncio.sleep(self.answer_wait_s)
        answer = IntermarketAnswer(wanted.requestId, self.code, self.outcome)
        return web.Response(body=msgspec.json.encode(answer))


def _hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
