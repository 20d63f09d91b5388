"""The commands `pharmacy password` and `pharmacy renew`: keeping a SOAP login alive."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from emvs.markets import Dialect
from pharmacy_client.cli_finish import Finish
from pharmacy_client.cli_options import SystemOptions, profile_of, with_groups
from pharmacy_client.errors import NotOfferedError
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.profile import Profile
from pharmacy_client.upkeep import Upkeep, certificate_end


def register(app: typer.Typer, finish: Finish) -> None:
    """Add the commands to an application."""

    @app.command()
    @with_groups
    def password(
        system: SystemOptions,
        choose: Annotated[
            bool, typer.Option("--choose", help="Ask for the new password; else one is made up.")
        ] = False,
    ) -> None:
        """Change the password of a SOAP login, and write it to the profile file."""
        chosen = None
        if choose:
            chosen = typer.prompt("New password", hide_input=True, confirmation_prompt=True)

        def run() -> ExitCode:
            upkeep = _upkeep(profile_of(system))
            asyncio.run(upkeep.change_password(chosen))
            print(f"The password was changed; {upkeep.profile.file} has the new one.")
            return ExitCode.OK

        finish(run, as_json=system.as_json)

    @app.command()
    @with_groups
    def renew(system: SystemOptions) -> None:
        """Fetch the successor of a client certificate that ends within 60 days. Finishes a change
        of password whose answer was lost, too."""

        def run() -> ExitCode:
            upkeep = _upkeep(profile_of(system))
            asyncio.run(_renew(upkeep))
            return ExitCode.OK

        finish(run, as_json=system.as_json)


async def _renew(upkeep: Upkeep) -> None:
    if upkeep.profile.next_password is not None:
        await upkeep.settle_pending()
        print("It is settled which password holds.")
    ends_at = certificate_end(upkeep.profile)
    if ends_at is None:
        print("The profile has no client certificate.")
    elif await upkeep.renew_certificate(datetime.now(UTC)) is None:
        print(f"The certificate ends on {ends_at:%Y-%m-%d}. No successor was needed or waits.")
    else:
        print(f"The certificate was renewed: {upkeep.profile.certificate}")


def _upkeep(profile: Profile) -> Upkeep:
    from pharmacy_client.transport import AiohttpTransport  # noqa: PLC0415 - loads slowly.

    if profile.dialect is not Dialect.SOAP:
        raise NotOfferedError("Only logins to the SOAP interface have passwords and certificates.")
    return Upkeep(profile, AiohttpTransport)
