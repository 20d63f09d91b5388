"""Thousands of hostile messages to a real server: each is answered in form or hung up on, none is
a defect, and nothing of them stays in memory."""

from __future__ import annotations

import asyncio
import io
import random
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from lxml import etree

from nmvs.soap.schema import compile_schemas
from tests.integration.nmvs.soap_bulk_client import bulk_till
from tests.integration.nmvs.soap_raw_client import SOAP, Till
from tests.integration.processes import SystemProcess, running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem
from tests.unit.nmvs.soap.soap_damage import hostile

AT_ONCE = 8
ROUND = 500
_SCHEMAS = compile_schemas()


def resident_bytes(process: SystemProcess) -> int:
    return int(Path(f"/proc/{process.ready['pid']}/statm").read_text().split()[1]) * 4096


async def send(running: RunningSystem, message: bytes) -> str:
    """Send a message; return the code of the reply, which has the interface's form."""
    try:
        async with running.http.post(
            f"{running.service}/WS_X", data=io.BytesIO(message)
        ) as response:
            assert response.status == 200, (response.status, message)
            body = await response.read()
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
        return "closed"
    (content,) = etree.fromstring(body).find(f"{SOAP}Body")  # type: ignore[union-attr]
    is_fault = content.tag == f"{SOAP}Fault"
    if not is_fault:
        version = int(body[body.index(b"types.nmvs.eu:v") + 15 :][:1])
        assert _SCHEMAS[version].validate(content), (message, body, _SCHEMAS[version].error_log)
    code = next(content.iter("{*}ReturnCode"), None)
    if code is None:
        return "ping"
    name = f"{{{etree.QName(code).namespace}}}code"
    assert b"Internal error" not in body, (message, body)
    return f"{'fault ' if is_fault else ''}{code.attrib[name]}"


async def send_all(running: RunningSystem, messages: list[bytes]) -> Counter[str]:
    codes: Counter[str] = Counter()
    waiting = iter(messages)

    async def work() -> None:
        for message in waiting:
            codes[await asyncio.wait_for(send(running, message), 60)] += 1

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return codes


async def restore(running: RunningSystem) -> None:
    """Give the logins back what damaged messages have taken: passwords changed, users locked."""
    for client in ("PHARMACY00001", "WHOLESALER00001"):
        url = f"{running.management}/soap-logins/{client}/USER0001"
        async with running.http.put(
            f"{url}/password", json={"password": "Demo-Pass-1", "initial": False}
        ) as response:
            assert response.status == 200, await response.text()


class Outcome(NamedTuple):
    """What came of many messages."""

    codes: Counter[str]
    growth: int
    """Of memory, in bytes, since the first round."""
    growth_again: int
    """Of memory while the later half was sent once more."""


async def bombard(dsn: str, folder: Path, count: int) -> Outcome:
    """Send so many different messages, and the later half of them again."""
    config = {
        "market": "IE",
        "dsn": dsn,
        "schema": f"hostile_{count}",
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["soap"],
        "packs_max": 10_000,
        "password_hash_cost_log2": 6,
    }
    async with (
        running_process("nmvs", config, folder) as process,
        aiohttp.ClientSession() as http,
    ):
        running = RunningSystem(http, process.ready)
        await running.register("pharmacy", 1)
        await bulk_till(running)
        await running.load_packs(5)
        codes: Counter[str] = Counter()
        resident = []
        starts = range(0, count, ROUND)
        for start in (*starts, *starts[len(starts) // 2 :]):
            rng = random.Random(start)
            codes += await send_all(running, [hostile(rng) for _ in range(ROUND)])
            await restore(running)
            resident.append(resident_bytes(process))
        assert (await Till(running).ask("G110", "NOBODY")).code == "NC_PC_02"
        assert "listening" in process.log
        assert "request failed" not in process.log, process.log[-2_000:]
        assert "Traceback" not in process.log, process.log[-2_000:]
    first, last = resident[0], resident[len(starts) - 1]
    return Outcome(codes, last - first, resident[-1] - last)


def check(outcome: Outcome, *, growth_again_max: int) -> None:
    codes = outcome.codes
    assert {"NMVS_TE_XM_01", "NMVS_TE_XM_02", "fault NMVS_TE_XM_02"} <= codes.keys()
    assert {"NMVS_SUCCESS", "fault NMVS_FE_TX_07"} <= codes.keys()  # Some are still good.
    assert codes.total() > 1_000
    assert codes["closed"] < codes.total() / 100, codes
    # Names that strangers invent are kept, up to a budget (nmvs.soap.reader), and what large
    # messages need at the same time, once; nothing else is.
    assert outcome.growth < 96_000_000
    assert outcome.growth_again < growth_again_max


async def test_hostile_messages_are_answered_in_form(dsn: str, tmp_path: Path) -> None:
    check(await bombard(dsn, tmp_path, 1_000), growth_again_max=40_000_000)


@pytest.mark.bench
@pytest.mark.timeout(600)
async def test_ten_thousand_hostile_messages_are_answered_in_form(dsn: str, tmp_path: Path) -> None:
    outcome = await bombard(dsn, tmp_path, 10_000)
    sys.stdout.write(f"{outcome}\n")
    check(outcome, growth_again_max=16_000_000)
