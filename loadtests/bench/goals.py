"""The goals: architecture.md, section 8, and no slower growth than it allows. One row each.

Beside them, without a bound: the same figures held against something else, friendlier or harder.
"""

from __future__ import annotations

from typing import Final

from loadtests.bench.figures import Goal

GOALS: Final = (
    Goal("verify REST ÷ constant", "verify REST", "constant GET", 0.60, "wire"),
    Goal("verify REST ÷ low-level constant", "verify REST", "low-level constant GET", None, "wire"),
    Goal(
        "verify REST, many batches ÷ constant",
        "verify REST, many batches",
        "constant GET",
        None,
        "wire",
    ),
    Goal("supply REST ÷ constant", "supply REST", "constant PATCH", 0.50, "wire"),
    Goal(
        "supply REST ÷ low-level constant",
        "supply REST",
        "low-level constant PATCH",
        None,
        "wire",
    ),
    Goal("verify SOAP ÷ constant", "verify SOAP", "constant SOAP", 0.45, "wire"),
    Goal(
        "verify SOAP ÷ low-level constant", "verify SOAP", "low-level constant SOAP", None, "wire"
    ),
    Goal(
        "verify SOAP, new texts ÷ constant",
        "verify SOAP, new texts",
        "constant SOAP",
        None,
        "wire",
    ),
    Goal("supply REST ÷ pgbench", "supply REST", "pgbench update + insert", 2.0, "wire"),
    Goal(
        "supply REST ÷ pgbench, one statement",
        "supply REST",
        "pgbench, one statement",
        None,
        "wire",
    ),
    Goal("upload until verifiable ÷ COPY in", "upload", "COPY in", 0.5, "upload"),
    Goal("memory per pack", "memory per pack", "", 40, "index", at_most=True, unit="bytes"),
    Goal(
        "process memory per pack, after deliveries",
        "process memory per pack, after deliveries",
        "",
        None,
        "large",
        unit="bytes",
    ),
    Goal("cold start ÷ COPY out", "cold start", "COPY out", 0.5, "large"),
    Goal(
        "verify with many packs ÷ with 10^5",
        "verify, most packs",
        "verify, 10^5 packs",
        0.9,
        "large",
    ),
    Goal(
        "p99 at half of capacity, REST",
        "mixed REST p99 open loop",
        "",
        20,
        "wire",
        at_most=True,
        unit="ms",
    ),
    Goal(
        "p99 at half of capacity, SOAP",
        "mixed SOAP p99 open loop",
        "",
        20,
        "wire",
        at_most=True,
        unit="ms",
    ),
    Goal("longest stall in an upload", "longest stall", "", 50, "upload", at_most=True, unit="ms"),
    Goal(
        "longest verification during an upload",
        "verify longest during an upload",
        "",
        None,
        "upload",
        unit="ms",
    ),
    Goal("two markets ÷ one", "two markets", "one market", 1.0, "markets"),
    *(
        Goal(f"{name} REST ÷ {peer}", f"{name} REST", f"{name} by {peer}", None, "peers")
        for peer in ("FastAPI + SQLAlchemy", "FastAPI + Redis")
        for name in ("verify", "supply")
    ),
)
