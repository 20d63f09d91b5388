"""Who is behind a login to the SOAP services, and how that login stands now.

A password is verified by its slow hash once and remembered by a keyed digest; whatever changes a
login takes effect with the next request. Wrong passwords are counted, durably, before their sender
is told. No wire format is known here.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from emvs.errors import OverloadedError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.login_rules import (
    Duty,
    LoginRules,
    LoginState,
    Notice,
    Standing,
    after_change,
    after_failure,
    after_success,
    fits_policy,
    is_locked,
    standing,
)
from nmvs.credentials import LoginCache, nobodys_hash
from nmvs.logins.store import LoginStore, StoredLogin, from_ms
from nmvs.logins.terms import TermsOnFile
from nmvs.participants import Participant
from nmvs.recovery import Recovery

_CHECKS_OF_ONE_LOGIN_MAX: Final = 8
"""Passwords of one login that are checked at once: more is guessing (our choice)."""
_STRANGERS_AT_ONCE_MAX: Final = 64
"""Logins that do not exist and are checked at once all the same: a second's worth (our choice)."""

_log = get_logger(__name__)


class LoginRefusal(Enum):
    """Why nobody is let in."""

    WRONG = auto()
    LOCKED = auto()
    LOCKED_NOW = auto()
    """This was the wrong password that locked the login."""
    SUB_USER_MISSING = auto()
    OVERLOADED = auto()
    UNAVAILABLE = auto()


class ChangeResult(Enum):
    """What came of a user's wish for another password."""

    DONE = auto()
    ALREADY_REPLACED = auto()
    """The one that was shown has a successor."""
    CURRENT_WRONG = auto()
    SAME = auto()
    TOO_SIMPLE = auto()
    USED_BEFORE = auto()
    OVERLOADED = auto()


class TermsResult(Enum):
    """What came of a user's word that terms are accepted."""

    DONE = auto()
    ALREADY_ACCEPTED = auto()
    UNKNOWN = auto()


@dataclass(slots=True, eq=False)
class Login:
    """One login as it is now."""

    stored: StoredLogin
    password_hash: str
    location_number: int
    calm_until_ms: int = 0
    """Until then its user need not be told anything."""
    in_doubt: bool = False
    """Whether a write failed that may have been done: what is stored counts."""
    checking: set[bytes] = field(default_factory=set)
    """Digests of the passwords that are being checked."""

    @classmethod
    def of(cls, stored: StoredLogin) -> Login:
        """Return a login that was stored."""
        return cls(stored, stored.password_hash, stored.location_number)

    def take(self, stored: StoredLogin) -> None:
        """Be what was stored."""
        self.stored = stored
        self.password_hash = stored.password_hash
        self.location_number = stored.location_number
        self.calm_until_ms = 0


class Visit(NamedTuple):
    """A login that was let in."""

    login: Login
    participant: Participant
    uses_former: bool
    """Whether the password is one that has been replaced."""
    duty: Duty | None
    notices: tuple[Notice, ...]


class Logins:
    """The logins of one national system's SOAP services."""

    def __init__(
        self,
        *,
        store: LoginStore,
        clock: Clock,
        terms: TermsOnFile,
        rules: LoginRules,
        admitted: Callable[[int], Participant | None],
        hash_cost_log2: int,
    ) -> None:
        """`admitted` returns who may work now by the number of a location."""
        self.store = store
        self.clock = clock
        self.terms = terms
        self.rules = rules
        self.hash_cost_log2 = hash_cost_log2
        self._nobodys_hash = nobodys_hash(hash_cost_log2)
        self._strangers_count = 0
        self.changing = asyncio.Lock()
        """Held while a login is changed."""
        self.cache = LoginCache[tuple[Login, str]]()
        """Login and the stored hash that a password was found to fit."""
        self.by_id: dict[tuple[str, str], Login] = {}
        self.sub_user_clients: set[str] = set()
        self._admitted = admitted
        terms.changed = self.look_again

    async def load(self) -> None:
        """Read all logins from the store."""
        await self.store.date_all(self.clock.now())
        for stored in await self.store.logins():
            self.by_id[stored[:2]] = Login.of(stored)
        self.sub_user_clients = await self.store.sub_user_clients()

    def all(self) -> Iterable[Login]:
        """Return all logins."""
        return self.by_id.values()

    def look_again(self) -> None:
        """Ask the rules anew at each login's next request: something has changed for many."""
        for login in self.by_id.values():
            login.calm_until_ms = 0

    def enter_calmly(self, client_login_id: str, user_id: str, password: str) -> Participant | None:
        """Return the participant of a login that was verified before and need not be told
        anything; None if it takes a closer look."""
        known = self.cache.get(self.cache.digest("soap", client_login_id, user_id, password))
        if known is None:
            return None
        login, fits = known
        if fits != login.password_hash or self.clock.now_ms() >= login.calm_until_ms:
            return None
        return self._admitted(login.location_number)

    async def enter(
        self, client_login_id: str, user_id: str, password: str, sub_user_id: str | None
    ) -> Visit | LoginRefusal:
        """Verify a login; return who it is and how the login stands, or why it is refused."""
        try:
            return await self._enter(client_login_id, user_id, password, sub_user_id)
        except OverloadedError:
            return LoginRefusal.OVERLOADED
        except Recovery.TROUBLE as error:
            _log.warning("login not checked", action="login_failed", error=repr(error))
            return LoginRefusal.UNAVAILABLE

    async def _enter(
        self, client_login_id: str, user_id: str, password: str, sub_user_id: str | None
    ) -> Visit | LoginRefusal:
        digest = self.cache.digest("soap", client_login_id, user_id, password)
        login = self.by_id.get((client_login_id, user_id))
        if login is None:
            await self._check_stranger(digest, password)
            return LoginRefusal.WRONG
        if login.in_doubt:
            await self._reload(login)
        if self._is_locked(login):
            return LoginRefusal.LOCKED
        known = self.cache.get(digest)
        fits = known[1] if known is not None else None
        if fits is None or fits not in self._good_hashes(login):
            fits = await self._check(login, digest, password)
            if self._is_locked(login):  # Others have guessed meanwhile.
                return LoginRefusal.LOCKED
            if fits is None:
                return await self._note_failure(login)
            if fits not in self._good_hashes(login):
                return LoginRefusal.WRONG  # It was right when it was sent: no guess.
        uses_former = fits != login.password_hash
        self.cache.put(digest, (login, fits))
        state = login.stored.state
        if state.failure_count or state.locked_at_ms is not None:
            await self._note_success(login)
        return self._visit(login, sub_user_id, uses_former=uses_former)

    def _visit(
        self, login: Login, sub_user_id: str | None, *, uses_former: bool
    ) -> Visit | LoginRefusal:
        participant = self._admitted(login.location_number)
        if participant is None:
            return LoginRefusal.WRONG
        found = self.standing(login, uses_former=uses_former)
        needs_sub_user = login.stored.client_login_id in self.sub_user_clients
        if needs_sub_user and sub_user_id is None and found.duty is None:
            return LoginRefusal.SUB_USER_MISSING
        # While a lock or another change may have been stored, the next request looks first.
        if not (uses_former or needs_sub_user or login.in_doubt):
            login.calm_until_ms = found.calm_until_ms
        return Visit(login, participant, uses_former, found.duty, found.notices)

    def standing(self, login: Login, *, uses_former: bool = False) -> Standing:
        """Return how a login stands now."""
        now_ms = self.clock.now_ms()
        return standing(
            login.stored.state, self.terms.dates, now_ms, self.rules, uses_former=uses_former
        )

    def _is_locked(self, login: Login) -> bool:
        return is_locked(login.stored.state, self.clock.now_ms(), self.rules)

    def _good_hashes(self, login: Login) -> tuple[str, ...]:
        former = login.stored.former_hash
        if former is None or self.clock.now_ms() >= login.stored.state.former_until_ms:
            return (login.password_hash,)
        return login.password_hash, former

    async def _check(self, login: Login, digest: bytes, password: str) -> str | None:
        """Return the stored hash that a password fits, None if none."""
        checking = login.checking
        if digest not in checking and len(checking) >= _CHECKS_OF_ONE_LOGIN_MAX:
            raise OverloadedError("too many passwords of one login are being checked")
        checking.add(digest)
        try:
            return await self.cache.find(digest, password, self._good_hashes(login))
        finally:
            checking.discard(digest)

    async def _check_stranger(self, digest: bytes, password: str) -> None:
        """Take as long as for a wrong password. Strangers wait in a line of their own, so that
        users find room however many there are."""
        if self._strangers_count >= _STRANGERS_AT_ONCE_MAX:
            raise OverloadedError("too many logins that do not exist are being checked")
        self._strangers_count += 1
        try:
            await self.cache.verify(digest, password, self._nobodys_hash)
        finally:
            self._strangers_count -= 1

    @asynccontextmanager
    async def change(self, login: Login) -> AsyncIterator[None]:
        """Hold `changing`, the login being what is stored."""
        async with self.changing:
            await self.settle(login)
            yield

    async def settle(self, login: Login) -> None:
        """Make a login what is stored, `changing` being held: a write that failed may have been
        done."""
        if login.in_doubt:
            login.take(await self.store.login(*login.stored[:2]))
            login.in_doubt = False

    async def _note_failure(self, login: Login) -> LoginRefusal:
        async with self.change(login):
            if self._is_locked(login):
                return LoginRefusal.LOCKED
            state = after_failure(login.stored.state, self.clock.now_ms(), self.rules)
            await self.put(login, login.stored._replace(state=state))
        if state.locked_at_ms is None:
            return LoginRefusal.WRONG
        _log.warning("login locked", action="login_locked", client=login.stored.client_login_id)
        return LoginRefusal.LOCKED_NOW

    async def _note_success(self, login: Login) -> None:
        async with self.change(login):
            state = login.stored.state
            if not self._is_locked(login):
                await self.put(login, login.stored._replace(state=after_success(state)))

    async def _reload(self, login: Login) -> None:
        async with self.change(login):
            pass

    async def put(self, login: Login, stored: StoredLogin, *, replaced: str | None = None) -> None:
        """Change a login, `changing` being held: stored first, then known. `replaced`: hash of a
        password that becomes history."""
        login.calm_until_ms = 0
        login.in_doubt = True
        if replaced is None:
            await self.store.put(stored)
        else:
            await self.store.put_with_history(
                stored, replaced, self.clock.now(), history_count=self.rules.history_count
            )
        login.in_doubt = False
        login.take(stored)

    async def change_password(
        self, visit: Visit, shown: str, current: str, new: str
    ) -> ChangeResult:
        """Give a login the password that its user wants. `shown`: the one it has logged in with;
        `current`: the one it says it has. Raises what `Recovery.TROUBLE` lists."""
        login = visit.login
        known = login.stored
        if visit.uses_former:
            return ChangeResult.ALREADY_REPLACED
        if not hmac.compare_digest(shown.encode(), current.encode()):
            return ChangeResult.CURRENT_WRONG
        if hmac.compare_digest(current.encode(), new.encode()):
            return ChangeResult.SAME
        if not fits_policy(new, self.rules):
            return ChangeResult.TOO_SIMPLE
        ids = known.client_login_id, known.user_id
        history = await self.store.history(*ids, self.rules.history_count)
        digest = self.cache.digest("change", *ids, new)
        try:
            if history and await self.cache.find(digest, new, history) is not None:
                return ChangeResult.USED_BEFORE
        except OverloadedError:
            return ChangeResult.OVERLOADED
        hashed = await self.cache.hash(new, self.hash_cost_log2, like=known.password_hash)
        async with self.change(login):
            if login.password_hash != known.password_hash:
                return ChangeResult.ALREADY_REPLACED
            state = after_change(login.stored.state, self.clock.now_ms(), self.rules)
            former = known.password_hash if state.former_until_ms else None
            changed = login.stored._replace(password_hash=hashed, former_hash=former, state=state)
            await self.put(login, changed, replaced=known.password_hash)
        return ChangeResult.DONE

    async def accept_terms(self, visit: Visit, version: int) -> TermsResult:
        """Note that a login's user has accepted terms. Raises what `Recovery.TROUBLE` lists."""
        login = visit.login
        if version not in self.terms:
            return TermsResult.UNKNOWN
        async with self.change(login):
            state: LoginState = login.stored.state
            if version <= state.accepted_version:
                return TermsResult.ALREADY_ACCEPTED
            accepted = login.stored._replace(state=state._replace(accepted_version=version))
            login.calm_until_ms = 0
            login.in_doubt = True
            await self.store.accept_terms(accepted, from_ms(self.clock.now_ms()))
            login.in_doubt = False
            login.take(accepted)
        return TermsResult.DONE
