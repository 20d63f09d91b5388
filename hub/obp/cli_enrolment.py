"""Commands of `obp` about who one is: `enrol` makes a profile, `token` resets its session token."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from emvs.errors import UsageError
from hub.obp.cli_running import Desk, Done, EndpointsOption, JsonOption, ProfileOption, find, finish
from hub.obp.exit_codes import ExitCode
from hub.obp.profile import DEFAULT_ENDPOINTS, secure_address


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(enrol)
    app.command()(token)


def enrol(  # noqa: PLR0917 - typer calls it by name: each parameter is an option.
    organisation: Annotated[str, typer.Option(help="Organisation id, five characters.")],
    client: Annotated[str, typer.Option(help="Client id, three characters.")],
    folder: Annotated[
        Path, typer.Option("--directory", help="For profile, key, certificate and journal.")
    ],
    initial_token: Annotated[
        str | None,
        typer.Option(
            help="As the portal told it; valid for 24 hours. Asked for in a terminal.",
            envvar="OBP_INITIAL_TOKEN",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of the hub, https; without it that of the simulator of --from-endpoints."
        ),
    ] = None,
    endpoints: EndpointsOption = DEFAULT_ENDPOINTS,
    distributor: Annotated[
        bool, typer.Option("--parallel-distributor", help="The organisation is one.")
    ] = False,
    ca: Annotated[Path | None, typer.Option(help="Root certificate of the hub, PEM.")] = None,
    root_sha256: Annotated[
        str | None,
        typer.Option(help="Fingerprint of the hub's root, hexadecimal, in place of --ca."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Become a client of the hub: key, certificate, session token, and a profile with all of it.

    The same command again goes on where it was cut off.
    """

    def trust(fingerprint: str) -> bool:
        if root_sha256 is not None:
            return root_sha256.replace(":", "").lower() == fingerprint
        if not _has_terminal():
            return False
        return typer.confirm(f"Trust the root certificate {fingerprint}?", err=True)

    def run() -> Done:
        from hub.obp import enrolment  # noqa: PLC0415 - loads slowly.

        shown = initial_token
        if not shown and _has_terminal():
            shown = typer.prompt("Initial token", hide_input=True)
        if not shown:
            raise UsageError("there is no initial token: OBP_INITIAL_TOKEN or --initial-token")
        address, root = (url, ca) if url else secure_address(endpoints or DEFAULT_ENDPOINTS)
        made = asyncio.run(
            enrolment.enrol(
                folder,
                url=address,
                organisation_id=organisation,
                client_id=client,
                kind="parallel_distributor" if distributor else "obp",
                initial_token=shown,
                ca=ca or root,
                trust=trust,
            )
        )
        text = f"{made} is ready: name it with --profile or OBP_PROFILE"
        return Done(ExitCode.OK, {"ok": True, "profile": str(made)}, lambda: print(text))

    finish(run, as_json=as_json)


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def token(
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reset the profile's session token, and write the new one into the profile."""

    def run() -> Done:
        from hub.obp import enrolment  # noqa: PLC0415 - loads slowly.

        found = find(Desk(profile, endpoints, as_json))
        session = asyncio.run(enrolment.reset_token(found))
        answer = {"ok": True, "profile": found.source, "endsAt": session.endsAt}
        text = f"the new token in {found.source} holds until {session.endsAt}"
        if not enrolment.is_kept_in_file(found):
            answer["sessionToken"] = session.sessionToken
            text = f"{session.sessionToken} holds until {session.endsAt}; nothing else has it"
        return Done(ExitCode.OK, answer, lambda: print(text))

    finish(run, as_json=as_json)
