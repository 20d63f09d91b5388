"""Commands of `obp` about callbacks: endpoints, and what became of each notice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from emvs.callback_messages import NOTICE_TYPES, NoticeStatus
from hub.obp import cli_output
from hub.obp.cli_running import (
    CountOption,
    Desk,
    Done,
    EndpointsOption,
    JsonOption,
    ProfileOption,
    first,
    latest,
    run_asking,
)
from hub.obp.client import ObpClient
from hub.obp.exit_codes import ExitCode
from hub.obp.results import Subscription

subscriptions_app = typer.Typer(
    help="Callback endpoints: the hub posts statuses, alerts and recalls to the primary one.",
    invoke_without_command=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(callbacks)
    app.add_typer(subscriptions_app, name="subscriptions")


def callbacks(  # noqa: PLR0917
    message_type: Annotated[
        str | None,
        typer.Option("--type", help=f"Only these: {', '.join(NOTICE_TYPES)}."),
    ] = None,
    delivery: Annotated[
        NoticeStatus | None, typer.Option("--status", help="Only with this status.")
    ] = None,
    after: Annotated[
        int, typer.Option(help="The first after this sequence, not the latest.", min=0)
    ] = 0,
    count: CountOption = 100,
    redeliver: Annotated[
        str | None,
        typer.Option(help="Send this notice at once; with `failed` or `stored`: all of those."),
    ] = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what the hub told or tells unasked, with what became of each call; send it anew."""

    async def ask(client: ObpClient) -> Done:
        if redeliver is not None:
            many = {"failed": "Failed", "stored": "Stored"}.get(redeliver.lower())
            in_line = (
                await client.redeliver(redeliver)
                if many is None
                else await client.redeliver_many([many], after=after)
            )
            text = f"{in_line} notices are sent anew"
            return Done(ExitCode.OK, {"ok": True, "inLine": in_line}, lambda: print(text))
        filters = {"messageType": message_type, "status": delivery}
        wanted = {name: str(value) for name, value in filters.items() if value is not None}
        listed = (
            await first(client.notices(after=str(after), **wanted), count)
            if after
            else await latest(client.notices(order="newest", **wanted), count)
        )
        rows = [
            (
                one.created_at[:19],
                one.message_type,
                one.delivery.status,
                one.delivery.attempt_count,
                one.delivery.last_attempt and one.delivery.last_attempt.error,
                one.notice_id,
            )
            for one in listed
        ]
        heads = ("created", "type", "delivery", "attempts", "last error", "notice id")
        return Done(
            ExitCode.OK,
            {"ok": True, "notices": msgspec.to_builtins(listed)},
            lambda: cli_output.print_table(heads, rows),
        )

    run_asking(Desk(profile, endpoints, as_json), ask)


@subscriptions_app.callback()
def subscriptions(
    context: typer.Context,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the callback endpoints."""
    context.obj = Desk(profile, endpoints, as_json)
    if context.invoked_subcommand is None:

        async def ask(client: ObpClient) -> Done:
            return _shown(await client.subscriptions())

        run_asking(context.obj, ask)


@subscriptions_app.command("add")
def subscribe(  # noqa: PLR0917 - typer calls it by name: each parameter is an option.
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Address that takes the hub's calls.")],
    secret: Annotated[
        str | None,
        typer.Option(help="Secret of the signatures; one is made without it.", envvar="OBP_SECRET"),
    ] = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register an endpoint: the first is the primary one."""

    async def ask(client: ObpClient) -> Done:
        return _shown([await client.subscribe(url, secret=secret)])

    run_asking(_desk(context.obj, profile, endpoints, as_json), ask)


@subscriptions_app.command("roll")
def roll(
    context: typer.Context,
    subscription_id: Annotated[str, typer.Argument(help="Its id.")],
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an endpoint the primary one."""

    async def ask(client: ObpClient) -> Done:
        return _shown(await client.roll(subscription_id))

    run_asking(_desk(context.obj, profile, endpoints, as_json), ask)


@subscriptions_app.command("remove")
def unsubscribe(
    context: typer.Context,
    subscription_id: Annotated[str, typer.Argument(help="Its id.")],
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an endpoint."""

    async def ask(client: ObpClient) -> Done:
        return _shown(await client.unsubscribe(subscription_id))

    run_asking(_desk(context.obj, profile, endpoints, as_json), ask)


def _desk(before: Desk, profile: Path | None, endpoints: Path | None, as_json: bool) -> Desk:
    """Return what the options say, which may stand before the command's last word or after it."""
    return Desk(profile or before.profile, endpoints or before.endpoints, as_json or before.as_json)


def _shown(found: list[Subscription]) -> Done:
    rows = [
        ("primary" if one.is_primary else "", one.url, one.subscription_id, one.secret)
        for one in found
    ]
    return Done(
        ExitCode.OK,
        {"ok": True, "subscriptions": msgspec.to_builtins(found)},
        lambda: cli_output.print_table(("", "url", "subscription id", "secret"), rows),
    )
