"""Who may upload: organisations and their clients, known by a bearer token.

Tokens without an end, for a developer's desk, are given out on the management port. A token is
random, so its SHA-256 is as good as a slow hash, and looking it up in a dict tells an attacker
nothing about the tokens in it. Session tokens as the real hub has them are in
`hub.identity.sessions`; whoever asks for a client gets the one of either.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from emvs.errors import ConflictError, ForbiddenError, NotFoundError
from emvs.transaction_ids import Actor
from hub.identity.credential_store import TokenRow
from hub.identity.sessions import Sessions, Token, digest_of
from hub.store import organisations as store
from hub.store.connections import Connection, Pool, transaction

_TOKEN_BYTES: Final = 32


class OrganisationKind(StrEnum):
    """What an organisation is to the hub."""

    OBP = "obp"
    PARALLEL_DISTRIBUTOR = "parallel_distributor"


ACTORS: Final = {
    OrganisationKind.OBP: Actor.MANUFACTURER,
    OrganisationKind.PARALLEL_DISTRIBUTOR: Actor.PARALLEL_DISTRIBUTOR,
}
"""Actor in the transaction ids of each kind."""


class Client(NamedTuple):
    """A client of an organisation: who sends a request."""

    organisation_id: str
    client_id: str
    kind: OrganisationKind

    def check_is_distributor(self, what: str) -> None:
        """Raise ForbiddenError naming `what` unless this is a parallel distributor."""
        if self.kind is not OrganisationKind.PARALLEL_DISTRIBUTOR:
            raise ForbiddenError(f"{what} is for parallel distributors")


class Credentials(StrEnum):
    """What a new client is given."""

    TOKEN = "token"  # noqa: S105 - the word on the wire.
    """A token without an end."""
    SESSION = "session"
    """An initial token, to be registered within 24 hours."""


_TOKEN: Final = "16 to 200 characters of ASCII that can be seen"  # noqa: S105 - no password.


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Body of `POST /organisations`. With a token it can be repeated; without, a new one is
    made and the client's earlier one no longer holds."""

    organisation_id: Annotated[
        str, Meta(pattern=r"\A[0-9A-Z]{5}\Z", description="5 digits or capital letters")
    ]
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    kind: OrganisationKind
    client_id: Annotated[
        str, Meta(pattern=r"\A[0-9A-Z]{3}\Z", description="3 digits or capital letters")
    ]
    token: Annotated[str, Meta(pattern=r"\A[!-~]{16,200}\Z", description=_TOKEN)] | None = None
    """One without an end."""
    credentials: Credentials | None = None
    """Which kind is given out; left out, a token without an end where those are allowed."""


class Organisations:
    """The clients that exist. The database is the truth; a look-up takes no query."""

    def __init__(
        self,
        pool: Pool,
        sessions: Sessions,
        *,
        tokens_without_end: bool = True,
        exempt_client: str | None = None,
    ) -> None:
        self._pool = pool
        self._sessions = sessions
        self._tokens_without_end = tokens_without_end
        self._exempt_client = exempt_client
        self._by_digest: dict[bytes, Client] = {}
        self._by_name: dict[tuple[str, str], Client] = {}
        self._suspended: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        return len(self._by_name)

    async def load(self) -> None:
        """Read all clients."""
        by_digest, by_name, suspended = {}, {}, set()
        for row in await store.all_clients(self._pool):
            client = Client(row.organisation_id, row.client_id, OrganisationKind(row.kind))
            by_name[client[:2]] = client
            if row.token_digest is not None:
                by_digest[row.token_digest] = client
            if row.is_suspended:
                suspended.add(client[:2])
        self._by_digest, self._by_name, self._suspended = by_digest, by_name, suspended

    def authenticate(self, token: str | None) -> Client | None:
        """Return the client that has this token, which may be anything that came in a header.

        Raises UnauthorisedError or ForbiddenError where more can be said than that it is unknown.
        """
        client = self.owner(token)
        if client is None or token is None:
            return None
        if client[:2] in self._suspended:
            raise ForbiddenError(f"client {client.organisation_id}/{client.client_id} is suspended")
        session = self.session(token)
        if session is not None:
            self._sessions.check(session)
        return client

    def owner(self, token: str | None) -> Client | None:
        """Return whose token this is, whether it holds or not."""
        if token is None or not token.isascii():
            return None
        digest = digest_of(token)
        session = self._sessions.find(digest)
        if session is not None:
            return self._by_name.get((session.organisation_id, session.client_id))
        client = self._by_digest.get(digest)
        return client if client is not None and self._may_have_no_end(*client[:2]) else None

    def is_exempt(self, client: Client) -> bool:
        """Tell whether a client is asked for neither certificates nor tokens that end."""
        return f"{client.organisation_id}/{client.client_id}" == self._exempt_client

    def _may_have_no_end(self, organisation_id: str, client_id: str) -> bool:
        return self._tokens_without_end or f"{organisation_id}/{client_id}" == self._exempt_client

    def session(self, token: str | None) -> TokenRow | None:
        """Return an initial or session token that is kept, whether it holds or not."""
        if token is None or not token.isascii():
            return None
        return self._sessions.find(digest_of(token))

    def is_suspended(self, client: Client) -> bool:
        """Tell whether a client's tokens and certificates do not count for now."""
        return client[:2] in self._suspended

    def check_may_have_certificate(self, client: Client, token: str | None) -> None:
        """Raise UnauthorisedError or ForbiddenError unless a token holds; an initial one does."""
        session = self.session(token)
        if session is None or not session.is_initial:
            self.authenticate(token)
        elif self.is_suspended(client):
            raise ForbiddenError("the client is suspended")
        else:
            self._sessions.check_holds(session)

    async def register(self, registration: Registration) -> str | Token:
        """Store an organisation and a client of it; return the client's token, or an initial one.

        Raises ConflictError if the organisation is of another kind or the token taken.
        """
        token = registration.token
        digest = None
        if registration.credentials is not Credentials.SESSION and self._may_have_no_end(
            registration.organisation_id, registration.client_id
        ):
            token = token or secrets.token_urlsafe(_TOKEN_BYTES)
            digest = digest_of(token)
        elif token is not None:
            raise ConflictError("tokens without an end are not given out: leave `token` out")
        name = registration.name.replace("\0", "")
        client = Client(registration.organisation_id, registration.client_id, registration.kind)
        async with transaction(self._pool) as connection:
            kind = await store.put_organisation(
                connection, client.organisation_id, name=name, kind=client.kind.value
            )
            if kind != client.kind:
                raise ConflictError(f"organisation {client.organisation_id} is of kind {kind}")
            if not await store.put_client(
                connection, client.organisation_id, client.client_id, digest
            ):
                raise ConflictError("another client has this token")
            initial = None
            if digest is None:
                initial = await self._issue_initial(connection, client)
        await self.load()
        await self._sessions.refresh()
        return initial or token or ""

    async def new_initial_token(self, organisation_id: str, client_id: str) -> Token:
        """Give a client an initial token in place of its tokens. Raises NotFoundError."""
        client = self._by_name.get((organisation_id, client_id))
        if client is None:
            raise NotFoundError("there is no such client")
        async with transaction(self._pool) as connection:
            token = await self._issue_initial(connection, client)
        await self._sessions.refresh()
        return token

    async def _issue_initial(self, connection: Connection, client: Client) -> Token:
        seed = secrets.token_hex(_TOKEN_BYTES)  # Asked for at the desk: never repeated.
        return await self._sessions.issue_initial(connection, *client[:2], seed)
