"""Commands of `obp` that are final: recall of a batch, withdrawal of a product."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hub.obp.cli_following import Waiting, run_job
from hub.obp.cli_options import (
    BatchOption,
    CodeOption,
    MarketsOption,
    NoWaitOption,
    ReasonOption,
    TimeoutOption,
)
from hub.obp.cli_running import Desk, EndpointsOption, JsonOption, ProfileOption
from hub.obp.client import ObpClient
from hub.obp.exit_codes import ExitCode
from hub.obp.jobs import Job


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(recall)
    app.command()(withdraw)


def recall(  # noqa: PLR0917
    product_code: CodeOption,
    batch: BatchOption,
    reason: ReasonOption,
    market: MarketsOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recall a batch in markets. Final: nobody can take it back."""
    _sure(f"Recall batch {batch} of {product_code} in {', '.join(market)} for good?", yes=yes)

    async def prepare(client: ObpClient) -> Job:
        return await client.prepare_recall(product_code, batch, reason=reason, markets=market)

    run_job(Desk(profile, endpoints, as_json), prepare, Waiting(no_wait, timeout))


def withdraw(  # noqa: PLR0917
    product_code: CodeOption,
    reason: ReasonOption,
    market: MarketsOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a product from markets. Final: nobody can take it back."""
    _sure(f"Withdraw {product_code} from {', '.join(market)} for good?", yes=yes)

    async def prepare(client: ObpClient) -> Job:
        return await client.prepare_withdrawal(product_code, reason=reason, markets=market)

    run_job(Desk(profile, endpoints, as_json), prepare, Waiting(no_wait, timeout))


def _sure(question: str, *, yes: bool) -> None:
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise typer.BadParameter("it is final: without a terminal say --yes", param_hint="--yes")
    if not typer.confirm(question, err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)
