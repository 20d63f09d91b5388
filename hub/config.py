"""What the hub is told at start: one JSON or TOML file, read once (`emvs.infra.config`).

Nothing else reads settings. Figures are our choice unless they name a source.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from emvs import limits
from emvs.errors import ConfigurationError
from emvs.markets import MARKETS
from hub.identity.settings import IdentityConfig

Port = Annotated[int, Meta(ge=0, le=65_535)]
Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
_TOKEN: Final = re.compile(r"[!-~]{16,1000}")


class MarketConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a national system listens for the hub."""

    interconnect_url: str
    """Base address, without `/hub/v1`."""
    token: str
    """What the hub shows to it: at least 16 printable ASCII characters."""


class RetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a delivery is repeated. No real figures are public."""

    first_wait_s: Positive = 0.5
    wait_s_max: Positive = 30.0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Share of a wait that is drawn at random, so that markets do not come back in step."""
    give_up_after_s: Positive = 7 * 86_400.0
    """By the system's clock, from the first failed attempt; then the delivery has failed (STDF).
    Recalls and withdrawals are never given up."""
    attempt_s_max: Positive = 60.0
    """A national system that takes longer for one delivery is tried again."""


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds that a test may want to reach; the defaults are those of `emvs.limits`."""

    serials_per_message_max: Count = limits.SERIALS_PER_MESSAGE_MAX
    body_bytes_max: Count = limits.HUB_BODY_BYTES_MAX
    body_read_s_max: Positive = 60.0
    uploads_in_memory_max: Count = 8
    """Bodies of more than 1 MiB, or packed, read and decoded at one time: some 50 MB each."""
    small_uploads_in_memory_max: Count = 256
    """Smaller ones: some kilobytes each as a rule."""
    requests_unchecked_max: Count = 2_000
    deliveries_waiting_per_market_max: Count = limits.DELIVERIES_WAITING_PER_MARKET_MAX
    intermarket_s_max: Positive = limits.INTERMARKET_MARKET_S_MAX
    intermarket_concurrent_max: Count = limits.INTERMARKET_CONCURRENT_MAX
    ownership_s_max: Positive = 10.0
    """How long a start waits for the session of a killed predecessor to end (our choice)."""
    answers_kept_s: Positive = 30 * 86_400.0
    """How long serial numbers stay in answers about them (Art. 33: the hub stores none), and the
    content of requests that wait for nothing."""


class CallbackConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How organisations are called back. The retry times are those the sources propose."""

    hosts_allowed: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
    """Hosts that a callback URL may name, as they are written in it; "*" allows any. Whoever has a
    client's token makes the hub call these, so by default only this machine."""
    attempt_s_max: Positive = 10.0
    """An endpoint that takes longer has not answered."""
    retry_waits_s: Annotated[tuple[Positive, ...], Meta(min_length=1, max_length=100)] = (
        60.0,
        300.0,
        900.0,
        3600.0,
    )
    """Waits between attempts by the system's clock; the last one repeats."""
    give_up_after_s: Positive = 86_400.0
    """From the first failed attempt; the last attempt is made then."""
    organisations_at_once_max: Count = 100
    """Organisations called at the same time, each with one notice."""


class ReportConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How reports are made and kept (our choice)."""

    rows_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000
    """Rows of one report; what is beyond is left out, and said so."""
    waiting_per_organisation_max: Count = 20
    at_once_max: Count = 4
    """Reports made at one time, of one organisation one."""
    kept_s: Positive = 7 * 86_400.0
    """How long the content of a report is kept, by the system's clock."""
    market_s_max: Positive = 60.0
    """A market that takes longer to count its packs has not answered."""

    @property
    def kept_ms(self) -> int:
        """`kept_s` in milliseconds."""
        return int(self.kept_s * 1000)


class HubConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hub's settings."""

    dsn: str
    schema: str = "hub"
    host: str = "127.0.0.1"
    port: Port = 0
    """0: any free one; the ready file tells which."""
    management_host: str = "127.0.0.1"
    management_port: Port = 0
    ready_file: str | None = None
    markets: dict[str, MarketConfig] = {}
    national_tokens: dict[str, str] = {}
    """Market to the token its national system shows to the hub: like the hub's to it."""
    retry: RetryConfig = RetryConfig()
    callbacks: CallbackConfig = CallbackConfig()
    identity: IdentityConfig = IdentityConfig()
    reports: ReportConfig = ReportConfig()
    limits: LimitsConfig = LimitsConfig()
    log_level: str = "info"
    seed: int | None = None
    """Of the jitter."""

    def systems(self) -> dict[str, MarketConfig]:
        """Return the national systems connected here, by the market whose system each is.

        Raises ConfigurationError if a market is unknown, a token too weak, or one system has two
        addresses.
        """
        systems: dict[str, MarketConfig] = {}
        for code, market in self.markets.items():
            system = _system_of(code, "markets")
            _check_token(market.token, f"markets.{code}.token")
            if systems.setdefault(system, market) != market:
                raise ConfigurationError(
                    f"markets.{code}: the system of {system} serves it, and has another address"
                )
        return systems

    def national_systems_by_token(self) -> dict[str, str]:
        """Return which national system shows which token.

        Raises ConfigurationError if a market is unknown, a token too weak, or shared.
        """
        by_token: dict[str, str] = {}
        for code, token in self.national_tokens.items():
            system = _system_of(code, "national_tokens")
            _check_token(token, f"national_tokens.{code}")
            if by_token.setdefault(token, system) != system:
                raise ConfigurationError(f"national_tokens.{code}: another system has this token")
        return by_token


def _system_of(code: str, setting: str) -> str:
    if code not in MARKETS:
        raise ConfigurationError(f"{setting}.{code}: no market of the EMVS has this code")
    return MARKETS[code].system


def _check_token(token: str, setting: str) -> None:
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            f"{setting}: a token is at least 16 printable ASCII characters without blanks"
        )
