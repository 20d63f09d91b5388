"""A finished run put together: figures, audit, verdict; as JSON, and its samples as CSV."""

from __future__ import annotations

import csv
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from loadtests.run.audit_check import AuditResult
from loadtests.run.measured import (
    Group,
    Lateness,
    Series,
    codes_of,
    groups_of,
    lateness_of,
    series_of,
    span_of,
)
from loadtests.run.server_side import ServerSeries, ServerTimes, server_series, server_times
from loadtests.run.verdict import Bottleneck, Row, find_bottleneck, judge
from loadtests.run.watching import SERVER_NAME, read_lines
from loadtests.scenarios.curves import rate_at, total
from loadtests.scenarios.mix import Fault, Operation, Role
from loadtests.scenarios.plan import Plan
from loadtests.scenarios.samples import Flag, Rows, Verdict

ROWS_NAME: Final = "samples.bin"
NOTES_NAME: Final = "generator.jsonl"
REPORT_NAME: Final = "report.json"
CSV_NAME: Final = "samples.csv"
_CSV_CHUNK: Final = 50_000
_COLUMNS: Final = (
    "planned_s", "late_ms", "took_ms", "market", "dialect", "role", "location", "operation",
    "packs", "first_pack", "http_status", "code", "verdict", "fault", "manual", "intermarket",
    "repeat", "lane_waited",
)  # fmt: skip


class Results(NamedTuple):
    """All that a report shows."""

    plan: Plan
    groups: list[Group]
    lateness: Lateness
    codes: list[dict[str, Any]]
    series: Series
    planned_rate: list[float]
    generator_cpu: list[tuple[list[float], list[float]]]
    """Of each process: seconds of the run, cores."""
    busy: tuple[list[float], list[float]]
    """Requests under way, over time."""
    server_times: list[ServerTimes]
    server_series: ServerSeries
    audits: list[AuditResult]
    audit_note: str
    """Why there is no comparison, if there is none."""
    rows: list[Row]
    bottleneck: Bottleneck
    sent: int
    span_s: float
    """To the last sending; more than planned where the load could not be sent in time."""
    finished: str
    machine: str

    @property
    def rate(self) -> float:
        """Transactions per second that were really sent."""
        return self.sent / self.span_s

    @property
    def kept(self) -> bool:
        """Whether every limit was kept."""
        return all(row.kept for row in self.rows)


def evaluate(
    plan: Plan,
    rows: Rows,
    folder: Path,
    *,
    audits: list[AuditResult],
    audit_note: str,
    limits: dict[str, float],
) -> Results:
    """Return the results of the run in a folder."""
    notes = read_lines(folder / NOTES_NAME)
    lines = read_lines(folder / SERVER_NAME)
    # What was under way when the run was stopped has no latency.
    groups = groups_of(rows[rows["verdict"] != Verdict.UNKNOWN], plan)
    sent = int((rows["operation"] < Operation.BULK_VERIFY).sum())
    unsent = sum(_last(notes, index, "unsent", 0) for index in _indexes(notes))
    # Who has died has told of nothing that it did not send.
    if plan.model != "closed" and not _are_all_over(notes):
        unsent = max(unsent, round(total(plan.scans, plan.duration_s) * _single_share(plan)) - sent)
    is_stopped = any(note.get("stopped", False) for note in notes)
    empty = sorted({name for note in notes for name in note["empty"]})
    series = series_of(rows, plan)
    cpu = [_cpu_of(notes, index) for index in _indexes(notes)]
    lateness = lateness_of(rows)
    started_at = min((note["started_at"] for note in notes), default=0.0)
    during = [line for line in lines if -2 <= line["time"] - started_at <= plan.duration_s + 4]
    return Results(
        plan=plan,
        groups=groups,
        lateness=lateness,
        codes=codes_of(rows),
        series=series,
        planned_rate=[round(_scan_rate(plan, at), 2) for at in series.at],
        generator_cpu=cpu,
        busy=_busy_of(notes),
        server_times=server_times(during),
        server_series=server_series(during, started_at=started_at),
        audits=audits,
        audit_note=audit_note,
        rows=judge(groups, audits, planned=sent + unsent, limits=limits),
        bottleneck=find_bottleneck(
            lateness,
            [float(np.percentile(used, 95)) for _, used in cpu if used],
            unsent=unsent,
            empty=empty,
            unknown=int((rows["verdict"] == Verdict.UNKNOWN).sum()),
        ),
        sent=sent,
        span_s=round(span_of(rows, plan, is_stopped=is_stopped), 2),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}",
    )


def _scan_rate(plan: Plan, at: float) -> float:
    """Return the planned rate of single packs: what goes many at once is left out."""
    bulk = min(0.95, plan.bulk_share * rate_at(plan.bulk, at))
    others = 1 - plan.role_shares[Role.PHARMACY]
    return rate_at(plan.scans, at) * (1 - bulk * others)


def _are_all_over(notes: list[dict[str, Any]]) -> bool:
    """Whether each load generator has told that it is through."""
    over = {note["index"] for note in notes if note["over"]}
    return len(over) == max((note.get("generators", 1) for note in notes), default=1)


def _single_share(plan: Plan) -> float:
    """Return the share of packs that do not go many at once, over the whole run."""
    steps = [plan.duration_s * (number + 0.5) / 100 for number in range(100)]
    planned = sum(rate_at(plan.scans, at) for at in steps)
    return sum(_scan_rate(plan, at) for at in steps) / planned if planned else 1.0


def _indexes(notes: list[dict[str, Any]]) -> list[int]:
    return sorted({note["index"] for note in notes})


def _last(notes: list[dict[str, Any]], index: int, name: str, default: Any) -> Any:
    values = [note[name] for note in notes if note["index"] == index]
    return values[-1] if values else default


def _cpu_of(notes: list[dict[str, Any]], index: int) -> tuple[list[float], list[float]]:
    mine = [note for note in notes if note["index"] == index and not note["over"]]
    return [note["at"] for note in mine], [note["cpu"] for note in mine]


def _busy_of(notes: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    total: dict[int, float] = {}
    for note in notes:
        total[round(note["at"])] = total.get(round(note["at"]), 0.0) + note["busy"]
    return [float(at) for at in sorted(total)], [total[at] for at in sorted(total)]


def as_json(results: Results) -> bytes:
    """Return the results as a document, without the plan's logins."""
    plan = results.plan
    document = {
        "run": {
            "preset": plan.preset,
            "seed": plan.seed,
            "model": plan.model,
            "client": plan.client,
            "duration_s": plan.duration_s,
            "markets": plan.market_shares,
            "roles": {str(role): share for role, share in plan.role_shares.items()},
            "alerts": plan.alerts,
            "intermarket": plan.intermarket,
            "manual": plan.manual,
            "duplicates": plan.duplicates,
            "bulk": plan.bulk_share,
            "packs": {one.market: one.count for one in plan.packs},
            "lanes": plan.lanes,
            "finished": results.finished,
            "machine": results.machine,
        },
        "kept": results.kept,
        "sent": results.sent,
        "span_s": results.span_s,
        "rate": round(results.rate, 2),
        "verdict": [row._asdict() for row in results.rows],
        "generator_was_the_bottleneck": results.bottleneck.is_generator,
        "remarks": results.bottleneck.sentences,
        "groups": [
            {**group._asdict(), "latency": group.latency._asdict()} for group in results.groups
        ],
        "lateness": results.lateness._asdict(),
        "codes": results.codes,
        "server": [one._asdict() for one in results.server_times],
        "audit": [one._asdict() for one in results.audits],
        "audit_note": results.audit_note,
        "series": results.series._asdict() | {"planned_rate": results.planned_rate},
        "generator_cpu": results.generator_cpu,
        "server_series": results.server_series._asdict(),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)


def write_csv(rows: Rows, plan: Plan, path: Path) -> None:
    """Write every sample as a line."""
    sites = plan.sites
    operations = {int(operation): operation.label for operation in Operation}
    faults = {int(fault): fault.name.lower() for fault in Fault}
    verdicts = {int(verdict): str(verdict.name).lower() for verdict in Verdict}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for start in range(0, len(rows), _CSV_CHUNK):
            writer.writerows(
                (
                    f"{planned:.6f}", f"{late * 1000:.3f}", f"{took * 1000:.3f}",
                    sites[site].market, "hub" if operation >= Operation.UPLOAD
                    else sites[site].dialect, sites[site].role, sites[site].location,
                    operations[operation], count, pack, status, code.decode(errors="replace"),
                    verdicts[verdict], faults[fault], int(bool(flags & Flag.MANUAL)),
                    int(bool(flags & Flag.FOREIGN)), int(bool(flags & Flag.REPEAT)),
                    int(bool(flags & Flag.WAITED)),
                )
                for planned, late, took, pack, count, site, status, operation, fault, flags,
                verdict, code in rows[start : start + _CSV_CHUNK].tolist()
            )  # fmt: skip
