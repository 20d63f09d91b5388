"""Terms and conditions on file: versions with their dates, set by the national organisation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from emvs.errors import BadRequestError, NotFoundError
from emvs.login_rules import TermsDates
from nmvs.logins.store import LoginStore, StoredTerms, to_ms

VERSION_MAX: Final = 999_999_999
_VERSIONS_MAX: Final = 100
CONTENT_LENGTH_MAX: Final = 100_000
"""Characters of a text (our choice)."""
_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPAN: Final = timedelta(days=100 * 366)


class TermsOnFile:
    """The versions there are."""

    def __init__(self, store: LoginStore) -> None:
        self._store = store
        self._by_version: dict[int, StoredTerms] = {}
        self._changing = asyncio.Lock()
        self.dates: tuple[TermsDates, ...] = ()
        """Of all versions, oldest first."""
        self.changed: Callable[[], None] = lambda: None
        """Called after each change."""

    async def load(self) -> None:
        """Read all terms from the store."""
        self._by_version = {terms.version: terms for terms in await self._store.terms()}
        self._derive()

    def all(self) -> list[StoredTerms]:
        """Return all versions, oldest first."""
        return [self._by_version[version] for version in sorted(self._by_version)]

    @property
    def newest(self) -> StoredTerms | None:
        """The version that users are shown: the newest, in force or not."""
        return self._by_version[max(self._by_version)] if self._by_version else None

    def __contains__(self, version: int) -> bool:
        return version in self._by_version

    async def put(
        self, version: int, *, content: str, starts_at: datetime, accept_by: datetime
    ) -> StoredTerms:
        """Store a version, new or changed. Raises BadRequestError."""
        if not 1 <= version <= VERSION_MAX:
            raise BadRequestError(f"version is from 1 to {VERSION_MAX}")
        if not 1 <= len(content) <= CONTENT_LENGTH_MAX or _NOT_IN_XML.search(content):
            raise BadRequestError(
                f"text has 1 to {CONTENT_LENGTH_MAX} characters, and none that XML does not know"
            )
        if not timedelta() <= accept_by - starts_at <= _SPAN or starts_at.year < 1970:
            raise BadRequestError("accept_by does not come before starts_at")
        terms = StoredTerms(version, content, starts_at, accept_by)
        async with self._changing:
            if version not in self._by_version and len(self._by_version) >= _VERSIONS_MAX:
                raise BadRequestError(f"at most {_VERSIONS_MAX} versions are kept")
            await self._store.put_terms(terms)
            self._by_version[version] = terms
            self._derive()
        return terms

    async def drop(self, version: int) -> None:
        """Forget a version. Raises NotFoundError."""
        async with self._changing:
            if version not in self._by_version:
                raise NotFoundError(f"there are no terms with version {version}")
            await self._store.drop_terms(version)
            del self._by_version[version]
            self._derive()

    def _derive(self) -> None:
        self.dates = tuple(
            TermsDates(terms.version, to_ms(terms.starts_at), to_ms(terms.accept_by))
            for terms in self.all()
        )
        self.changed()
