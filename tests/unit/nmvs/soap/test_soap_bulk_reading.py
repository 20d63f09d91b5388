"""Reading bulks: whole and piece by piece, with one result; open names; kinds of items."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from nmvs.bulk.jobs import decode_items
from nmvs.soap.bulk_messages import BulkCall, BulkPacks, MixedItems
from nmvs.soap.bulk_stream import BulkStream, Checks, UnfitError
from nmvs.soap.envelope import from_its_start
from nmvs.soap.interface import INFERRED, OpenNames
from nmvs.soap.messages import Frame
from nmvs.soap.mixed_items import KINDS
from tests.unit.nmvs.soap.soap_damage import damaged
from tests.unit.nmvs.soap.soap_messages import changed, read, refusal, vector

CHECKS = Checks(INFERRED)
NAMES = ("g115-request", "g195-request")


def streamed(message: bytes, step: int = 100) -> BulkCall:
    stream = BulkStream(CHECKS, INFERRED)
    message = from_its_start(message)
    for start in range(0, len(message), step):
        stream.feed(message[start : start + step])
    if stream.opening is None:  # Else the intake would have stopped before.
        raise UnfitError("TE_XM_02", "no header")
    return stream.close()


def content(call: object) -> object:
    """Return what can be compared."""
    assert isinstance(call, BulkCall)
    packs = call.packs
    if isinstance(packs, BulkPacks):
        return call[:3], packs.common, packs.serials.numbers, packs.serials.twice
    if isinstance(packs, MixedItems):
        return call[:3], [decode_items(stored) for stored in packs.slices.finish()]
    return call


@pytest.mark.parametrize("step", [1, 7, 100, 100_000])
@pytest.mark.parametrize("name", NAMES)
def test_a_message_says_the_same_in_pieces(name: str, step: int) -> None:
    assert content(streamed(vector(name), step)) == content(read(vector(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_sub_user_that_is_too_long_has_its_code_in_pieces_too(name: str) -> None:
    login = b"</y:Password>"
    message = vector(name)
    assert message.count(login) == 1
    message = message.replace(login, login + b"<y:SubUserId>" + 36 * b"x" + b"</y:SubUserId>")
    with pytest.raises(UnfitError) as unfit:
        streamed(message)
    whole = refusal(message)
    assert (unfit.value.code, unfit.value.description) == (whole.code, whole.description)
    assert whole.code == "FE_TX_06"


def altered(rng: random.Random, messages: Sequence[bytes]) -> bytes:
    """Return one of the messages with some characters replaced that are mostly parts of values."""
    message = bytearray(rng.choice(messages))
    places = [at for at, byte in enumerate(message) if chr(byte) in "0123456789\n"]
    for at in rng.sample(places, 3):
        message[at : at + 1] = rng.choice((b"1", b"7", b"x", b" ", b"<!-- -->"))
    return bytes(message)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_messages_are_taken_in_pieces_only_as_they_are_taken_whole(seed: int) -> None:
    rng = random.Random(seed)
    messages = [vector(name) for name in NAMES]
    taken = 0
    for number in range(400):
        message = damaged(rng, messages) if number % 2 else altered(rng, messages)
        whole = read(message)
        try:
            in_pieces = streamed(message, rng.choice((20, 300)))
        except UnfitError:
            assert not isinstance(whole, BulkCall)
        else:
            assert content(in_pieces) == content(whole)
            taken += 1
    assert 10 < taken < 390


def test_a_bulk_is_read() -> None:
    call = read(vector("g115-request", version=4))
    assert isinstance(call, BulkCall)
    assert isinstance(call.packs, BulkPacks)
    assert call.frame == Frame("WHOLESALER00001", "USER0001", None, "BULK-000001", "eng")
    assert call.packs.common == ("GTIN", "09506000134376", "LOT1", "301200", None)
    assert call.packs.serials.numbers == ["SERIAL-1", "A1&<"]
    assert call.packs.serials.twice is None


def test_a_ticket_is_read() -> None:
    for name in ("g188-request", "g196-request"):
        call = read(vector(name))
        assert isinstance(call, BulkCall)
        assert (call.ticket, call.packs) == ("0123456789abcdef0123456789abcdef", None)


def test_items_are_read() -> None:
    call = read(vector("g195-request"))
    assert isinstance(call, BulkCall)
    assert isinstance(call.packs, MixedItems)
    (stored,) = call.packs.slices.finish()
    items = decode_items(stored)
    assert [item.echo for item in items] == [b"G120 deu", b"G121 deu", b"G122 deu"]
    assert [item.manual for item in items] == [False, False, True]
    assert [item.batch_id for item in items] == ["LOT1", "LOT1", None]
    assert [item.reference_transaction_id for item in items] == [None, "ITEM-000001", None]
    assert {item.defect for item in items} == {""}


@pytest.mark.parametrize(
    ("name", "old", "new", "named"),
    [
        ("g115-request", 'y:sn="SERIAL-1"', 'y:sn="SERIAL 1"', "'sn'"),
        ("g195-request", 'y:reqType="G122"', 'y:reqType="G120"', "'reqType'"),
        ("g195-request", 'y:reqType="G120"', 'y:reqType="G115"', "'reqType'"),
        ("g195-request", "<y:ClientTrxId>ITEM-000002", "<y:ClientTrxId>2", "'ClientTrxId'"),
        ("g188-request", "0123456789abcdef01", "01", "'RefNMVSTrxId'"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_by_its_element(
    name: str, old: str, new: str, named: str
) -> None:
    message = changed(old, new, name=name)
    refused = refusal(message)
    assert refused.code == "TE_XM_02"
    assert named in refused.description
    if name in NAMES:
        with pytest.raises(UnfitError) as unfit:
            streamed(message)
        assert (unfit.value.code, unfit.value.description) == refused[:2]


def test_a_list_needs_a_member() -> None:
    message = vector("g115-request")
    start, end = message.index(b"<y:Pack "), message.index(b"</y:Packs>")
    empty = message[:start] + message[end:]
    assert "'Packs'" in refusal(empty).description
    with pytest.raises(UnfitError, match="'Packs'"):
        streamed(empty)


def test_a_document_type_is_refused_in_pieces_too() -> None:
    message = b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + vector("g115-request")
    with pytest.raises(UnfitError, match="document type"):
        streamed(message)


def test_request_types_name_operation_and_entry() -> None:
    assert KINDS["G172"][0].name == "LOCK"
    assert KINDS["G173"][0].name == "UNDO_LOCK"
    assert KINDS["G165"[:3] + "1"][0].name == "UNDO_FREE_SAMPLE"
    assert [KINDS[each].is_manual for each in ("G120", "G121", "G122", "G123")] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (OpenNames(), None),
        (OpenNames(ticket_list="G189"), None),
        (OpenNames(ticket_list="G120"), "ticket_list"),
        (OpenNames(ticket_list="<x>"), "ticket_list"),
        (OpenNames(manual_undo_item="Item"), "manual_undo_item"),
        (OpenNames(manual_undo_item=""), "manual_undo_item"),
    ],
)
def test_open_names_are_names_and_nobody_elses(names: OpenNames, problem: str | None) -> None:
    found = names.problem()
    assert found is None if problem is None else found is not None and problem in found
