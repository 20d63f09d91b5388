"""Access tokens, and the requests for them."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from emvs.errors import ConfigurationError
from emvs.infra.clock import MovableClock
from nmvs.rest.key_ring import KeyRing, StoredKey
from nmvs.rest.token_requests import ClientCredentials, read_credentials, render_token
from nmvs.rest.tokens import AccessTokens


def pem(curve: ec.EllipticCurve | None = None) -> str:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


KEY = pem()


KEY_ID = "key-1"
NOW_S = MovableClock().now_s


def ring(key: str = KEY) -> KeyRing:
    return KeyRing([StoredKey(KEY_ID, key, 0)], life_s=10**10, overlap_s=40_000)


def tokens(key: str = KEY, clock: MovableClock | None = None) -> AccessTokens:
    return AccessTokens(ring(key), clock or MovableClock(), issuer="nmvs-ie", life_s=32_767)


def test_a_token_tells_its_client() -> None:
    issuer = tokens()
    assert issuer.client_id_of(issuer.issue("c-1"), NOW_S()) == "c-1"


def test_a_token_survives_a_restart() -> None:
    assert tokens().client_id_of(tokens().issue("c-1"), NOW_S()) == "c-1"


def test_claims() -> None:
    clock = MovableClock()
    token = tokens(clock=clock).issue("c-1")
    claims = jwt.decode(token, ECKey.import_key(KEY), algorithms=["ES256"]).claims
    assert claims["iss"] == "nmvs-ie"
    assert claims["sub"] == claims["client_id"] == "c-1"
    assert claims["exp"] - claims["iat"] == 32_767
    assert abs(claims["iat"] - clock.now_s()) <= 2
    assert len(claims["jti"]) == 32


def test_a_token_ends_when_the_systems_clock_says_so() -> None:
    clock = MovableClock()
    issuer, other = tokens(clock=clock), tokens(clock=clock)
    token = issuer.issue("c-1")
    clock.advance(32_760)
    assert issuer.client_id_of(token, clock.now_s()) == "c-1"
    clock.advance(7)
    assert issuer.client_id_of(token, clock.now_s()) is None
    assert other.client_id_of(token, clock.now_s()) is None
    assert issuer.client_id_of(issuer.issue("c-1"), clock.now_s()) == "c-1"


def test_clients_have_different_tokens_and_later_ones_are_new() -> None:
    clock = MovableClock()
    issuer = tokens(clock=clock)
    first = issuer.issue("c-1")
    assert issuer.issue("c-2") != first
    clock.advance(1)
    assert issuer.issue("c-1") != first


def test_tokens_of_others_are_refused() -> None:
    issuer = tokens()
    claims = {"iss": "nmvs-ie", "client_id": "c-1", "exp": 2**40}
    key = ECKey.import_key(KEY)
    head = {"alg": "ES256", "kid": KEY_ID}
    good = jwt.encode(head, claims, key)
    assert issuer.client_id_of(good, NOW_S()) == "c-1"
    header, payload, signature = good.split(".")
    unsigned = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": KEY_ID}).encode())
        .decode()
        .strip("=")
    )
    forged = [
        tokens(pem()).issue("c-1"),
        jwt.encode(head, claims | {"iss": "nmvs-fi"}, key),
        jwt.encode(head, {"iss": "nmvs-ie", "exp": 2**40}, key),
        jwt.encode(head, {"iss": "nmvs-ie", "client_id": "c-1"}, key),
        jwt.encode(head, claims | {"exp": 1}, key),
        jwt.encode({"alg": "ES256"}, claims, key),
        jwt.encode(head | {"kid": "key-2"}, claims, key),
        jwt.encode({"alg": "HS256", "kid": KEY_ID}, claims, OctKey.generate_key(256)),
        f"{unsigned}.{payload}.",
        f"{unsigned}.{payload}.{signature}",
        f"{header}.{payload[:-2]}.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}",
        good + "." + signature,
        good + "=" * 3_000,
        "",
        ".",
        "..",
        "...",
        "abc",
        "\udcff\udcfe",
    ]
    for token in forged:
        assert issuer.client_id_of(token, NOW_S()) is None, token


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")))
def test_no_token_raises(token: str) -> None:
    assert _ISSUER.client_id_of(token, NOW_S()) is None


_ISSUER = tokens()


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_no_header_raises(header: object) -> None:
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().strip("=")
    assert _ISSUER.client_id_of(f"{encoded}.e30.AAAA", NOW_S()) is None


def test_memory_for_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nmvs.rest.tokens._REMEMBERED_COUNT_MAX", 3)
    issuer = tokens()
    issued = [issuer.issue(f"c-{number}") for number in range(10)]
    assert len(issuer._proven) == 3
    assert issuer.client_id_of(issued[0], NOW_S()) == "c-0", "a forgotten token is proven again"
    assert len(issuer._proven) == 3


@pytest.mark.parametrize("key", ["", "no key", pem(ec.SECP384R1())])
def test_a_wrong_signing_key_is_told_at_the_start(key: str) -> None:
    with pytest.raises(ConfigurationError, match="signing key"):
        tokens(key)


def test_a_public_key_cannot_sign() -> None:
    public = ECKey.import_key(KEY).as_pem(private=False).decode()
    with pytest.raises(ConfigurationError, match="private"):
        tokens(public)


BASIC = "Basic " + base64.b64encode(b"c-1:s:1").decode()


@pytest.mark.parametrize(
    ("authorization", "body", "expected"),
    [
        (
            None,
            b"grant_type=client_credentials&client_id=c-1&client_secret=s%3A1",
            ClientCredentials("c-1", "s:1"),
        ),
        (
            "Bearer eyJ",
            b"client_secret=s+1&client_id=c-1&grant_type=client_credentials&scope=x",
            ClientCredentials("c-1", "s 1"),
        ),
        (BASIC, b"grant_type=client_credentials", ClientCredentials("c-1", "s:1")),
        (
            BASIC.replace("Basic", "basic"),
            b"grant_type=client_credentials\r\n".strip(),
            ClientCredentials("c-1", "s:1"),
        ),
        ("Basic ???", b"grant_type=client_credentials", "invalid_client"),
        ("Basic /////w==", b"grant_type=client_credentials", "invalid_client"),
        ("Basic YWJj", b"grant_type=client_credentials", "invalid_client"),
        (None, b"grant_type=client_credentials", "invalid_client"),
        (None, b"grant_type=client_credentials&client_id=&client_secret=", "invalid_client"),
        (None, b"grant_type=refresh_token&refresh_token=x", "unsupported_grant_type"),
        (BASIC, b"", "invalid_request"),
        (None, b"", "invalid_request"),
        (None, b'{"grant_type":"client_credentials"}', "invalid_request"),
        (None, b"\xff\xfe", "invalid_request"),
        (None, b"grant_type=%ff", "invalid_request"),
        (None, b"&".join([b"a=1"] * 10_000), "invalid_request"),
    ],
)
def test_credentials(
    authorization: str | None, body: bytes, expected: ClientCredentials | str
) -> None:
    assert read_credentials(authorization, body) == expected


@given(st.none() | st.text().map("Basic {}".format), st.binary(max_size=100))
def test_no_token_request_raises(authorization: str | None, body: bytes) -> None:
    read_credentials(authorization, b"grant_type=client_credentials&" + body)


def test_token_answer() -> None:
    assert render_token("eyJ", life_s=32_767, scope="nmvs") == (
        b'{"access_token":"eyJ","expires_in":32767,"token_type":"Bearer","scope":"nmvs"}'
    )


@pytest.mark.parametrize("header", [{"crit": 5}, {"crit": None}, {"crit": [[]]}, {"kid": {}}, []])
def test_a_header_of_odd_form_proves_nothing(header: object) -> None:
    issuer = tokens()
    _, claims, signature = issuer.issue("c-1").split(".")
    if isinstance(header, dict):
        header = {"alg": "ES256", "kid": KEY_ID} | header
    odd = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    assert issuer.client_id_of(f"{odd}.{claims}.{signature}", NOW_S()) is None
