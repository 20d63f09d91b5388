"""What a data directory remembers from one start to the next: ports, tokens, markets, database.

Pure: what is stored and what is wished come in, what to do comes out. The layout of fixed ports:

    base      the hub            base + 10 n      national system n = 1, 2 ...: pharmacies
    base + 1  its management     base + 10 n + 1  its management
    base + 2  PostgreSQL         base + 10 n + 2  where the hub reaches it
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from emvs.errors import UsageError
from emvs.infra.launch import defaults
from emvs.infra.launch.markets_choice import MarketChoice, parse_markets
from emvs.infra.launch.overrides import HUB, Overrides
from emvs.infra.postgres_dsn import parse_dsn
from emvs.markets import Dialect

PORTS_PER_SYSTEM: Final = 10
_PORT_MAX: Final = 65_535
_PORT_LOWEST: Final = 1024


class MarketSettings(msgspec.Struct, frozen=True):
    """A national system."""

    code: str
    dialects: tuple[Dialect, ...]
    position: int
    """Counts from 1; gives the fixed ports."""
    service_port: int
    management_port: int
    interconnect_port: int
    token: str
    """What it and the hub show to each other."""
    secure_port: int = 0
    """With TLS; 0 in what earlier versions wrote."""
    overrides: dict[str, Any] = {}
    """What the user has set: see `emvs.infra.launch.overrides`."""


class Settings(msgspec.Struct, frozen=True):
    """All that is kept. Holds secrets."""

    port_base: int
    hub_port: int
    hub_management_port: int
    postgres_port: int
    """0: the embedded server finds one and remembers it."""
    markets: dict[str, MarketSettings]
    """Every market that was ever run here."""
    running: tuple[str, ...]
    """Markets of the last start, in order."""
    manufacturer_token: str
    dsn: str | None = None
    hub_overrides: dict[str, Any] = {}
    hub_secure_port: int = 0
    """With TLS; 0 in what earlier versions wrote."""

    @property
    def running_markets(self) -> tuple[MarketSettings, ...]:
        """The national systems to start."""
        return tuple(self.markets[code] for code in self.running)

    def listeners(self) -> Iterator[tuple[str, int]]:
        """Yield what listens where, PostgreSQL's free port excepted."""
        yield "the hub", self.hub_port
        yield "the hub's management port", self.hub_management_port
        yield "the hub's port with TLS", self.hub_secure_port
        if self.postgres_port and self.dsn is None:
            yield "PostgreSQL", self.postgres_port
        for market in self.running_markets:
            yield f"the national system of {market.code}", market.service_port
            yield f"the port with TLS of {market.code}", market.secure_port
            yield f"the management port of {market.code}", market.management_port
            yield f"the hub's way to {market.code}", market.interconnect_port


class Wishes(msgspec.Struct, frozen=True):
    """What the user asked for; None where nothing was said."""

    markets: tuple[MarketChoice, ...] | None = None
    port_base: int | None = None
    dsn: str | None = None
    overrides: Overrides | None = None
    """Of all systems: those that are not named go back to their defaults."""


def choose_settings(
    stored: Settings | None, wishes: Wishes, *, pick_port: Callable[[], int]
) -> Settings:
    """Return the settings of this start. Raises UsageError if wishes contradict what is stored."""
    port_base = _port_base(stored, wishes)
    if stored is not None:
        settings = _with_markets(_with_dsn(stored, wishes), wishes, pick_port)
        settings = _with_overrides(settings, wishes)
        ports = [market.secure_port for market in settings.markets.values()]
        if 0 in {settings.hub_secure_port, *ports}:
            return _laid_out(settings, port_base, pick_port)
        return (
            settings if port_base == stored.port_base else _laid_out(settings, port_base, pick_port)
        )
    empty = Settings(
        port_base=port_base,
        hub_port=port_base,
        hub_management_port=port_base + 1,
        postgres_port=port_base + 2,
        markets={},
        running=(),
        manufacturer_token=secrets.token_urlsafe(24),
        dsn=wishes.dsn,
    )
    if wishes.dsn is not None:
        parse_dsn(wishes.dsn)
    default = Wishes(markets=wishes.markets or parse_markets(defaults.MARKETS))
    settings = _with_overrides(_with_markets(empty, default, pick_port), wishes)
    return _laid_out(settings, port_base, pick_port)


def with_new_ports(settings: Settings, *, pick_port: Callable[[], int]) -> Settings:
    """Return the settings with other free ports, because somebody has taken one of these."""
    assert settings.port_base == 0, "fixed ports are what the user asked for"
    return _laid_out(settings, 0, pick_port)


def _port_base(stored: Settings | None, wishes: Wishes) -> int:
    if wishes.port_base is None:
        return stored.port_base if stored is not None else defaults.PORT_BASE
    if wishes.port_base != 0 and not _PORT_LOWEST <= wishes.port_base <= _PORT_MAX:
        raise UsageError(
            f"--port-base {wishes.port_base}: ports are from {_PORT_LOWEST} to {_PORT_MAX};"
            " 0 takes free ones."
        )
    return wishes.port_base


def _with_dsn(stored: Settings, wishes: Wishes) -> Settings:
    if wishes.dsn is None:
        return stored
    wanted = parse_dsn(wishes.dsn)
    if stored.dsn is None or parse_dsn(stored.dsn) != wanted:
        known = "an embedded PostgreSQL" if stored.dsn is None else str(parse_dsn(stored.dsn))
        raise UsageError(
            f"The data directory belongs to {known}, not to {wanted}. Choose another directory"
            " with --data, or leave --dsn out."
        )
    return msgspec.structs.replace(stored, dsn=wishes.dsn)  # The password may be a new one.


def _with_markets(settings: Settings, wishes: Wishes, pick_port: Callable[[], int]) -> Settings:
    """Return the settings with the wished markets running; new ones get the next position."""
    if wishes.markets is None:
        return settings
    markets = dict(settings.markets)
    for choice in wishes.markets:
        known = markets.get(choice.code)
        if known is not None:
            markets[choice.code] = msgspec.structs.replace(known, dialects=choice.dialects)
            continue
        position = 1 + max((market.position for market in markets.values()), default=0)
        market = MarketSettings(
            code=choice.code,
            dialects=choice.dialects,
            position=position,
            service_port=0,
            management_port=0,
            interconnect_port=0,
            token=secrets.token_urlsafe(24),
        )
        markets[choice.code] = _placed(market, settings.port_base, pick_port)
    running = tuple(choice.code for choice in wishes.markets)
    return msgspec.structs.replace(settings, markets=markets, running=running)


def _with_overrides(settings: Settings, wishes: Wishes) -> Settings:
    """Return the settings with what the user sets now. Raises UsageError if it is set for nobody.

    What names a market that never ran here would be a typing error without effect.
    """
    wanted = wishes.overrides
    if wanted is None:
        return settings
    if absent := sorted(wanted.keys() - settings.markets.keys() - {HUB}):
        raise UsageError(
            f"--settings names {absent[0]}, which does not run here; there are"
            f" {', '.join(settings.markets)}."
        )
    markets = {
        code: msgspec.structs.replace(market, overrides=wanted.get(code, {}))
        for code, market in settings.markets.items()
    }
    return msgspec.structs.replace(settings, markets=markets, hub_overrides=wanted.get(HUB, {}))


def _laid_out(settings: Settings, port_base: int, pick_port: Callable[[], int]) -> Settings:
    """Return the settings with every port chosen anew."""
    is_fixed = port_base != 0
    return msgspec.structs.replace(
        settings,
        port_base=port_base,
        hub_port=port_base if is_fixed else pick_port(),
        hub_management_port=port_base + 1 if is_fixed else pick_port(),
        hub_secure_port=port_base + 3 if is_fixed else pick_port(),
        postgres_port=port_base + 2 if is_fixed else 0,
        markets={
            code: _placed(market, port_base, pick_port) for code, market in settings.markets.items()
        },
    )


def _placed(market: MarketSettings, port_base: int, pick_port: Callable[[], int]) -> MarketSettings:
    if port_base == 0:
        service, management, interconnect = pick_port(), pick_port(), pick_port()
        secure = pick_port()
    else:
        service = port_base + PORTS_PER_SYSTEM * market.position
        management, interconnect, secure = service + 1, service + 2, service + 3
        if secure > _PORT_MAX:
            raise UsageError(
                f"--port-base {port_base} leaves no port for the national system of {market.code}:"
                f" it would be {secure}, and {_PORT_MAX} is the last one."
            )
    return msgspec.structs.replace(
        market,
        service_port=service,
        management_port=management,
        interconnect_port=interconnect,
        secure_port=secure,
    )
