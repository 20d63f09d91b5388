"""Changes to logins that the national organisation makes: registered, locked, given passwords."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from emvs.errors import BadRequestError, NotFoundError
from emvs.login_rules import LoginState
from nmvs.logins.registry import Login, Logins
from nmvs.logins.store import StoredLogin

_LOGINS_MAX: Final = 500_000
"""All of Europe has some 200,000 locations (our choice)."""
_CLIENT_LOGIN_ID: Final = re.compile("[A-Za-z0-9-]{1,32}")
_USER_ID: Final = re.compile("[A-Za-z0-9-]{4,20}")


class SoapLogin(msgspec.Struct, forbid_unknown_fields=True):
    """A login to the SOAP dialect, as it is registered."""

    client_login_id: str
    user_id: str
    password: str
    initial: bool | None = None
    """Whether its user must change the password first; None: as the market has it."""
    expires: bool = True
    """Whether the password ends with time."""

    def check(self) -> None:
        """Raise BadRequestError if nobody could log in so."""
        if not _CLIENT_LOGIN_ID.fullmatch(self.client_login_id):
            raise BadRequestError("client_login_id has 1 to 32 letters, digits and hyphens")
        if not _USER_ID.fullmatch(self.user_id):
            raise BadRequestError("user_id has 4 to 20 letters, digits and hyphens")
        check_password(self.password)


def check_password(password: str) -> None:
    """Raise BadRequestError if no message can hold this password. The policy for users is not asked
    for: what is handed out may be simpler."""
    if not (8 <= len(password) <= 60 and password.isprintable()):
        raise BadRequestError("a password has 8 to 60 printable characters")


class LoginEnrolment:
    """Changes that come through the management port."""

    def __init__(self, logins: Logins) -> None:
        self._logins = logins

    def find(self, client_login_id: str, user_id: str) -> Login:
        """Return a login, or raise NotFoundError."""
        login = self._logins.by_id.get((client_login_id, user_id))
        if login is None:
            raise NotFoundError(f"there is no login {client_login_id!a}/{user_id!a}")
        return login

    async def register(
        self, wanted: SoapLogin, location_number: int, *, keep: bool = False
    ) -> Login:
        """Store a login of a location. One that is known gets this password and is unlocked; with
        `keep` it stays as it is."""
        wanted.check()
        logins = self._logins
        ids = wanted.client_login_id, wanted.user_id
        if keep and ids in logins.by_id:
            return logins.by_id[ids]  # None is ever taken away.
        is_initial = wanted.initial
        if is_initial is None:
            is_initial = logins.rules.registered_is_initial
        hashed = await self._hash(wanted.password, logins.by_id.get(ids))
        async with logins.changing:
            known = logins.by_id.get(ids)
            if known is not None and keep:
                return known
            if known is not None:
                await logins.settle(known)
                stored = known.stored._replace(location_number=location_number)
                await self._assign(
                    known, stored, hashed, is_initial=is_initial, expires=wanted.expires
                )
                return known
            if len(logins.by_id) >= _LOGINS_MAX:
                raise BadRequestError(f"at most {_LOGINS_MAX} logins are kept")
            state = LoginState(logins.clock.now_ms(), is_initial, wanted.expires)
            login = Login.of(StoredLogin(*ids, location_number, hashed, None, state))
            await logins.put(login, login.stored)
            logins.by_id[ids] = login
            return login

    async def set_password(
        self, client_login_id: str, user_id: str, password: str, *, is_initial: bool
    ) -> Login:
        """Give a login a password and unlock it; the one before is good no more."""
        check_password(password)
        login = self.find(client_login_id, user_id)
        hashed = await self._hash(password, login)
        async with self._logins.change(login):
            known = login.stored
            await self._assign(
                login, known, hashed, is_initial=is_initial, expires=known.state.expires
            )
        return login

    async def _hash(self, password: str, known: Login | None) -> str:
        logins = self._logins
        like = known.stored.password_hash if known is not None else None
        return await logins.cache.hash(password, logins.hash_cost_log2, like=like)

    async def _assign(
        self, login: Login, stored: StoredLogin, hashed: str, *, is_initial: bool, expires: bool
    ) -> None:
        now_ms = self._logins.clock.now_ms()
        accepted = stored.state.accepted_version
        state = LoginState(now_ms, is_initial, expires, accepted_version=accepted)
        replaced = stored.password_hash if stored.password_hash != hashed else None
        await self._logins.put(
            login,
            stored._replace(password_hash=hashed, former_hash=None, state=state),
            replaced=replaced,
        )

    async def lock(self, client_login_id: str, user_id: str) -> Login:
        """Lock a login until it is unlocked."""
        now_ms = self._logins.clock.now_ms()
        return await self._change(
            self.find(client_login_id, user_id),
            lambda state: state._replace(locked_at_ms=now_ms, is_locked_by_hand=True),
        )

    async def unlock(self, client_login_id: str, user_id: str) -> Login:
        """Unlock a login, whatever has locked it."""
        return await self._change(
            self.find(client_login_id, user_id),
            lambda state: state._replace(
                failure_count=0, locked_at_ms=None, is_locked_by_hand=False
            ),
        )

    async def _change(self, login: Login, change: Callable[[LoginState], LoginState]) -> Login:
        async with self._logins.change(login):
            stored = login.stored
            await self._logins.put(login, stored._replace(state=change(stored.state)))
        return login

    async def require_sub_user(self, client_login_id: str, *, is_required: bool) -> None:
        """Set whether a client's requests must name a sub-user."""
        if not _CLIENT_LOGIN_ID.fullmatch(client_login_id):
            raise BadRequestError("client_login_id has 1 to 32 letters, digits and hyphens")
        logins = self._logins
        async with logins.changing:
            clients = logins.sub_user_clients
            if is_required and len(clients) >= _LOGINS_MAX:
                raise BadRequestError(f"at most {_LOGINS_MAX} clients are kept")
            await logins.store.put_sub_user_client(client_login_id, is_required=is_required)
            (clients.add if is_required else clients.discard)(client_login_id)
            logins.look_again()
