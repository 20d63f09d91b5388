"""What is repeated, how often, and what each refusal means."""

from __future__ import annotations

from typing import Any, cast

import pytest

from emvs.obp_messages import Acknowledgement
from hub.obp.connection import Call, Connection
from hub.obp.errors import (
    HubBusyError,
    HubRefusedError,
    LoginRefusedError,
    ProtocolError,
    UnreachableError,
)
from hub.obp.profile import Profile
from hub.obp.transport import Reply, Transport

PROFILE = Profile(
    url="http://127.0.0.1:1", organisation_id="10001", client_id="001", token="t", journal="/x"
)
GOOD = Reply(
    202,
    {},
    b'{"messageType":"PPDC","transactionId":"T","acknowledgementId":"A","hubTransactionId":"H",'
    b'"status":"Accepted","of_a_later_hub":1}',
)
LOST = UnreachableError("the connection broke", may_have_acted=True)
NOT_SENT = UnreachableError("no connection")


def refusal(status: int, **headers: str) -> Reply:
    return Reply(status, headers, b'{"title":"T","detail":"the reason"}')


class ScriptedTransport:
    """Answers what it was told to, one after the other."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.answers = list(answers)
        self.count = 0

    async def send(self, *_: Any, **__: Any) -> Reply:
        self.count += 1
        answer = self.answers[min(self.count, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were made; none of them takes time."""
    made: list[float] = []

    async def wait(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr("hub.obp.connection.asyncio.sleep", wait)
    return made


def connected(transport: ScriptedTransport) -> Connection:
    return Connection(PROFILE, cast("Transport", transport))


@pytest.mark.parametrize("trouble", [LOST, NOT_SENT, refusal(503), refusal(429), refusal(504)])
async def test_what_the_hub_cannot_take_now_is_sent_again(
    trouble: Reply | Exception, waits: list[float]
) -> None:
    transport = ScriptedTransport(trouble, trouble, GOOD)
    answer = await connected(transport).ask(Call("POST", "PPDC"), Acknowledgement)
    assert (answer.acknowledgementId, transport.count, len(waits)) == ("A", 3, 2)


@pytest.mark.parametrize(
    ("trouble", "count"),
    [(LOST, 1), (refusal(504), 1), (NOT_SENT, 2), (refusal(503), 2), (refusal(429), 2)],
)
async def test_what_may_have_been_done_is_sent_again_only_if_that_does_nothing_twice(
    trouble: Reply | Exception, count: int, waits: list[float]
) -> None:
    transport = ScriptedTransport(trouble, GOOD)
    call = Call("POST", "alerts/X/state", repeatable=False)
    if count == 1:
        with pytest.raises(UnreachableError):
            await connected(transport).ask(call, Acknowledgement)
    else:
        await connected(transport).ask(call, Acknowledgement)
    assert transport.count == count


async def test_the_hub_is_not_asked_before_the_time_it_names(waits: list[float]) -> None:
    transport = ScriptedTransport(refusal(503, **{"retry-after": "7"}), GOOD)
    await connected(transport).ask(Call("POST", "PPDC"), Acknowledgement)
    assert waits[0] >= 7


async def test_a_hub_that_wants_more_patience_than_the_profile_has_is_given_up_at_once(
    waits: list[float],
) -> None:
    transport = ScriptedTransport(refusal(503, **{"retry-after": "500"}), GOOD)
    with pytest.raises(HubBusyError, match="tried 1 times"):
        await connected(transport).ask(Call("POST", "PPDC"), Acknowledgement)
    assert not waits


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(400), HubRefusedError),
        (refusal(404), HubRefusedError),
        (refusal(409), HubRefusedError),
        (refusal(413), HubRefusedError),
        (refusal(401), LoginRefusedError),
        (refusal(403), LoginRefusedError),
        (refusal(500), ProtocolError),
        (refusal(302), ProtocolError),
    ],
)
async def test_a_refusal_is_final_and_has_the_hubs_reason(
    reply: Reply, error: type[Exception], waits: list[float]
) -> None:
    transport = ScriptedTransport(reply)
    with pytest.raises(error, match=f"HTTP {reply.status}: the reason"):
        await connected(transport).ask(Call("POST", "PPDC"), Acknowledgement)
    assert (transport.count, waits) == (1, [])


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"messageType":1}', b"\xff"])
async def test_an_answer_that_is_none_is_said(body: bytes) -> None:
    transport = ScriptedTransport(Reply(200, {}, body))
    with pytest.raises(ProtocolError, match="no answer of this interface"):
        await connected(transport).ask(Call("GET", "x"), Acknowledgement)
