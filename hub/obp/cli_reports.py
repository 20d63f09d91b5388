"""The command `obp report`: asks for a report, waits until it is made, shows or writes it."""

from __future__ import annotations

import csv
import io
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from emvs.errors import UsageError
from emvs.report_messages import REPORT_TYPES, Report, ReportFormat, ReportStatus
from hub.obp import cli_output
from hub.obp.cli_running import Desk, Done, EndpointsOption, JsonOption, ProfileOption, run_asking
from hub.obp.client import ObpClient
from hub.obp.exit_codes import ExitCode

_AGREES: Final = "Agrees"


class ReportType(StrEnum):
    """Kinds of reports as the command line has them."""

    PRODUCT_STATUS = "product-status"
    BATCH_STATUS = "batch-status"
    PACK_AUDIT = "pack-audit"
    MARKET = "market"
    ALERT = "alert"
    RECONCILIATION = "reconciliation"


assert set(ReportType.__members__) == set(REPORT_TYPES), "every kind can be asked for"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
    report_type: Annotated[
        ReportType | None, typer.Argument(help="Kind of report; without one, those that are kept.")
    ] = None,
    report_id: Annotated[str | None, typer.Option("--id", help="Fetch this one again.")] = None,
    product_code: Annotated[
        str | None, typer.Option("--product", help="Only this product.")
    ] = None,
    batch: Annotated[str | None, typer.Option(help="Only this batch.")] = None,
    serial: Annotated[str | None, typer.Option(help="Pack of a pack-audit.")] = None,
    market: Annotated[list[str] | None, typer.Option(help="Only this market; repeat it.")] = None,
    since: Annotated[str | None, typer.Option(help="Alerts from then on, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Alerts before then.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write CSV into this file.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Wait at most so many seconds.", min=0)
    ] = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for a report: product-status, batch-status, pack-audit, market, alert, reconciliation.

    A reconciliation in which a market does not hold what was sent ends with exit code 1.
    """

    async def ask(client: ObpClient) -> Done:
        if report_type is None and report_id is None:
            return _listed(await client.reports())
        wanted = report_id
        if wanted is None and report_type is not None:
            asked = await client.request_report(
                report_type.name,
                format=ReportFormat.CSV if output is not None else ReportFormat.JSON,
                productCode=product_code,
                batchId=batch,
                serialNumber=serial,
                markets=market or None,
                since=since,
                until=until,
            )
            wanted = asked.reportId
        made, content = await client.made_report(wanted or "", timeout_s=timeout)
        if made.format is ReportFormat.CSV:
            _write(content, output)
        return _done(made, content, output)

    run_asking(Desk(profile, endpoints, as_json), ask)


def _listed(found: list[Report]) -> Done:
    rows = [
        (one.requestedAt[:19], one.reportType, one.status, one.rowCount, one.reportId)
        for one in found
    ]
    return Done(
        ExitCode.OK,
        {"ok": True, "reports": msgspec.to_builtins(found)},
        lambda: cli_output.print_table(("requested", "type", "status", "rows", "report id"), rows),
    )


def _done(made: Report, content: bytes, output: Path | None) -> Done:
    rows = made.rows
    if made.format is ReportFormat.CSV:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    agrees = all(row.get("result", _AGREES) == _AGREES for row in rows)
    failed = made.status is ReportStatus.FAILED
    code = ExitCode.REFUSED if failed or not agrees else ExitCode.OK

    def show() -> None:
        if failed:
            print(f"the report could not be made: {made.error}")
        elif output is not None:
            print(f"{len(rows):,} rows in {output}")
        else:
            heads = list(rows[0]) if rows else []
            cli_output.print_table(
                heads, [[_cell(row.get(name)) for name in heads] for row in rows]
            )
        if made.truncated:
            print("there is more than a report holds")
        print(f"report {made.reportId}")

    answer = {"ok": code is ExitCode.OK, **msgspec.to_builtins(made), "rows": rows}
    return Done(code, answer, show)


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, int | str) else str(value)
