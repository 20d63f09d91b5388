"""The hub as seen from a national system: outgoing HTTP about packs. (Alerts: `alert_forwarding`.)

Asks for packs that are unknown here, and tells of changes that other markets have to know. Bounded
in time and in number; trouble is a typed error, the pack elsewhere may or may not have been changed
when no answer came in time.
"""

from __future__ import annotations

from typing import Final

import aiohttp
import msgspec
import orjson

from emvs.alerts import Alert
from emvs.errors import HubTimeoutError, HubUnreachableError, OverloadedError
from emvs.infra.clock import Clock
from emvs.interconnect import IntermarketAnswer, IntermarketRequest
from emvs.limits import INTERMARKET_CONCURRENT_MAX, INTERMARKET_HUB_S_MAX
from emvs.outcomes import NEVER_ANSWERED, Outcome
from emvs.pack import BatchFacts
from emvs.states import State
from nmvs.catalogue import Batch, Product
from nmvs.requests import Answer, PackRequest

_ANSWER_BYTES_MAX: Final = 64 * 1024
_NOBODY_KNOWS: Final = (
    Outcome.PRODUCT_UNKNOWN,
    Outcome.BATCH_AND_SERIAL_UNKNOWN,
    Outcome.SERIAL_UNKNOWN,
)


class HubGateway:
    """Sends intermarket requests."""

    def __init__(
        self,
        url: str,
        token: str,
        market: str,
        clock: Clock,
        *,
        answer_s_max: float = INTERMARKET_HUB_S_MAX,
    ) -> None:
        self._url = f"{url.rstrip('/')}/nmvs/v1/intermarket"
        self._changes_url = f"{url.rstrip('/')}/nmvs/v1/changes"
        self._market = market
        self._clock = clock
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=answer_s_max),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            connector=aiohttp.TCPConnector(limit=INTERMARKET_CONCURRENT_MAX),
        )
        self._in_flight_count = 0

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def ask(self, request: PackRequest, transaction_id: str) -> Answer | Outcome:
        """Return another market's answer, or what none of them knows of the pack.

        Raises HubUnreachableError, HubTimeoutError, OverloadedError.
        """
        if self._in_flight_count >= INTERMARKET_CONCURRENT_MAX:
            raise OverloadedError("too many intermarket requests wait")
        self._in_flight_count += 1
        try:
            answer = await self._post(_to_message(request, transaction_id, self._market))
        finally:
            self._in_flight_count -= 1
        outcome = Outcome[answer.outcome]
        if outcome in _NOBODY_KNOWS:
            return outcome
        return _from_message(answer, outcome, request, transaction_id, self._clock.now_ms())

    async def tell_changes(self, message: bytes) -> None:
        """Have the hub store changes of multi-market packs, a ChangesMessage as JSON.

        Raises HubUnreachableError, HubTimeoutError; the hub may have stored them all the same.
        """
        try:
            async with self._session.post(self._changes_url, data=message) as response:
                if response.status != 200:
                    raise HubUnreachableError(f"the hub answered with HTTP {response.status}")
        except TimeoutError as error:
            raise HubTimeoutError("the hub did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise HubUnreachableError(f"the hub cannot be told: {error}") from error

    async def _post(self, message: IntermarketRequest) -> IntermarketAnswer:
        try:
            async with self._session.post(self._url, data=orjson.dumps(message)) as response:
                if response.status != 200:
                    raise HubUnreachableError(f"the hub answered with HTTP {response.status}")
                return _read_answer(await _read_body(response), message)
        except TimeoutError as error:
            raise HubTimeoutError("the hub did not answer in time") from error
        except (aiohttp.ClientError, OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise HubUnreachableError(f"the hub cannot be asked: {error}") from error


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """Return the body, however it comes; one that is too long is not read to its end."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > _ANSWER_BYTES_MAX:
            raise HubUnreachableError(f"the hub's answer has more than {_ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _read_answer(body: bytes, asked: IntermarketRequest) -> IntermarketAnswer:
    """Return the answer if it is one to what was asked, in words that are known here."""
    answer = msgspec.json.decode(body, type=IntermarketAnswer)
    if answer.requestId != asked.requestId:
        raise HubUnreachableError("the hub answered another request")
    if answer.outcome not in Outcome.__members__ or Outcome[answer.outcome] in NEVER_ANSWERED:
        raise HubUnreachableError(f"the hub answered {answer.outcome[:40]!r}")
    for state in (answer.state, answer.effective):
        if state is not None and state not in State.__members__:
            raise HubUnreachableError(f"the hub answered with the state {state[:40]!r}")
    return answer


def _to_message(request: PackRequest, transaction_id: str, market: str) -> IntermarketRequest:
    return IntermarketRequest(
        requestId=transaction_id,
        market=market,
        operation=request.operation.name,
        scheme=request.scheme.value,
        productCode=request.product_code,
        serialNumber=request.serial_number,
        batchId=request.batch_id,
        expiry=request.expiry,
        manual=request.manual,
        location=request.participant.number,
        role=request.participant.role.value,
    )


def _from_message(
    answer: IntermarketAnswer,
    outcome: Outcome,
    request: PackRequest,
    transaction_id: str,
    at_ms: int,
) -> Answer:
    if answer.productName is None:  # No market has answered.
        return Answer(outcome, transaction_id, at_ms)
    product = Product(
        scheme=request.scheme,
        code=request.product_code,
        version=0,
        name=answer.productName,
        common_name="",
        national_code=answer.nationalCode,
        withdrawn=answer.withdrawalReason is not None,
        withdrawal_reason=answer.withdrawalReason,
    )
    batch = None
    if answer.batchId is not None and answer.expiry is not None:
        facts = BatchFacts(
            answer.batchId, answer.expiry, 0, answer.recallReason is not None, product.withdrawn
        )
        batch = Batch(0, product, 0, facts, answer.recallReason)
    alert = None
    if answer.alertId is not None and answer.alertCode is not None:
        alert = Alert(answer.alertId, answer.alertCode)
    return Answer(
        outcome,
        transaction_id,
        at_ms,
        State[answer.state] if answer.state else None,
        State[answer.effective] if answer.effective else None,
        answer.here,
        answer.undoUntil,
        alert,
        product,
        batch,
        intermarket=True,
    )
