"""Packed bodies: whatever arrives in whatever pieces, the whole body comes out or an error."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.errors import BadRequestError, UnsupportedMediaError
from emvs.infra.unpacking import PIECE_BYTES_MAX, Unpacker


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "gzip in two members": lambda body: gzip.compress(body[:7]) + gzip.compress(body[7:]),
    "deflate": zlib.compress,
    "deflate without its header": raw_deflate,
}
BODY = b"gtin,serialNumber\n" + b"".join(b"09520000000007,S%d\n" % n for n in range(2_000))


def unpacked(packed: bytes, coding: str, step: int) -> bytes:
    unpacker = Unpacker(coding)
    pieces = []
    for start in range(0, len(packed), step):
        unpacker.put(packed[start : start + step])
        while piece := unpacker.take():
            pieces.append(piece)
    unpacker.finish()
    return b"".join(pieces)


@pytest.mark.parametrize("form", PACKED)
@given(step=st.integers(1, 5_000), body=st.binary(max_size=300))
def test_a_body_comes_out_whole(form: str, step: int, body: bytes) -> None:
    coding = form.split(maxsplit=1)[0]
    for whole in (BODY, body):
        assert unpacked(PACKED[form](whole), coding, step) == whole


@pytest.mark.parametrize("form", PACKED)
@given(data=st.data())
def test_a_body_that_was_cut_off_is_none(form: str, data: st.DataObject) -> None:
    packed = PACKED[form](BODY)
    ends = {len(gzip.compress(BODY[:7]))} if "two" in form else set()  # A whole member.
    end = data.draw(st.integers(1, len(packed) - 1).filter(lambda end: end not in ends))
    with pytest.raises(BadRequestError, match="ends early or its compression is broken"):
        unpacked(packed[:end], form.split(maxsplit=1)[0], data.draw(st.integers(1, 5_000)))


@pytest.mark.parametrize("form", PACKED)
def test_what_follows_a_body_is_not_taken(form: str) -> None:
    with pytest.raises(BadRequestError):
        unpacked(PACKED[form](BODY) + b"more", form.split(maxsplit=1)[0], 100)


@pytest.mark.parametrize("form", PACKED)
def test_a_body_that_unpacks_to_much_comes_in_pieces(form: str) -> None:
    unpacker = Unpacker(form.split(maxsplit=1)[0])
    unpacker.put(PACKED[form](bytes(3 * PIECE_BYTES_MAX + 1)))
    sizes = []
    while piece := unpacker.take():
        sizes.append(len(piece))
    unpacker.finish()
    assert max(sizes) <= PIECE_BYTES_MAX
    assert sum(sizes) == 3 * PIECE_BYTES_MAX + 1


def test_nothing_is_nothing() -> None:
    assert unpacked(b"", "gzip", 1) == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "GZIP", ""])
def test_other_codings_are_named(coding: str) -> None:
    with pytest.raises(UnsupportedMediaError, match="send gzip, deflate or none"):
        Unpacker(coding)
