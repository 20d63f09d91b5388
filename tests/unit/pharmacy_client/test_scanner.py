"""Streams of scanners cut into scans, and a serial port made of a pseudo terminal."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pharmacy_client.errors import ProfileError
from pharmacy_client.scanner import SCAN_BYTES_MAX, ScanSplitter, decode_scan, read_port

GS1 = "]d201041500375286431727123110B1\x1d21SN1"
IFA = "]d1[)>\x1e06\x1d9N110375286414\x1d1TB1\x1dD271231\x1dSSN1\x1e\x04"


@given(
    st.lists(st.sampled_from([GS1, IFA, "4150037528643", "+d2ü"]), max_size=5),
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\t", b"\x03"]),
    st.integers(1, 30),
)
def test_any_suffix_and_any_pieces(texts: list[str], suffix: bytes, size: int) -> None:
    stream = b"".join(text.encode() + suffix for text in texts)
    splitter = ScanSplitter()
    found = []
    for start in range(0, len(stream), size):
        found += splitter.feed(stream[start : start + size])
    assert found == texts
    assert not splitter.is_waiting


def test_start_of_text_and_an_end_by_silence() -> None:
    splitter = ScanSplitter()
    assert splitter.feed(b"\x02" + GS1.encode()) == []
    assert splitter.is_waiting
    assert splitter.flush() == [GS1]
    assert splitter.flush() == []
    assert splitter.feed(b"\r\n\r\n \r") == []


def test_noise_without_end_is_bounded() -> None:
    splitter = ScanSplitter()
    for _ in range(100):
        assert splitter.feed(b"x" * 1000) == []
    (text,) = splitter.feed(b"\r")
    assert len(text) == SCAN_BYTES_MAX


def test_text_is_utf8_or_else_latin_1() -> None:
    assert decode_scan("ü".encode()) == decode_scan(b"\xfc") == "ü"


@pytest.fixture
def port() -> Iterator[tuple[int, Path]]:
    """A scanner's end, and the path of the computer's."""
    scanner, computer = os.openpty()
    tty.setraw(computer)
    yield scanner, Path(os.ttyname(computer))
    os.close(computer)
    os.close(scanner)


async def test_a_serial_port_is_read(port: tuple[int, Path]) -> None:
    scanner, path = port
    scans = read_port(path)
    first = asyncio.ensure_future(anext(scans))
    await asyncio.sleep(0)
    os.write(scanner, IFA.encode() + b"\r\n" + GS1.encode())
    async with asyncio.timeout(20):
        assert await first == IFA
        # Without a suffix it ends when the scanner falls silent.
        assert await anext(scans) == GS1
    await scans.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "baud", "words"),
    [
        (Path("/nonexistent/port"), 9600, "cannot be opened"),
        (Path("/dev/null"), 9600, "is no serial port"),
        (Path("/dev/null"), 123, "is no speed"),
    ],
)
async def test_what_is_no_port_is_told(path: Path, baud: int, words: str) -> None:
    with pytest.raises(ProfileError, match=words):
        await anext(read_port(path, baud))
