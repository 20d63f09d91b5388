"""One request of the SOAP dialect that is not about a single pack, and its reply."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from lxml import etree

from pharmacy_client import soap_codes
from pharmacy_client.bulk import BULK_REPLY_BYTES_MAX, BULK_TIMEOUT_S
from pharmacy_client.errors import (
    AccountRefusedError,
    BulkRefusedError,
    LoginRefusedError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import REPLY_BYTES_MAX, Exchange, Transport, record_exchange
from pharmacy_client.profile import Profile
from pharmacy_client.results import Category
from pharmacy_client.soap_envelope import header, new_transaction_id, soap_request
from pharmacy_client.soap_reply import MessageReader

_Refused = TypeVar("_Refused", AccountRefusedError, BulkRefusedError)


class SoapAnswer(NamedTuple):
    """A reply that is of this interface, whatever it says."""

    reader: MessageReader
    body: etree._Element
    code: str
    words: str
    exchange: Exchange

    @property
    def bare_code(self) -> str:
        """The code without what differs between systems."""
        return soap_codes.bare_code(self.code)

    def refusal(
        self, refused: type[_Refused]
    ) -> LoginRefusedError | SystemUnreachableError | _Refused:
        """Return the error for a code that is no success."""
        said = f"{self.code}, {self.words}"
        if soap_codes.is_login_refusal(self.code):
            return LoginRefusedError(
                f"The system refused the login: {said}",
                return_code=self.code,
                exchange=self.exchange,
            )
        if soap_codes.category_of(self.code) is Category.UNAVAILABLE:
            return SystemUnreachableError(
                f"The system cannot do this now: {said}", exchange=self.exchange
            )
        return refused(
            f"The system refused this: {said}", return_code=self.code, exchange=self.exchange
        )


class SoapCaller:
    """Asks over a transport, as one login."""

    def __init__(self, profile: Profile, transport: Transport) -> None:
        self._profile = profile
        self._transport = transport

    async def ask(
        self,
        action: str,
        body: str,
        *,
        service: str,
        transaction_id: str | None = None,
        changes: bool = False,
        secrets: tuple[str, ...] = (),
        is_bulk: bool = False,
        hides_reply: bool = False,
    ) -> SoapAnswer:
        """Return the reply to a message; `action` begins with its number.

        `body` is what follows the header. `hides_reply`: it is left out of the record. Raises the
        client's errors.
        """
        transaction_id = transaction_id or new_transaction_id()
        message = action[:4]
        request = soap_request(
            self._profile,
            service=service,
            message=message,
            action=action,
            content=header(self._profile, transaction_id) + body,
            changes_state=changes,
            secrets=secrets,
            reply_bytes_max=BULK_REPLY_BYTES_MAX if is_bulk else REPLY_BYTES_MAX,
            timeout_s=max(BULK_TIMEOUT_S, self._profile.timeout_s) if is_bulk else None,
        )
        reply = await self._transport.send(request)
        exchange = record_exchange(request, reply._replace(body=b"***") if hides_reply else reply)
        reader = MessageReader(reply, exchange, may_have_acted=changes)
        content = reader.read(f"{message}Response", transaction_id)
        code, words = reader.return_code()
        return SoapAnswer(reader, content, code, words, exchange)
