"""Which markets run, and with which dialects."""

from __future__ import annotations

import pytest

from emvs.errors import UsageError
from emvs.infra.launch import defaults
from emvs.infra.launch.markets_choice import MarketChoice, parse_markets
from emvs.markets import Dialect


def test_a_code_alone_stands_for_the_markets_own_dialect() -> None:
    assert parse_markets("AT, ie") == (
        MarketChoice("AT", (Dialect.SOAP,)),
        MarketChoice("IE", (Dialect.REST,)),
    )


def test_dialects_may_be_named_in_any_order() -> None:
    both = (Dialect.SOAP, Dialect.REST)
    assert parse_markets("FI:rest+SOAP") == (MarketChoice("FI", both),)


def test_the_default_has_two_soap_markets_a_rest_market_and_one_with_both() -> None:
    offered = [choice.dialects for choice in parse_markets(defaults.MARKETS)]
    assert offered.count((Dialect.SOAP,)) == 2
    assert offered.count((Dialect.REST,)) == 1
    assert offered.count((Dialect.SOAP, Dialect.REST)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one"),
        (" , ", "at least one"),
        ("XX", "no market"),
        ("IE,ie", "twice"),
        ("IE:", "soap+rest"),
        ("IE:fax", "soap+rest"),
        ("IE:soap+soap", "soap+rest"),
        ("LI", "Ask for CH"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("+", r"\+")):
        parse_markets(text)
