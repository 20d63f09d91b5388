"""The agreed examples of callbacks: bodies, and signatures that an independent tool made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from emvs.callback_messages import (
    NOTICE_TYPES,
    Notice,
    RecallNotice,
    StatusNotice,
    WithdrawalNotice,
)
from emvs.callback_signatures import is_signed, sign

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "callbacks.json").read_text()
)
CONTENTS: dict[str, Any] = {"RCBR": RecallNotice, "WDPR": WithdrawalNotice, "STIV": StatusNotice}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_bodies_are_what_was_agreed(vector: dict[str, Any]) -> None:
    body = vector["body"].encode()
    notice = msgspec.json.decode(body, type=Notice)
    assert notice.messageType in NOTICE_TYPES
    if kind := CONTENTS.get(notice.messageType):
        content = msgspec.convert(notice.content, kind)
        assert msgspec.to_builtins(content) == notice.content
    assert msgspec.json.encode(notice) == body


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_signatures_are_what_was_agreed(vector: dict[str, Any]) -> None:
    secret, timestamp, body = vector["secret"], vector["timestamp"], vector["body"].encode()
    assert sign(secret, timestamp, body) == vector["signature"]
    assert is_signed(secret, timestamp, body, vector["signature"])
    wrong = [
        (secret + "x", timestamp, body, vector["signature"]),
        (secret, timestamp + "0", body, vector["signature"]),
        (secret, timestamp, body + b" ", vector["signature"]),
        (secret, timestamp, body, vector["signature"].removeprefix("v1=")),
        (secret, timestamp, body, ""),
        (secret, timestamp, body, "v1=ä\udcff"),
    ]
    for parts in wrong:
        assert not is_signed(*parts), parts
