"""Commands of `obp` that ask: statuses, packs, verifications, alerts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from emvs.alert_states import AlertReason, AlertState
from emvs.state_messages import PackAnswer
from hub.obp import cli_output
from hub.obp.cli_following import Waiting, exit_code_of, run_job
from hub.obp.cli_options import (
    BatchOption,
    CodeOption,
    ColumnOption,
    FormatOption,
    NoWaitOption,
    TimeoutOption,
    UncheckedOption,
    serial_numbers_of,
)
from hub.obp.cli_running import (
    CUT_OFF,
    CountOption,
    Desk,
    Done,
    EndpointsOption,
    JsonOption,
    ProfileOption,
    latest,
    run_asking,
)
from hub.obp.client import ObpClient
from hub.obp.exit_codes import ExitCode
from hub.obp.jobs import DISTRIBUTED, ENDED, INVALID, Job, JobEnd
from hub.obp.results import Alert

_SHOWN_MAX: Final = 20
_FILTER = "Which"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(packs)
    app.command()(verify)
    app.command()(alerts)


def status(
    transaction_id: Annotated[
        str | None,
        typer.Argument(help="Transaction id, acknowledgement id or the hub's; without one: list."),
    ] = None,
    count: CountOption = 20,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what became of a request, or list the last ones."""

    async def ask(client: ObpClient) -> Done:
        if transaction_id is None:
            return await _list(client)
        found = await client.status(transaction_id)
        if as_json:
            found = await client.complete(found)
        code = {DISTRIBUTED: ExitCode.OK, INVALID: ExitCode.REFUSED}.get(found.status)
        if code is None:
            code = ExitCode.REFUSED if found.status in ENDED else ExitCode.NOT_ENDED
        if any(entry.status.value in {"Rejected", "Refused", "Failed"} for entry in found.markets):
            code = ExitCode.REFUSED
        answer = {"ok": code is ExitCode.OK, **msgspec.to_builtins(found)}
        return Done(code, answer, lambda: cli_output.print_status(found))

    async def _list(client: ObpClient) -> Done:
        last = await latest(client.requests(newest_first=True), count)
        unsent, cut_off = client.unfinished(), client.cut_off()

        def show() -> None:
            cli_output.print_table(
                ("received", "type", "status", "product", "batch", "packs", "transaction id"),
                [
                    (
                        one.receivedAt[:19],
                        one.messageType,
                        one.status,
                        one.productCode,
                        one.batchId,
                        one.serialCount,
                        one.transactionId,
                    )
                    for one in last
                ],
            )
            if unsent:
                print(f"{len(unsent)} jobs are not wholly sent: `obp resume` goes on with them")
            for title in cut_off:
                print(f"{title}: {CUT_OFF}")

        answer = {
            "ok": True,
            "requests": msgspec.to_builtins(last),
            "unfinished": msgspec.to_builtins(unsent),
            "cutOff": cut_off,
        }
        return Done(ExitCode.OK, answer, show)

    run_asking(Desk(profile, endpoints, as_json), ask)


def packs(
    transaction_id: Annotated[str, typer.Argument(help="Of a change or verification.")],
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show pack by pack what each market made of a change or verification."""

    async def ask(client: ObpClient) -> Done:
        answers = [answer async for answer in client.pack_answers(transaction_id)]
        rows = _rows(answers)
        answer = {"ok": True, "packs": msgspec.to_builtins(answers)}
        return Done(
            ExitCode.OK,
            answer,
            lambda: cli_output.print_table(
                ("serial number", "market", "outcome", "state", "alert"), rows
            ),
        )

    run_asking(Desk(profile, endpoints, as_json), ask)


def verify(  # noqa: PLR0917 - typer calls it by name: each parameter is an option.
    product_code: CodeOption,
    batch: BatchOption,
    serial: Annotated[
        list[str] | None, typer.Argument(help="Serial numbers; or --serials FILE.")
    ] = None,
    serials: Annotated[
        Path | None, typer.Option("--serials", help="File of serial numbers.")
    ] = None,
    form: FormatOption = None,
    column: ColumnOption = None,
    unchecked_too: UncheckedOption = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify packs of one batch. Packs that no market knows raise alerts.

    Exit code 0 if all are active, 1 if some are not, 3 if an alert was raised.
    """
    if bool(serial) == (serials is not None):
        raise typer.BadParameter("give serial numbers, or a file of them with --serials")

    async def prepare(client: ObpClient) -> Job:
        numbers = serial or serial_numbers_of(
            serials or Path("-"), product_code, form, column, all_of=unchecked_too
        )
        return await client.prepare_verification(product_code, batch, numbers)

    async def report(client: ObpClient, end: JobEnd) -> Done:
        answers = [
            answer
            for message in end.job.messages
            async for answer in client.pack_answers(message.transaction_id)
        ]
        inactive = [answer for answer in answers if not _is_active(answer)]
        code = exit_code_of(end)
        if code is ExitCode.OK and inactive:
            code = ExitCode.REFUSED

        def show() -> None:
            counts = Counter(
                (one.market, one.outcome, one.state) for pack in answers for one in pack.markets
            )
            print(f"VBOP {end.job.title}: {len(answers):,} packs")
            cli_output.print_table(
                ("market", "outcome", "state", "packs"),
                [(*key, number) for key, number in sorted(counts.items(), key=str)],
            )
            shown = answers if len(answers) <= _SHOWN_MAX else inactive[:_SHOWN_MAX]
            if shown:
                print()
                heads = ("serial number", "market", "outcome", "state", "alert")
                cli_output.print_table(heads, _rows(shown))
            if len(answers) > _SHOWN_MAX:
                print(f"all of them: obp packs {end.job.messages[0].transaction_id}")

        answer = cli_output.job_object(end) | {
            "ok": code is ExitCode.OK,
            "packs": msgspec.to_builtins(answers),
        }
        return Done(code, answer, show)

    run_job(Desk(profile, endpoints, as_json), prepare, Waiting(no_wait, timeout), report)


def alerts(  # noqa: PLR0917
    alert_id: Annotated[
        str | None, typer.Argument(help="Open this alert; without one they are listed.")
    ] = None,
    state: Annotated[
        AlertState | None, typer.Option(help="Only those in this state.", rich_help_panel=_FILTER)
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Only this code, such as A3.", rich_help_panel=_FILTER)
    ] = None,
    product_code: Annotated[
        str | None, typer.Option("--product", help="Only this product.", rich_help_panel=_FILTER)
    ] = None,
    market: Annotated[
        str | None, typer.Option(help="Only those of this market.", rich_help_panel=_FILTER)
    ] = None,
    count: CountOption = 100,
    set_state: Annotated[
        AlertState | None, typer.Option("--set", help="Move the alert to this state.")
    ] = None,
    reason: Annotated[AlertReason | None, typer.Option(help="Reason for --set.")] = None,
    text: Annotated[str | None, typer.Option(help="Text for --set; all parties see it.")] = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the alerts on one's products, open one, or move it to another state."""
    if set_state is not None and alert_id is None:
        raise typer.BadParameter("--set wants the alert's id")
    filters = {"state": state, "code": code, "productCode": product_code, "market": market}

    async def ask(client: ObpClient) -> Done:
        if alert_id is not None:
            found = (
                await client.alert(alert_id)
                if set_state is None
                else await client.decide_alert(alert_id, set_state, reason=reason, text=text)
            )
            answer = {"ok": True, **msgspec.to_builtins(found)}
            return Done(ExitCode.OK, answer, lambda: _print_alert(found))
        wanted = {name: str(value) for name, value in filters.items() if value is not None}
        listed = await latest(client.alerts(order="newest", **wanted), count)
        heads = ("raised", "code", "state", "market", "product", "serial number", "alert id")
        return Done(
            ExitCode.OK,
            {"ok": True, "alerts": msgspec.to_builtins(listed)},
            lambda: cli_output.print_table(heads, map(_alert_row, listed)),
        )

    run_asking(Desk(profile, endpoints, as_json), ask)


def _is_active(answer: PackAnswer) -> bool:
    return any(one.state == "Active" for one in answer.markets)


def _rows(answers: list[PackAnswer]) -> list[tuple[Any, ...]]:
    return [
        (pack.serialNumber, one.market, one.outcome, one.state, one.alertId)
        for pack in answers
        for one in pack.markets
    ]


def _alert_row(alert: Alert) -> tuple[Any, ...]:
    return (
        str(alert.raised_at)[:19],
        alert.code,
        alert.state,
        alert.raising_market,
        alert.product_code,
        alert.serial_number,
        alert.alert_id,
    )


def _print_alert(alert: Alert) -> None:
    fields = msgspec.to_builtins(alert)
    steps = fields.pop("history", [])
    cli_output.print_table(
        ("member", "value"), [(name, value) for name, value in fields.items() if value]
    )
    print()
    cli_output.print_table(
        ("at", "state", "party", "reason", "text"),
        [[step.get(name) for name in ("at", "state", "party", "reason", "text")] for step in steps],
    )
