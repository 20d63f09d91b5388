"""The command `pharmacy terms`: the national organisation's terms, shown and accepted."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from emvs.markets import Dialect
from pharmacy_client.cli_finish import Finish
from pharmacy_client.cli_options import SystemOptions, profile_of, with_groups
from pharmacy_client.cli_output import print_json, printable
from pharmacy_client.errors import AccountRefusedError, NotOfferedError
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.profile import Profile
from pharmacy_client.soap_account import SoapAccount, Terms
from pharmacy_client.soap_codes import bare_code

_NONE_ON_FILE: Final = "NC_PMS_24"


def register(app: typer.Typer, finish: Finish) -> None:
    """Add the command to an application."""

    @app.command()
    @with_groups
    def terms(
        system: SystemOptions,
        accept: Annotated[
            int | None,
            typer.Option("--accept", metavar="VERSION", help="Accept the terms of this version."),
        ] = None,
    ) -> None:
        """Show the terms and conditions of a SOAP system, or accept them. A login whose terms are
        not accepted in time is blocked (NMVS_FE_AU_23) until they are."""

        def run() -> ExitCode:
            try:
                found = asyncio.run(_terms(profile_of(system), accept))
            except AccountRefusedError as error:
                if accept is not None or bare_code(error.return_code) != _NONE_ON_FILE:
                    raise
                found = Terms(0, "", "", is_accepted=True)
            if system.as_json:
                values = {**found._asdict(), "version": found.version or None}
                print_json({**values, "exit_code": ExitCode.OK})
            else:
                print(printable(_head(found)))
                for line in found.text.splitlines() if accept is None else ():
                    print(printable(line))
            return ExitCode.OK

        finish(run, as_json=system.as_json)


def _head(terms: Terms) -> str:
    if not terms.version:
        return "There are no terms and conditions on file, and nothing to accept."
    advice = f"not accepted. Accept them: `pharmacy terms --accept {terms.version}`."
    standing = "accepted." if terms.is_accepted else advice
    return f"Terms and conditions, version {terms.version}, from {terms.starts_at}: {standing}"


async def _terms(profile: Profile, accept: int | None) -> Terms:
    from pharmacy_client.transport import AiohttpTransport  # noqa: PLC0415 - loads slowly.

    if profile.dialect is not Dialect.SOAP:
        raise NotOfferedError("Only the SOAP interface has terms and conditions.")
    transport = AiohttpTransport(profile)
    account = SoapAccount(profile, transport)
    try:
        if accept is not None:
            await account.accept_terms(accept)
        return await account.terms()
    finally:
        await transport.close()
