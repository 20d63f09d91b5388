"""The published matrix of hub release 1.16: which code each way to fill an element wrongly gets."""

from __future__ import annotations

import pytest

from emvs.obp_messages import ProductMessage
from hub.defects import Defects
from hub.facts import Sender
from hub.fields import FIELD_RULES, check_field
from hub.product_rules import judge_product

HOLDER = "markets[0].marketingAuthorisationHolder"


def spoil(message: ProductMessage, path: str, value: str | None) -> None:
    holder = message.markets[0].marketingAuthorisationHolder
    target: object = holder if path.startswith(HOLDER) else message
    setattr(target, path.rpartition(".")[2], value)


@pytest.mark.parametrize(
    ("path", "value", "rule", "code"),
    [
        ("commonName", None, "absent", "A16"),
        ("commonName", "", "empty", "I1"),
        ("commonName", "   ", "blank", "I1"),
        ("commonName", "x" * 256, "too_long", "I1"),
        (f"{HOLDER}.street", None, "absent", "I1"),
        (f"{HOLDER}.street", "", "empty", "A16"),
        (f"{HOLDER}.street", "  ", "blank", "A16"),
        (f"{HOLDER}.street", "x" * 1001, "too_long", "I1"),
        (f"{HOLDER}.street2", None, "absent", "I1"),
        (f"{HOLDER}.street2", "x" * 1001, "too_long", "I1"),
        (f"{HOLDER}.city", None, "absent", "I1"),
        (f"{HOLDER}.city", "", "empty", "A16"),
        (f"{HOLDER}.city", " ", "blank", "A16"),
        (f"{HOLDER}.city", "x" * 1001, "too_long", "I1"),
        (f"{HOLDER}.country", None, "absent", "I1"),
        ("name", None, "absent", "A16"),
        ("packType", "", "empty", "I1"),
    ],
)
def test_each_cell_gives_its_code(
    product_message: ProductMessage,
    sender: Sender,
    path: str,
    value: str | None,
    rule: str,
    code: str,
) -> None:
    spoil(product_message, path, value)
    defects = judge_product(product_message, None, sender).defects
    assert [(found.code, found.field, found.rule) for found in defects.listed] == [
        (code, path, rule)
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{HOLDER}.street2", ""),
        (f"{HOLDER}.street2", "  "),
        (f"{HOLDER}.street2", "x" * 1000),
        (f"{HOLDER}.id", None),
        ("commonName", "x" * 255),
        ("name", "Examplol\u00a010 mg"),
    ],
)
def test_these_cells_are_accepted(
    product_message: ProductMessage, sender: Sender, path: str, value: str | None
) -> None:
    spoil(product_message, path, value)
    assert not judge_product(product_message, None, sender).defects


@pytest.mark.parametrize("name", FIELD_RULES)
def test_no_element_may_hold_a_control_character(name: str) -> None:
    defects = Defects()
    check_field("a\0b", name, FIELD_RULES[name], defects)
    assert [(found.code, found.rule) for found in defects.listed] == [("I1", "control_character")]
    assert "\0" not in str(defects.listed[0].value)
