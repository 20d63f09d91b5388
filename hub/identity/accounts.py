"""Messages about accounts, answered at once: `RGST`, `RSST`, `ORGR`, `CLIR`, `SBRS`.

A repeated transaction id is answered the same; on another message it is refused. What can be done
beyond the published names of the messages is our choice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec

from emvs.account_messages import (
    ClientAccount,
    ClientMessage,
    OrganisationAccount,
    OrganisationMessage,
    ReportingMessage,
    ReportingSubscription,
    SessionToken,
    TokenMessage,
)
from emvs.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnauthorisedError,
)
from emvs.infra.clock import Clock
from emvs.report_messages import REPORT_TYPES
from hub.defects import Defects
from hub.fields import FIELD_RULES, check_field, check_organisation
from hub.identity import store
from hub.identity.sessions import REGISTER, RESET, Sessions
from hub.organisations import Client, Organisations
from hub.reception import check_transaction_id
from hub.store.connections import Connection, Pool, transaction
from hub.times import utc

_Answer = TypeVar("_Answer")
_CLIENT_ID: Final = re.compile(r"[0-9A-Z]{3}")
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")
_CLIENTS_MAX: Final = 100
"""Of one organisation (our choice)."""
_HOLDERS_MAX: Final = 1_000
_NAME_LENGTH_MAX: Final = 255
_ACTIONS: Final = ("create", "newToken", "suspend", "resume")


class Accounts:
    """What a client can do about accounts."""

    def __init__(
        self, *, pool: Pool, clock: Clock, organisations: Organisations, sessions: Sessions
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._organisations = organisations
        self._sessions = sessions

    async def exchange_token(
        self, message_type: str, message: TokenMessage, shown: str | None, *, with_certificate: bool
    ) -> SessionToken:
        """Put a session token in place of the one that was shown: `RGST`, `RSST`.

        Raises UnauthorisedError, ForbiddenError, BadRequestError or ConflictError.
        """
        token = self._organisations.session(shown)
        client = self._organisations.owner(shown)
        if client is None:
            wanted = "an initial" if message_type == REGISTER else "a session"
            raise UnauthorisedError(f"{wanted} token is wanted as bearer token")
        if token is None:
            raise ConflictError("a token without an end is neither registered nor reset")
        if self._organisations.is_suspended(client):
            raise ForbiddenError(f"client {client.organisation_id}/{client.client_id} is suspended")
        check_transaction_id(message.transactionId, message_type, client)
        made = await self._sessions.exchange(
            token,
            message.transactionId,
            is_reset=message_type == RESET,
            with_certificate=with_certificate,
        )
        return SessionToken(message.transactionId, made.text, utc(made.ends_at_ms))

    async def organisation(self, client: Client) -> OrganisationAccount:
        """Return the account of the client's organisation."""
        name, account = await store.organisation_account(self._pool, client.organisation_id)
        return _organisation_account(client, name, msgspec.json.decode(account))

    async def change_organisation(
        self, client: Client, message: OrganisationMessage
    ) -> OrganisationAccount:
        """Put an account in place of the organisation's earlier one: `ORGR`."""

        async def work(connection: Connection) -> OrganisationAccount:
            _check_account(message)
            content = {
                "address": message.address,
                "contactEmail": message.contactEmail,
                "marketingAuthorisationHolders": message.marketingAuthorisationHolders,
            }
            encoded = msgspec.json.encode(content)
            name = message.name or ""
            await store.put_account(connection, client.organisation_id, name, encoded.decode())
            return _organisation_account(client, name, msgspec.json.decode(encoded))

        return await self._once(client, "ORGR", message, OrganisationAccount, work)

    async def change_client(self, client: Client, message: ClientMessage) -> ClientAccount:
        """Make, suspend or resume a client of the organisation, or give it a token: `CLIR`."""

        async def work(connection: Connection) -> ClientAccount:
            return await self._change_client(connection, client, message)

        answer = await self._once(client, "CLIR", message, ClientAccount, work)
        await self._organisations.load()
        await self._sessions.refresh()
        if message.action in {"create", "newToken"}:
            token = self._sessions.initial_again(
                client.organisation_id, answer.clientId, message.transactionId
            )
            answer.initialToken, answer.endsAt = token.text, utc(token.ends_at_ms)
        return answer

    async def subscribe_to_reports(
        self, client: Client, message: ReportingMessage
    ) -> ReportingSubscription:
        """Choose which kinds of reports are announced by callback: `SBRS`."""

        async def work(connection: Connection) -> ReportingSubscription:
            for position, name in enumerate(message.reportTypes):
                if name not in REPORT_TYPES:
                    known = ", ".join(REPORT_TYPES)
                    raise BadRequestError(
                        f"a report type is one of {known} - at `$.reportTypes[{position}]`"
                    )
            chosen = sorted(set(message.reportTypes))
            await store.put_report_types(connection, client.organisation_id, chosen)
            return ReportingSubscription(message.transactionId, chosen)

        return await self._once(client, "SBRS", message, ReportingSubscription, work)

    async def _once(
        self,
        client: Client,
        message_type: str,
        message: Any,
        kind: type[_Answer],
        work: Callable[[Connection], Awaitable[_Answer]],
    ) -> _Answer:
        """Do what a message asks for and store the answer; a repeated message gets it again.

        Raises what `work` raises, BadRequestError or ForbiddenError for a wrong transaction id,
        ConflictError if it stands on another message.
        """
        check_transaction_id(message.transactionId, message_type, client)
        digest = hashlib.sha256(msgspec.json.encode(message)).digest()
        async with transaction(self._pool) as connection:
            await store.lock_organisation(connection, client.organisation_id)
            known = await store.known_answer(connection, message.transactionId)
            if known is not None:
                if known[1] != digest:
                    raise ConflictError("this transaction id stands on another message already")
                return msgspec.json.decode(known[2], type=kind)
            answer = await work(connection)
            await store.put_answer(
                connection,
                message.transactionId,
                organisation_id=client.organisation_id,
                digest=digest,
                answer=msgspec.json.encode(answer).decode(),
                at_ms=self._clock.now_ms(),
            )
        return answer

    async def _change_client(
        self, connection: Connection, client: Client, message: ClientMessage
    ) -> ClientAccount:
        client_id = message.clientId or ""
        if not _CLIENT_ID.fullmatch(client_id):
            raise BadRequestError("a client id is three digits or capitals - at `$.clientId`")
        if message.action not in _ACTIONS:
            raise BadRequestError(f"action is one of {', '.join(_ACTIONS)} - at `$.action`")
        organisation_id = client.organisation_id
        known = await store.find_account(connection, organisation_id, client_id)
        if message.action == "create":
            if known is not None:
                raise ConflictError("the organisation has this client: ask for a newToken")
            if await store.client_count(connection, organisation_id) >= _CLIENTS_MAX:
                raise ConflictError(f"an organisation has at most {_CLIENTS_MAX} clients")
            name = _checked_name(message.name)
            await store.put_client_account(connection, organisation_id, client_id, name)
        elif known is None:
            raise NotFoundError("the organisation has no such client")
        else:
            name = known.name
        is_suspended = known is not None and known.suspended_at_ms is not None
        if message.action in {"suspend", "resume"}:
            is_suspended = message.action == "suspend"
            if client_id == client.client_id:
                raise ConflictError("a client does not suspend itself: let another one do it")
            at_ms = self._clock.now_ms() if is_suspended else None
            await store.suspend_client(connection, organisation_id, client_id, at_ms)
        else:
            if client_id == client.client_id:
                raise ConflictError("a client's own token is reset with RSST")
            await self._sessions.issue_initial(
                connection, organisation_id, client_id, message.transactionId
            )
        status = "Suspended" if is_suspended else "Active"
        return ClientAccount(organisation_id, client_id, name, status)


def _checked_name(name: str | None) -> str:
    if name is None:
        return ""
    if len(name) > _NAME_LENGTH_MAX or not name.isprintable():
        raise BadRequestError(f"name has up to {_NAME_LENGTH_MAX} characters - at `$.name`")
    return name


def _check_account(message: OrganisationMessage) -> None:
    defects = Defects()
    check_field(message.name, "name", FIELD_RULES["organisation.name"], defects)
    check_organisation(message.address, "address", defects, required=False)
    holders = message.marketingAuthorisationHolders
    if len(holders) > _HOLDERS_MAX:
        raise BadRequestError(f"an organisation has at most {_HOLDERS_MAX} holders")
    for position, holder in enumerate(holders):
        path = f"marketingAuthorisationHolders[{position}]"
        check_field(holder, path, FIELD_RULES["organisation.name"], defects)
    if message.contactEmail is not None and not _EMAIL.fullmatch(message.contactEmail):
        raise BadRequestError("this is no e-mail address - at `$.contactEmail`")
    if defects:
        told = "; ".join(f"{one.text} - at `$.{one.field}`" for one in defects.listed[:10])
        raise BadRequestError(told)


def _organisation_account(
    client: Client, name: str, account: dict[str, Any]
) -> OrganisationAccount:
    told = {"organisationId": client.organisation_id, "kind": client.kind.value, "name": name}
    return msgspec.convert(account | told, OrganisationAccount)
