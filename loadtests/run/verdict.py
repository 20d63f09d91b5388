"""Whether a run is good: limits and what they are held against, row by row. Pure.

Delegated Regulation (EU) 2016/161, Art. 35(1)(f): at least 95 % of queries are answered within
300 ms, the network excluded. Here each operation in each market must keep it, from the planned
moment. The other limits are our choice; each can be set.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from emvs.errors import UsageError
from loadtests.run.audit_check import AuditResult
from loadtests.run.measured import Group, Lateness

LIMITS: Final = {
    "p95_ms": 300.0,
    "error_share": 0.001,
    "unexpected_share": 0.0,
    "lost": 0.0,
    "doubled": 0.0,
    "unasked": 0.0,
    "sent_share": 0.99,
}
"""By name: milliseconds, shares of all requests, numbers of packs. Each is the last good value; of
what was planned at least `sent_share` must have been sent."""
_MEANINGS: Final = {
    "p95_ms": "kept by 95 % from the planned moment, ms (Art. 35)",
    "error_share": "requests without a usable answer, share",
    "unexpected_share": "answers that the pack's history does not allow, share",
    "lost": "changes told as done and not in the audit trail",
    "doubled": "packs decommissioned twice without an undo between",
    "unasked": "changes in the audit trail that nobody asked for",
    "sent_share": "transactions sent of those planned, share",
}
_OWN_LATE_MS_MAX: Final = 50.0
_CPU_MAX: Final = 0.95
_LANE_SHARE_MAX: Final = 0.01


class Row(NamedTuple):
    """One comparison."""

    name: str
    subject: str
    """Operation and market, or "all"."""
    meaning: str
    limit: float
    value: float
    kept: bool

    @property
    def shown(self) -> str:
        """The value as people read it: of one request alone no latency can be told."""
        return "1 only" if self.name == "p95_ms" and not self.value else f"{self.value:,.6g}"


class Bottleneck(NamedTuple):
    """Whether the generator gave out, and how one sees it."""

    is_generator: bool
    sentences: list[str]


def read_limits(path: Path | None, given: dict[str, float | None]) -> dict[str, float]:
    """Return the limits: the defaults, then a TOML file's table `limits`, then what was given.

    Raises UsageError for names and values that cannot be.
    """
    limits = dict(LIMITS)
    if path is not None:
        try:
            document = tomllib.loads(path.read_text())
        except OSError as error:
            raise UsageError(f"--limits {path}: {error.strerror}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"--limits {path}: {error}") from error
        table = document.get("limits")
        if not isinstance(table, dict) or len(document) > 1:
            raise UsageError(f"--limits {path}: one table, [limits], holds all limits")
        for name, value in table.items():
            if name not in LIMITS or not isinstance(value, int | float) or isinstance(value, bool):
                raise UsageError(
                    f"--limits {path}: {name} = {value!r}; there are {', '.join(LIMITS)}, with"
                    " numbers"
                )
            limits[name] = float(value)
    limits |= {name: value for name, value in given.items() if value is not None}
    for name, value in limits.items():
        if not value >= 0:
            raise UsageError(f"{name} = {value:g}: a limit is not negative")
        if name.endswith("_share") and value > 1:
            raise UsageError(f"{name} = {value:g}: a share is from 0 to 1 (3 % is 0.03)")
    return limits


def judge(
    groups: Sequence[Group],
    audits: Sequence[AuditResult],
    *,
    planned: int,
    limits: dict[str, float],
) -> list[Row]:
    """Return all comparisons. `planned`: transactions that should have been sent."""
    rows = [
        _row("p95_ms", f"{group.market} {group.dialect} {group.operation}", limits,
             group.within_ms)
        for group in groups
        if group.is_single
    ]  # fmt: skip
    single = [group for group in groups if group.is_single]
    sent = sum(group.requests for group in single)
    everything = max(1, sum(group.requests for group in groups))
    errors = sum(group.errors for group in groups)
    unexpected = sum(group.unexpected for group in groups)
    rows += [
        _row("error_share", "all", limits, errors / everything),
        _row("unexpected_share", "all", limits, unexpected / everything),
    ]
    share = min(1.0, sent / planned) if planned else 1.0
    limit = limits["sent_share"]
    meaning = _MEANINGS["sent_share"]
    rows.append(Row("sent_share", "all", meaning, limit, round(share, 6), share >= limit))
    for audit in audits:
        rows += [
            _row(name, audit.market, limits, float(getattr(audit, name)))
            for name in ("lost", "doubled", "unasked")
        ]
    return rows


def _row(name: str, subject: str, limits: dict[str, float], value: float) -> Row:
    limit = limits[name]
    return Row(name, subject, _MEANINGS[name], limit, round(value, 6), value <= limit)


def rows_to_print(rows: Sequence[Row]) -> list[Row]:
    """Return those for a terminal: of latencies that are kept only the worst. A page has all."""
    kept = [row for row in rows if row.name == "p95_ms" and row.kept]
    worst = max(kept, key=lambda row: row.value, default=None)
    return [row for row in rows if row not in kept or row is worst]


def find_bottleneck(
    lateness: Lateness,
    cpu: Sequence[float],
    *,
    unsent: int,
    empty: Sequence[str],
    unknown: int = 0,
) -> Bottleneck:
    """Return whether the figures are the generator's. `cpu`: each process's 95th percentile."""
    sentences = []
    if lateness.own["p95"] > _OWN_LATE_MS_MAX:
        sentences.append(
            f"lanes that waited for their moment were sent on {lateness.own['p95']:.0f} ms late"
            " (p95): the generator's processor did not keep up"
        )
    sentences += [
        f"generator process {number} used {share:.0%} of a core (p95)"
        for number, share in enumerate(cpu)
        if share > _CPU_MAX
    ]
    is_generator = bool(sentences)
    if lateness.lane_share > _LANE_SHARE_MAX:
        sentences.append(
            f"no lane was free for {lateness.lane_share:.1%} of the requests: the server answers"
            " too slowly for this rate, or --lanes is too small"
        )
    if unknown:
        sentences.append(
            f"{unknown} requests were under way when the run was stopped: whether they were done"
            " is not known, and counts neither for nor against anybody"
        )
    if unsent:
        sentences.append(f"{unsent} planned transactions were never sent")
    sentences += [f"the packs of {market} ran out: give more with --packs" for market in empty]
    return Bottleneck(is_generator or bool(empty), sentences)
