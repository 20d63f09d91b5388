"""Strangers cannot fill the memory: their names are kept in threads that end."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path

import pytest

from nmvs.soap.messages import PackCall, Refusal
from nmvs.soap.reader import Reader
from tests.unit.nmvs.soap.soap_messages import vector


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def read(reader: Reader, message: bytes) -> object:
    if not reader.reads_apart:
        return reader.read(message)
    reading: Awaitable[object] = reader.read_apart(message)
    return await reading


def invented(number: int) -> bytes:
    return b"<r>" + b"".join(b"<n%x/>" % (number * 5_000 + i) for i in range(5_000)) + b"</r>"


async def test_messages_are_read_apart_once_strangers_have_spent_their_budget() -> None:
    reader = Reader(strange_bytes_max=1_000)
    assert isinstance(await read(reader, b"<x>" + 600 * b"x"), Refusal)
    assert not reader.reads_apart
    assert isinstance(await read(reader, vector("g110-request")), PackCall)
    assert not reader.reads_apart
    for _ in range(3):
        assert isinstance(await read(reader, b"<x>" + 600 * b"x"), Refusal)
        assert isinstance(await read(reader, vector("g110-request")), PackCall)
    assert reader.reads_apart


async def test_a_login_that_is_refused_counts_as_a_stranger() -> None:
    reader = Reader(strange_bytes_max=1_000)
    reader.distrust(1_001)
    assert reader.reads_apart


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_two_million_invented_tags_leave_no_trace() -> None:
    reader = Reader(strange_bytes_max=200_000)
    for number in range(40):  # The budget, and what the threads need once.
        await read(reader, invented(number))
    before = resident_bytes()
    for number in range(40, 440):
        assert isinstance(await read(reader, invented(number)), Refusal)
    # Kept in one dictionary they would take 360 MB.
    assert resident_bytes() - before < 40_000_000
