"""Thousands of damaged messages: each gets a reply that fits the schema, or a fault."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from lxml import etree

from nmvs.soap.bulk_messages import BulkCall
from nmvs.soap.messages import AccountCall, PackCall, PingCall
from nmvs.soap.render import render_ping, render_refusal
from tests.unit.nmvs.soap.soap_messages import SCHEMAS, VECTORS, read

_MESSAGES = [path.read_bytes() for path in sorted(VECTORS.glob("*-request*.xml"))]
_PIECES = [
    b"&", b"<", b">", b'"', b"'", b"\x00", b"\xff", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?x?>",
    b"&#0;", b"&#x1F600;", b"&amp;", b"xmlns:t=''", b" t:x='1'", b"<t:Pack/>", b"</t:Body>", b"\n",
    b"<!DOCTYPE x []>", b"v4.0", b"v2.0", b"v1.0", "é".encode(), "\u2028".encode(), b"1" * 300,
]  # fmt: skip


def damaged(rng: random.Random, messages: Sequence[bytes] = _MESSAGES) -> bytes:
    """Return one of the messages with up to four pieces replaced."""
    message = bytearray(rng.choice(messages))
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(message)), rng.choice((0, 1, 1, 5, 40))
        piece = rng.choice((*_PIECES, bytes(message[at : at + 30]), b""))
        message[at : at + length] = piece
        if not message:
            message = bytearray(b"<")
    return bytes(message)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_is_answered_in_form(seed: int) -> None:
    rng = random.Random(seed)
    seen = set()
    for _ in range(500):
        call = read(damaged(rng))
        seen.add(type(call).__name__)
        if isinstance(call, PackCall):
            assert call.serial_number
            continue
        if isinstance(call, AccountCall | BulkCall):
            assert len(call.password) >= 8
            continue
        if isinstance(call, PingCall):
            reply, version = render_ping(call), call.endpoint.version
        else:
            reply, version = render_refusal(call, "0" * 32, 0), call.version
        (content,) = etree.fromstring(reply)[1]
        if not content.tag.endswith("}Fault"):
            assert SCHEMAS[version.number].validate(content), (
                reply,
                SCHEMAS[version.number].error_log,
            )
    assert "Refusal" in seen
    assert seen & {"PackCall", "AccountCall"}
