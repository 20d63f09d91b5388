"""The command `obp capture`: EPCIS 2.0 events, which the hub turns into messages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hub.obp import cli_output
from hub.obp.cli_options import TimeoutOption, read_document
from hub.obp.cli_running import (
    Desk,
    Done,
    EndpointsOption,
    JsonOption,
    ProfileOption,
    printable,
    run_asking,
)
from hub.obp.client import ObpClient
from hub.obp.exit_codes import ExitCode
from hub.obp.results import CaptureJob

_SHOWN_MAX = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(capture)


def capture(  # noqa: PLR0917 - typer calls it by name: each parameter is an option.
    document: Annotated[Path, typer.Argument(help="EPCIS 2.0 document, JSON or JSON-LD.")],
    proceed: Annotated[
        bool,
        typer.Option("--proceed", help="Leave out what is wrong; else all is loaded or nothing."),
    ] = False,
    timeout: TimeoutOption = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand in commissioning and decommissioning events, and wait until the hub has judged them.

    The messages made of them go on to the markets; `obp status ID` tells how far each is.
    """

    async def ask(client: ObpClient) -> Done:
        content = bytes(read_document(document, msgspec.Raw))
        capture_id = await client.capture(content, proceed=proceed)
        job = await client.captured(capture_id, timeout_s=timeout)
        code = ExitCode.OK if job.success else ExitCode.REFUSED
        answer = {"ok": job.success, **msgspec.to_builtins(job)}
        return Done(code, answer, lambda: _print(job))

    run_asking(Desk(profile, endpoints, as_json), ask)


def _print(job: CaptureJob) -> None:
    word = "done" if job.success else "WITH ERRORS"
    print(f"capture {job.captureID} ({job.captureErrorBehaviour}): {word}")
    if job.repeat_count:
        print(f"  {job.repeat_count} events were captured before, and left out")
    for error in job.errors[:_SHOWN_MAX]:
        print(printable(f"  {error.get('title')}: {error.get('detail')}"))
    if job.error_count > _SHOWN_MAX:
        print(f"  and {job.error_count - _SHOWN_MAX:,} more; --json lists them")
    cli_output.print_table(
        ("type", "status", "product", "batch", "packs", "transaction id"),
        [
            (
                one.message_type,
                one.status,
                one.product_code,
                one.batch_id,
                one.serial_count,
                one.transaction_id,
            )
            for one in job.requests
        ],
    )
