"""Cases less friendly than those that goals judge: many batches, messages of texts never met."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from emvs.serial_numbers import generate_serial_numbers
from loadtests.bench.requests import (
    Goods,
    Step,
    goods_templates,
    many_goods,
    new_text,
    new_text_templates,
    verifications,
)
from loadtests.bench.systems import MarketUnderTest
from loadtests.bench.wire_cases import LOOKS, MARKS, VERIFIED, Case
from loadtests.stand import load_packs

_PRODUCTS: Final = 20
_BATCHES: Final = 5
"""Of each product."""
_PACKS_PER_BATCH: Final = 400


async def many_batches(market: MarketUnderTest) -> Case:
    """Deliver packs of many products and batches; return the case that looks at them all."""
    rng = random.Random(6)  # noqa: S311 - packs.
    packs: list[str] = []
    for goods in many_goods(_PRODUCTS, _BATCHES):
        serials = generate_serial_numbers(_PACKS_PER_BATCH, rng=rng)
        code, batch = goods
        port = market.ports["interconnect"]
        await load_packs(port, serials, product_code=code, batch_id=batch)
        packs += [goods.spell(serial) for serial in serials]
    looks = verifications(packs, LOOKS)
    return Case(
        "verify REST, many batches",
        market.port,
        market.pid,
        goods_templates(market.port, market.token),
        lambda: looks,
        MARKS["REST"],
        "v",
        market,
        VERIFIED,
        spell=Goods().spell,
        is_beside=True,
    )


def new_texts(market: MarketUnderTest, serials: Sequence[str]) -> Case:
    """Return the case whose SOAP messages are each spelt in a way of their own."""
    looks = verifications(serials, LOOKS)
    return Case(
        "verify SOAP, new texts",
        market.port,
        market.pid,
        new_text_templates(market.port),
        lambda: [Step(letter, new_text(serial)) for letter, serial in looks],
        MARKS["SOAP"],
        "v",
        market,
        VERIFIED,
        spell=new_text,
        is_beside=True,
    )
