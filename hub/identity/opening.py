"""Identity put together: what the composition root opens, and the TLS port."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from emvs.infra.clock import MovableClock
from emvs.infra.tls import server_context
from emvs.infra.web import Site
from hub.identity.accounts import Accounts
from hub.identity.certificates import Certificates
from hub.identity.door import Door
from hub.identity.handlers import IdentityDesk, IdentityHandlers
from hub.identity.sessions import Sessions
from hub.identity.settings import IdentityConfig
from hub.organisations import Organisations
from hub.store.connections import Pool

_SERVER_LIFE: Final = timedelta(days=825)
"""As long as common clients take one; made again at each start."""


class Identity:
    """Organisations with their tokens, certificates and accounts."""

    def __init__(self, pool: Pool, clock: MovableClock, config: IdentityConfig) -> None:
        self._clock = clock
        self._config = config
        self._sessions = Sessions(pool, clock, session_s=config.session_s)
        self.organisations = Organisations(
            pool,
            self._sessions,
            tokens_without_end=config.tokens_without_end,
            exempt_client=config.exempt_client,
        )
        self.certificates = Certificates(pool, clock, days=config.certificate_days)
        self._accounts = Accounts(
            pool=pool, clock=clock, organisations=self.organisations, sessions=self._sessions
        )
        self._desk = IdentityDesk(
            pool=pool, organisations=self.organisations, certificates=self.certificates
        )
        self.tls_port: int | None = None

    async def load(self) -> None:
        """Read what there is."""
        await self._sessions.load()
        await self.organisations.load()
        await self.certificates.load()

    def door(self) -> Middleware:
        """Return the middleware that looks at each request of manufacturers."""
        required = self._config.certificate_required
        return Door(self.certificates, self.organisations, required=required).middleware()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the paths of manufacturers."""
        IdentityHandlers(
            organisations=self.organisations,
            accounts=self._accounts,
            certificates=self.certificates,
            certificate_required=self._config.certificate_required,
        ).add_routes(router)

    def add_management_routes(self, router: web.UrlDispatcher) -> None:
        """Add the paths of the management port."""
        self._desk.add_routes(router)

    async def listen(self, site: Site, host: str) -> None:
        """Let the public site listen with TLS as well, if it is to."""
        if self._config.tls_port is None:
            return
        authority = self.certificates.authority
        issued = authority.issue_server(
            self._config.tls_names, self._clock.real_now(), _SERVER_LIFE
        )
        tls = server_context(issued, authority.root_pem, asks_client=True)
        self.tls_port = await site.listen_with_tls(host, self._config.tls_port, tls)
