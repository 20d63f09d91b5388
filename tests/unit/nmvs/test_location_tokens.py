"""Tokens that stand for locations: the same for one place, of no use without the secret."""

from __future__ import annotations

from nmvs.location_tokens import LocationTokens

TOKENS = LocationTokens(b"s" * 32)


def test_a_location_s_token_tells_nothing_without_the_secret() -> None:
    token = TOKENS.of_location("AT", "lion")
    assert token == TOKENS.of_location("AT", "lion")
    assert "lion" not in token
    others = [
        TOKENS.of_location("AT", "lions"),
        TOKENS.of_location("ATl", "ion"),
        TOKENS.of("group", "AT", "lion"),
        LocationTokens(b"t" * 32).of_location("AT", "lion"),
    ]
    assert token not in others


def test_tokens_that_left_the_market_stay_the_same() -> None:
    # A manufacturer holds new alerts against old ones.
    assert TOKENS.of_location("AT", "lion") == "1390a4074ed81e13f4e36d8ae45e4f2d"
