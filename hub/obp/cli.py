"""The command `obp`: a thin caller of the library, for manufacturers and parallel distributors."""

from __future__ import annotations

import sys

import typer

from emvs.clients.streams import make_streams_usable
from emvs.clients.version import options
from hub.obp import (
    cli_asking,
    cli_callbacks,
    cli_enrolment,
    cli_epcis,
    cli_jobs,
    cli_recalls,
    cli_reports,
    cli_selftest,
    cli_serials,
)
from hub.obp.exit_codes import MEANINGS, ExitCode

app = typer.Typer(
    name="obp",
    help="Speaks to the EU Hub as a manufacturer (on-boarding partner) does: uploads, recalls,"
    " changes of packs, alerts, reports. NOT FOR PRODUCTION.",
    epilog="Exit codes:\n\n"
    + "\n\n".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(options)
cli_jobs.register(app)
cli_recalls.register(app)
cli_asking.register(app)
cli_callbacks.register(app)
cli_epcis.register(app)
cli_reports.register(app)
cli_enrolment.register(app)
cli_selftest.register(app)
app.add_typer(cli_serials.app, name="serials")


def main() -> None:
    """Run the command."""
    make_streams_usable()
    try:
        app()
    except KeyboardInterrupt:  # Outside of a command; in one there is a message for it.
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
