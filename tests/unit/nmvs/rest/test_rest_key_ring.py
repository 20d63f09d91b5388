"""The signing keys' turns."""

from __future__ import annotations

from emvs.infra.clock import MovableClock
from nmvs.rest.key_ring import KeyRing, make_key
from nmvs.rest.tokens import AccessTokens

NOW_S = 1_900_000_000
DAY_S = 86_400


def test_a_key_signs_for_its_life_and_proves_until_its_last_token_has_ended() -> None:
    first = make_key(NOW_S)
    ring = KeyRing([first], life_s=90 * DAY_S, overlap_s=DAY_S)
    assert ring.newest[0] == first.key_id
    assert not ring.is_due(NOW_S + 90 * DAY_S - 1)
    turn_s = NOW_S + 90 * DAY_S
    assert ring.is_due(turn_s)
    second = make_key(turn_s)
    ring.add(second)
    assert ring.newest[0] == second.key_id
    assert not ring.is_due(turn_s)
    assert ring.forget_retired(turn_s + DAY_S - 1) == []
    assert ring.get(first.key_id) is not None
    assert [key["kid"] for key in ring.published()] == [second.key_id, first.key_id]
    assert ring.forget_retired(turn_s + DAY_S) == [first.key_id]
    assert ring.get(first.key_id) is None
    assert [key["kid"] for key in ring.published()] == [second.key_id]


def test_the_last_key_is_never_forgotten() -> None:
    ring = KeyRing([make_key(0)], life_s=1, overlap_s=1)
    assert ring.forget_retired(NOW_S) == []


def test_only_public_parts_are_published() -> None:
    (key,) = KeyRing([make_key(0)], life_s=1, overlap_s=1).published()
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")


def test_a_token_of_the_old_key_counts_while_a_new_one_signs() -> None:
    clock = MovableClock()
    ring = KeyRing([make_key(0)], life_s=1, overlap_s=DAY_S)
    old = AccessTokens(ring, clock, issuer="i", life_s=DAY_S).issue("c-1")
    ring.add(make_key(clock.now_s()))
    fresh = AccessTokens(ring, clock, issuer="i", life_s=DAY_S)
    assert fresh.client_id_of(old, clock.now_s()) == "c-1"
    ring.forget_retired(clock.now_s() + DAY_S)
    restarted = AccessTokens(ring, clock, issuer="i", life_s=DAY_S)
    assert restarted.client_id_of(old, clock.now_s()) is None
    assert restarted.client_id_of(restarted.issue("c-1"), clock.now_s()) == "c-1"
