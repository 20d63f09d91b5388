"""Thousands of hostile messages to a real server: each is answered in form or hung up on, none is
a defect, and nothing of them stays in memory."""

from __future__ import annotations

import asyncio
import io
import random
import sys
from collections import Counter
from pathlib import Path

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


async def bombard(dsn: str, folder: Path, count: int) -> tuple[Counter[str], int]:
    """Send so many messages; return the codes, and the growth of memory once a fifth was sent."""
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
        before = 0
        for start in range(0, count, ROUND):
            rng = random.Random(start)
            codes += await send_all(running, [hostile(rng) for _ in range(ROUND)])
            await restore(running)
            if not before and start + ROUND >= count // 5:
                before = resident_bytes(process)
        growth = resident_bytes(process) - before
        assert (await Till(running).ask("G110", "NOBODY")).code == "NC_PC_02"
        assert "listening" in process.log
        assert "request failed" not in process.log, process.log[-2_000:]
        assert "Traceback" not in process.log, process.log[-2_000:]
    return codes, growth


def check(codes: Counter[str], growth: int, count: int) -> None:
    assert codes.total() == count
    assert {"NMVS_TE_XM_01", "NMVS_TE_XM_02", "fault NMVS_TE_XM_02"} <= codes.keys()
    assert {"NMVS_SUCCESS", "fault NMVS_FE_TX_07"} <= codes.keys()  # Some are still good.
    assert codes["closed"] < count / 100, codes
    # Names that strangers invent are kept, up to a budget (nmvs.soap.reader).
    assert growth < 24 * 1024 * 1024, growth


async def test_hostile_messages_are_answered_in_form(dsn: str, tmp_path: Path) -> None:
    codes, growth = await bombard(dsn, tmp_path, 1_500)
    check(codes, growth, 1_500)


@pytest.mark.bench
@pytest.mark.timeout(600)
async def test_ten_thousand_hostile_messages_are_answered_in_form(dsn: str, tmp_path: Path) -> None:
    codes, growth = await bombard(dsn, tmp_path, 10_000)
    sys.stdout.write(f"growth {growth / 1e6:.1f} MB\n{codes.most_common()}\n")
    check(codes, growth, 10_000)
