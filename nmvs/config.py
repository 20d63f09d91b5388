"""Settings of one national system, read once at start."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from emvs.errors import ConfigurationError
from emvs.limits import INTERMARKET_HUB_S_MAX
from emvs.login_rules import LoginRules
from emvs.markets import MARKETS, Dialect, Market
from emvs.rules import MarketRules
from emvs.states import State
from nmvs.bulk.settings import BulkSettings
from nmvs.certificates.registry import CertificateSettings
from nmvs.credentials import COST_LOG2
from nmvs.ledger import OWNERSHIP_S_MAX
from nmvs.pack_index import PACKS_MAX
from nmvs.reports.settings import ReportSettings
from nmvs.rest.settings import RestSettings
from nmvs.soap.codes import known_codes
from nmvs.soap.settings import SoapSettings

_Settings = TypeVar(
    "_Settings",
    MarketRules,
    BulkSettings,
    CertificateSettings,
    LoginRules,
    ReportSettings,
    RestSettings,
    SoapSettings,
)


class TlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second public port with TLS, by certificates of the system's own authority."""

    port: int = 0
    names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    """Host names and addresses in the server's certificate."""
    client_certificates: bool = True
    """Whether SOAP messages need a client certificate (mutual TLS)."""
    soap_ports: Annotated[int, msgspec.Meta(ge=0, le=65_520)] | None = None
    """Each SOAP service on a port of its own besides, placed as in the real systems: that of the
    single-pack service, 8443 there. 0 takes free ones, None opens none."""


class NmvsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one national system. Port 0 takes a free one."""

    market: str
    dsn: str
    interconnect_token: Annotated[str, msgspec.Meta(min_length=16, pattern=r"\A[!-~]+\Z")]
    """What the hub shows to this system and this system to the hub."""
    schema: str = ""
    """Default: `nmvs_` and the market's code."""
    host: str = "127.0.0.1"
    port: int = 0
    """Where pharmacies and wholesalers connect."""
    management_host: str = "127.0.0.1"
    management_port: int = 0
    interconnect_port: int = 0
    """Where the hub connects."""
    tls: TlsConfig | None = None
    """None: plain HTTP alone."""
    plain: bool = True
    """Whether the port without TLS is open too, for loopback and load tests."""
    certificates: dict[str, Any] = {}
    """Overrides of single settings of `nmvs.certificates.registry.CertificateSettings`."""
    hub_url: str | None = None
    """None: no intermarket requests."""
    intermarket_s_max: Annotated[float, msgspec.Meta(gt=0)] = INTERMARKET_HUB_S_MAX
    """How long an intermarket request waits for the hub, which needs less for the other markets:
    its own `limits.intermarket_s_max`."""
    dialects: tuple[Dialect, ...] = ()
    """Default: the market's own."""
    rules: dict[str, Any] = {}
    """Overrides of single settings of `emvs.rules.MarketRules`."""
    logins: dict[str, Any] = {}
    """Overrides of single settings of `emvs.login_rules.LoginRules`: logins to the SOAP dialect."""
    rest: dict[str, Any] = {}
    """Overrides of single settings of `nmvs.rest.settings.RestSettings`."""
    reports: dict[str, Any] = {}
    """Overrides of single settings of `nmvs.reports.settings.ReportSettings`."""
    soap: dict[str, Any] = {}
    """Overrides of single settings of `nmvs.soap.settings.SoapSettings`. `verify_codes` has names
    of states as keys, such as "RECALLED": "FE_LOT_01"."""
    bulk: dict[str, Any] = {}
    """Overrides of single settings of `nmvs.bulk.settings.BulkSettings`."""
    non_fmd_product_codes: tuple[str, ...] = ()
    """Products outside the scope of verification, beside those that the management port lists."""
    packs_max: int = PACKS_MAX
    """Packs that the index has room for; memory is used as packs come."""
    ownership_s_max: float = OWNERSHIP_S_MAX
    """How long a start waits for another process's session on the same schema to end."""
    password_hash_cost_log2: Annotated[int, msgspec.Meta(ge=4, le=20)] = COST_LOG2
    """Cost of a new password hash (scrypt's n as a power of two): 16 MiB and 40 ms at 14."""
    ready_file: str | None = None
    """Written once everything listens."""
    log_level: str = "info"

    @property
    def schema_name(self) -> str:
        """Schema of this system's tables."""
        return self.schema or f"nmvs_{self.market.lower()}"

    def market_row(self) -> Market:
        """Return the market, or raise ConfigurationError."""
        row = MARKETS.get(self.market)
        if row is None:
            raise ConfigurationError(
                f"{self.market!r} is no market of the system: {', '.join(MARKETS)}"
            )
        return row

    def market_rules(self) -> MarketRules:
        """Return the market's rules with the overrides, or raise ConfigurationError."""
        return _changed(self.market_row().rules, self.rules, "rules")

    def rest_settings(self) -> RestSettings:
        """Return the settings of the REST dialect, or raise ConfigurationError."""
        return _changed(RestSettings(), self.rest, "rest")

    def login_rules(self) -> LoginRules:
        """Return the rules of logins to the SOAP dialect, or raise ConfigurationError."""
        return _changed(LoginRules(), self.logins, "logins")

    def certificate_settings(self) -> CertificateSettings:
        """Return the settings of certificates, or raise ConfigurationError."""
        return _changed(CertificateSettings(), self.certificates, "certificates")

    def report_settings(self) -> ReportSettings:
        """Return the settings of reports, or raise ConfigurationError."""
        return _changed(ReportSettings(), self.reports, "reports")

    def soap_settings(self) -> SoapSettings:
        """Return the settings of the SOAP dialect, or raise ConfigurationError."""
        overrides = dict(self.soap)
        if isinstance(named := overrides.get("verify_codes"), dict):
            if wrong := sorted(map(str, named.keys() - State.__members__.keys())):
                raise ConfigurationError(f"soap: verify_codes: no state is called {wrong[0]!r}")
            if wrong := sorted(set(map(str, named.values())) - set(known_codes(5))):
                raise ConfigurationError(f"soap: verify_codes: {wrong[0]!r} is no return code")
            overrides["verify_codes"] = {State[name]: code for name, code in named.items()}
        settings = _changed(SoapSettings(), overrides, "soap")
        if problem := settings.open_names.problem():
            raise ConfigurationError(f"soap: {problem}")
        return settings

    def bulk_settings(self) -> BulkSettings:
        """Return the settings of bulk requests, or raise ConfigurationError."""
        return _changed(BulkSettings(), self.bulk, "bulk")

    @property
    def ready_path(self) -> Path | None:
        """Where to write the ports once everything listens."""
        return Path(self.ready_file) if self.ready_file else None


def _changed(defaults: _Settings, overrides: dict[str, Any], member: str) -> _Settings:
    """Return settings with some of them overridden, each in its own type."""
    members = {field.name: getattr(defaults, field.name) for field in fields(defaults)}
    if unknown := sorted(overrides.keys() - members.keys()):
        raise ConfigurationError(f"{member}: no setting is called {unknown[0]!r}")
    try:
        return msgspec.convert(members | overrides, type(defaults))
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{member}: {error}") from error
