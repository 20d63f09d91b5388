"""The plan of a run: all that a load generator must know, as one JSON document. Holds test logins.

Whoever prepares a run writes it (`loadtests.run.preparing`); every Locust process gets it from its
master, so that a machine needs nothing but this package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from loadtests.scenarios.curves import Points, total
from loadtests.scenarios.mix import Role
from loadtests.scenarios.packs import MarketPacks

PLAN_VARIABLE: Final = "EMVS_LOAD_PLAN"
"""Environment variable with the plan's path."""


class SoapLogin(msgspec.Struct, frozen=True):
    """A login to the SOAP services."""

    client_login_id: str
    user_id: str
    password: str


class RestLogin(msgspec.Struct, frozen=True):
    """A login to the REST services."""

    client_id: str
    client_secret: str


class Site(msgspec.Struct, frozen=True):
    """A place where packs are scanned: a participant of one market, over one dialect."""

    number: int
    """Its place in the plan, which samples name."""
    market: str
    role: Role
    location: str
    base: str
    """Address before the services' paths: `http(s)://host:port`."""
    soap: SoapLogin | None = None
    rest: RestLogin | None = None
    certificate: str | None = None
    """Client certificate and its key as PEM."""

    @property
    def dialect(self) -> str:
        """The wire interface, as people read it."""
        return "SOAP" if self.soap else "REST"


class Maker(msgspec.Struct, frozen=True):
    """The manufacturer that uploads and recalls while the run goes."""

    hub_url: str
    token: str
    organisation_id: str
    client_id: str
    products: dict[str, str]
    """Product code by market."""


class Plan(msgspec.Struct, frozen=True):
    """A run."""

    preset: str
    seed: int
    duration_s: float
    model: str
    """"open": arrivals keep their schedule; "closed": each till waits for its answer."""
    client: str
    """"wire" or "fasthttp"."""
    scans: Points
    goods_in: Points
    bulk: Points
    uploads: Points
    market_shares: dict[str, float]
    role_shares: dict[Role, float]
    alerts: float
    intermarket: float
    manual: float
    duplicates: float
    bulk_share: float
    recalls: int
    pauses: bool
    lanes: int
    """Requests that one process has under way at most."""
    sites: list[Site]
    packs: list[MarketPacks]
    foreign: MarketPacks | None
    """Packs of the neighbour."""
    maker: Maker | None
    ca: str | None
    """Roots to trust, as PEM; None without TLS."""
    timeout_s: float = 10.0
    managements: dict[str, str] = {}
    """Management address of each market, for figures and the audit trail."""
    pace: float = 1.0
    """Factor on pauses between scans; below 1 where a curve is much compressed."""
    recall_share: float = 0.0
    """Share of new packs that are of a batch which is recalled in this run."""
    processes: dict[str, int] = {}
    """Process ids of servers on this machine."""

    @property
    def transactions(self) -> float:
        """How many transactions are planned."""
        return total(self.scans, self.duration_s)

    def to_json(self) -> bytes:
        """Return the document."""
        return msgspec.json.encode(self)


def read_plan(source: Path | str | bytes) -> Plan:
    """Return the plan in a file or in a document. Raises OSError or msgspec.MsgspecError."""
    document = source if isinstance(source, bytes) else Path(source).read_bytes()
    return msgspec.json.decode(document, type=Plan)
