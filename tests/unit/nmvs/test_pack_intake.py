"""A delivery's packs as rows of COPY: each new one once, in order of its key, the rest refused."""

import asyncio
import struct

import msgspec
import pytest

from emvs.interconnect import DeliveryResult
from emvs.scanner_hints import shape_of
from nmvs.pack_index import PackIndex, PackIndexFullError
from nmvs.pack_intake import PackIntake
from nmvs.pack_keys import PackKeys

PRODUCT_CODE = "09506000134376"
KEYS = PackKeys(b"a secret of the market")
SERIALS = [f"SN{number:06}" for number in range(20_000)]
"""More than the first part."""


def intake_of(serial_numbers: list[str], index: PackIndex) -> tuple[PackIntake, bytes]:
    intake = PackIntake(KEYS, index, PRODUCT_CODE, serial_numbers)

    async def take() -> bytes:
        return b"".join([part async for part in intake.rows(7)])

    return intake, asyncio.run(take())


def rows_of(copied: bytes) -> list[tuple[bytes, str, int]]:
    """Read the binary form of COPY as PostgreSQL's documentation tells it."""
    assert copied[:11] == b"PGCOPY\n\xff\r\n\x00"
    at = 19
    rows = []
    while (count := struct.unpack_from(">h", copied, at)[0]) != -1:
        at += 2
        fields = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", copied, at)
            fields.append(copied[at + 4 : at + 4 + length])
            at += 4 + length
        rows.append((fields[0], fields[1].decode(), int.from_bytes(fields[2])))
    assert at + 2 == len(copied)
    return rows


def result_of(intake: PackIntake) -> DeliveryResult:
    return msgspec.json.decode(intake.result_json("d1"), type=DeliveryResult)


def test_rows_are_the_packs_with_their_keys_and_batch() -> None:
    intake, copied = intake_of(SERIALS, PackIndex(50_000))
    rows = rows_of(copied)
    assert sorted(rows) == sorted((KEYS.key(PRODUCT_CODE, s), s, 7) for s in SERIALS)
    assert b"".join(intake.new_keys) == KEYS.keys(PRODUCT_CODE, SERIALS)
    assert (intake.new_count, result_of(intake).refusedSerials) == (len(SERIALS), [])
    assert intake.shape == shape_of(SERIALS)


def test_rows_of_a_part_come_in_order_of_their_keys() -> None:
    _, copied = intake_of(SERIALS, PackIndex(50_000))
    keys = [key for key, _, _ in rows_of(copied)]
    assert [at for at in range(1, len(keys)) if keys[at] < keys[at - 1]] == [16_384]


def test_serial_numbers_of_several_lengths_keep_their_keys() -> None:
    mixed = [serial[: 3 + number % 6] + str(number) for number, serial in enumerate(SERIALS)]
    _, copied = intake_of(mixed, PackIndex(50_000))
    assert sorted(rows_of(copied)) == sorted((KEYS.key(PRODUCT_CODE, s), s, 7) for s in set(mixed))


def test_one_that_comes_again_in_a_later_part_is_taken_once() -> None:
    intake, copied = intake_of([*SERIALS, SERIALS[0], SERIALS[19_999]], PackIndex(50_000))
    assert len(rows_of(copied)) == intake.new_count == len(SERIALS)
    assert result_of(intake).refusedSerials == []


def test_known_and_malformed_ones_are_refused() -> None:
    index = PackIndex(50_000)
    index.insert(KEYS.key(PRODUCT_CODE, SERIALS[3]), 1)
    intake, copied = intake_of([*SERIALS, "sp ace", "", "nul\0"], index)
    assert SERIALS[3] not in {serial for _, serial, _ in rows_of(copied)}
    result = result_of(intake)
    assert (result.deliveryId, result.accepted) == ("d1", True)
    assert {(pack.serialNumber, pack.code) for pack in result.refusedSerials} == {
        (SERIALS[3], "NMVS_FE_SN_02"),
        ("sp ace", "NMVS_FE_SN_01"),
        ("", "NMVS_FE_SN_01"),
        ("nul\N{SYMBOL FOR NULL}", "NMVS_FE_SN_01"),
    }
    assert intake.new_count == result.loadedCount == len(SERIALS) - 1


def test_no_more_are_taken_than_the_index_has_room_for() -> None:
    with pytest.raises(PackIndexFullError):
        intake_of(SERIALS, PackIndex(len(SERIALS) - 1))
    intake, _ = intake_of(SERIALS, PackIndex(len(SERIALS)))
    assert intake.new_count == len(SERIALS)


def test_nothing_of_a_delivery_without_new_packs() -> None:
    intake, copied = intake_of([], PackIndex(10))
    assert rows_of(copied) == []
    assert (intake.new_count, intake.shape) == (0, None)
