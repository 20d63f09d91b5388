"""A login that stays good while a till works: the client under it, and its renewal in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from pharmacy_client.client import PharmacyClient
from pharmacy_client.errors import LoginRefusedError, PharmacyClientError
from pharmacy_client.exchange import Transport
from pharmacy_client.profile import Profile
from pharmacy_client.soap_codes import bare_code
from pharmacy_client.upkeep import MUST_CHANGE, Upkeep


class LiveLogin:
    """To be used as `async with LiveLogin(profile)`; `client` is under the login as it is now."""

    def __init__(
        self,
        profile: Profile,
        connect: Callable[[Profile], Transport] | None,
        on_notice: Callable[[str], None],
    ) -> None:
        """`on_notice` hears sentences for the user: renewed, about to end."""
        self._connect = connect or _connect
        self._on_notice = on_notice
        self._upkeep = Upkeep(profile, self._connect)
        self._client: PharmacyClient | None = None
        self._renewing = asyncio.Lock()
        self._reminded = False
        self._retired: list[PharmacyClient] = []

    async def __aenter__(self) -> Self:
        """Get ready. Raises ProfileError; a system that is away is no error."""
        await self._open(self._upkeep.profile)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections."""
        for client in (*self._retired, self._client):
            if client is not None:
                await client.__aexit__(kind, error, traceback)
        self._client = None
        self._retired.clear()

    @property
    def profile(self) -> Profile:
        """The profile as it is now."""
        return self._upkeep.profile

    @property
    def client(self) -> PharmacyClient:
        """The client of that profile."""
        if self._client is None:
            raise RuntimeError("use the till as `async with Till(profile) as till`")
        return self._client

    async def upkeep(self) -> None:
        """Finish a change of password whose answer was lost; renew a certificate in time.

        Raises the client's errors.
        """
        if not self._upkeep.is_possible:
            return
        async with self._renewing:
            before = self._upkeep.profile
            await self._upkeep.settle_pending()
            if await self._upkeep.renew_certificate(datetime.now(UTC)) is not None:
                self._on_notice("The certificate was renewed and written to the profile.")
            if self._upkeep.profile is not before:
                await self._open(self._upkeep.profile)

    async def remind(self) -> None:
        """The password is about to expire: change it, or tell the user, once."""
        if self._reminded:
            return
        self._reminded = True
        if not self._upkeep.is_possible:
            self._on_notice("The password is about to expire. Change it: `pharmacy password`.")
            return
        try:
            await self._change_password()
        except PharmacyClientError as error:
            self._reminded = False
            self._on_notice(f"The password is about to expire and could not be changed: {error}")

    async def renew_for(self, error: LoginRefusedError, asked_as: Profile) -> bool:
        """Find or make a login that holds, after a refusal; False if there is none.

        It may have been renewed meanwhile: here, or by another program that shares the file.
        """
        if not self._upkeep.is_possible:
            return False
        async with self._renewing:
            if self._upkeep.profile is not asked_as:
                return True
            if self._upkeep.reload():
                await self._open(self._upkeep.profile)
                return True
        if bare_code(error.return_code or "") == MUST_CHANGE:
            await self._change_password()
            return True
        if self._upkeep.profile.next_password is not None:
            await self.upkeep()
            return True
        return False

    async def _change_password(self) -> None:
        async with self._renewing:
            await self._upkeep.change_password()
            await self._open(self._upkeep.profile)
        self._on_notice("The password was changed and written to the profile.")

    async def _open(self, profile: Profile) -> None:
        if self._client is not None:
            # What is on its way with the old login gets its answer.
            self._retired.append(self._client)
        transport = self._connect(profile)
        self._client = await PharmacyClient(profile, transport=transport).__aenter__()


def _connect(profile: Profile) -> Transport:
    # Loading the HTTP library takes 0.3 s, which `pharmacy --help` need not wait for.
    from pharmacy_client.transport import AiohttpTransport  # noqa: PLC0415

    return AiohttpTransport(profile)
