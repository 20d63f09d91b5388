"""Tokens of the client: kept, renewed before their end, refused logins told apart from trouble."""

import asyncio
import json

import pytest

from emvs.markets import Dialect
from pharmacy_client import LoginRefusedError, Profile, ProtocolError, SystemUnreachableError
from pharmacy_client.exchange import HttpReply, HttpRequest
from pharmacy_client.tokens import TokenSource

PROFILE = Profile(
    dialect=Dialect.REST,
    url="https://api.example",
    token_url="https://api.example/connect/token",
    client_id="till-1",
    client_secret="top-secret",
)


class TokenService:
    """Hands out t1, t2 ... at the seam of the transport; `reply` overrides."""

    def __init__(self, *, expires_in: float | None = 3600) -> None:
        self.count = 0
        self.reply: HttpReply | None = None
        self._expires_in = expires_in

    async def send(self, request: HttpRequest) -> HttpReply:
        self.count += 1
        await asyncio.sleep(0)  # As a real one, it lets others run.
        if self.reply is not None:
            return self.reply
        body: dict[str, object] = {"access_token": f"t{self.count}", "token_type": "Bearer"}
        if self._expires_in is not None:
            body["expires_in"] = self._expires_in
        return HttpReply(200, {}, json.dumps(body).encode(), 1.0)

    async def close(self) -> None:
        pass


class Now:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("expires_in", "kept_s"), [(3600, 3540), (None, 3540), (100, 50), (30, 15)]
)
async def test_token_is_renewed_a_minute_early(expires_in: float | None, kept_s: float) -> None:
    now = Now()
    source = TokenSource(PROFILE, TokenService(expires_in=expires_in), now)
    assert await source.token() == "t1"
    now.seconds += kept_s - 1
    assert await source.token() == "t1"
    now.seconds += 1
    assert await source.token() == "t2"


async def test_many_callers_fetch_one_token() -> None:
    service = TokenService()
    source = TokenSource(PROFILE, service, Now())
    tokens = await asyncio.gather(*(source.token() for _ in range(50)))
    assert set(tokens) == {"t1"}
    assert service.count == 1


async def test_late_refusal_of_an_old_token_does_not_drop_the_new_one() -> None:
    service = TokenService()
    source = TokenSource(PROFILE, service, Now())
    old = await source.token()
    source.forget(old)
    new = await source.token()
    source.forget(old)
    assert await source.token() == new
    assert service.count == 2


@pytest.mark.parametrize("status", [400, 401])
async def test_refused_client(status: int) -> None:
    service = TokenService()
    service.reply = HttpReply(status, {}, b'{"error":"invalid_client"}', 1.0)
    with pytest.raises(LoginRefusedError, match="invalid_client") as caught:
        await TokenSource(PROFILE, service, Now()).token()
    assert caught.value.return_code == "invalid_client"
    assert caught.value.exchange is not None
    assert b"top-secret" not in caught.value.exchange.request


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"access_token":""}', b'{"access_token":"a\\r\\nb"}', b'{"access_token":1}'],
)
async def test_answer_without_a_token(body: bytes) -> None:
    service = TokenService()
    service.reply = HttpReply(200, {}, body, 1.0)
    with pytest.raises(ProtocolError):
        await TokenSource(PROFILE, service, Now()).token()


async def test_busy_token_service() -> None:
    service = TokenService()
    service.reply = HttpReply(503, {"retry-after": "7"}, b"", 1.0)
    with pytest.raises(SystemUnreachableError) as caught:
        await TokenSource(PROFILE, service, Now()).token()
    assert caught.value.retry_after_s == 7
