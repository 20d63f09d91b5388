"""Thousands of damaged messages: each gets a reply that fits the schema, or a fault."""

from __future__ import annotations

import random

import pytest
from lxml import etree

from nmvs.soap.bulk_messages import BulkCall
from nmvs.soap.messages import AccountCall, PackCall, PingCall
from nmvs.soap.render import render_ping, render_refusal
from tests.unit.nmvs.soap.soap_damage import damaged, hostile
from tests.unit.nmvs.soap.soap_messages import SCHEMAS, read


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_is_answered_in_form(seed: int) -> None:
    rng = random.Random(seed)
    seen = set()
    for number in range(500):
        call = read(damaged(rng) if number % 2 else hostile(rng))
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
