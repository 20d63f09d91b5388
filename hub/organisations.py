"""Who may upload: organisations and their clients, known by a bearer token.

Certificates and session tokens as the real hub has them are not here; a token is given out on
the management port. It is random, so its SHA-256 is as good as a slow hash, and looking it up in
a dict tells an attacker nothing about the tokens in it.
"""

from __future__ import annotations

import hashlib
import secrets
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from emvs.errors import ConflictError, ForbiddenError
from emvs.transaction_ids import Actor
from hub.store import organisations as store
from hub.store.connections import Pool, transaction

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


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Body of `POST /organisations`. With a token it can be repeated; without, a new one is
    made and the client's earlier one no longer holds."""

    organisation_id: Annotated[str, Meta(pattern=r"\A[0-9A-Z]{5}\Z")]
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    kind: OrganisationKind
    client_id: Annotated[str, Meta(pattern=r"\A[0-9A-Z]{3}\Z")]
    token: Annotated[str, Meta(pattern=r"\A[!-~]{16,200}\Z")] | None = None


class Organisations:
    """The clients that exist. The database is the truth; a look-up takes no query."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._by_digest: dict[bytes, Client] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    async def load(self) -> None:
        """Read all clients."""
        for row in await store.all_clients(self._pool):
            client = Client(row.organisation_id, row.client_id, OrganisationKind(row.kind))
            self._by_digest[row.token_digest] = client

    def authenticate(self, token: str | None) -> Client | None:
        """Return the client that has this token, which may be anything that came in a header."""
        if token is None or not token.isascii():
            return None
        return self._by_digest.get(_digest(token))

    async def register(self, registration: Registration) -> str:
        """Store an organisation and a client of it; return the client's token.

        Raises ConflictError if the organisation is of another kind or the token taken.
        """
        token = registration.token or secrets.token_urlsafe(_TOKEN_BYTES)
        digest = _digest(token)
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
        for known_digest, known in list(self._by_digest.items()):
            if known[:2] == client[:2]:
                del self._by_digest[known_digest]
        self._by_digest[digest] = client
        return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
