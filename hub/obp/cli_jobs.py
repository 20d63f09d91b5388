"""Commands of `obp` that send something: each prepares a job, sends it and waits for its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from emvs.limits import SERIALS_PER_MESSAGE_MAX
from emvs.obp_messages import BatchName, PostalOrganisation
from hub.obp.cli_following import Waiting, follow, run_job
from hub.obp.cli_options import (
    WHAT,
    BatchOption,
    CodeOption,
    ColumnOption,
    FormatOption,
    NoWaitOption,
    SerialsOption,
    TimeoutOption,
    UncheckedOption,
    read_document,
    serial_numbers_of,
)
from hub.obp.cli_running import (
    CUT_OFF,
    Desk,
    Done,
    EndpointsOption,
    JsonOption,
    ProfileOption,
    complain,
    run_asking,
)
from hub.obp.client import ObpClient
from hub.obp.errors import InputError
from hub.obp.exit_codes import ExitCode
from hub.obp.jobs import Batch, Change, Job

_STATES: Final = "Destroyed, Stolen, Locked, Sample or FreeSample"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(upload)
    app.command()(product)
    app.command()(change)
    app.command()(link)
    app.command()(resume)


def upload(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
    product_code: CodeOption,
    batch: BatchOption,
    expiry: Annotated[
        str, typer.Option(help="Expiry as in the barcode, YYMMDD.", rich_help_panel=WHAT)
    ],
    serials: SerialsOption,
    form: FormatOption = None,
    column: ColumnOption = None,
    unchecked_too: UncheckedOption = False,
    add: Annotated[bool, typer.Option("--add", help="The batch is at the hub already.")] = False,
    manufacturer: Annotated[
        Path | None,
        typer.Option(help="JSON file of the company; without it the profile's `company`."),
    ] = None,
    product_version: Annotated[
        int | None, typer.Option(help="Version of the product; the latest without it.", min=1)
    ] = None,
    per_message: Annotated[
        int,
        typer.Option(help="Serial numbers in a message.", min=1, max=SERIALS_PER_MESSAGE_MAX),
    ] = SERIALS_PER_MESSAGE_MAX,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload a batch's packs: as many messages as it takes, until every market has them.

    The same command again goes on where it was cut off, and never uploads twice.
    """

    async def prepare(client: ObpClient) -> Job:
        company = None if manufacturer is None else read_document(manufacturer, PostalOrganisation)
        return await client.prepare_upload(
            Batch(
                product_code=product_code,
                batch_id=batch,
                expiry=expiry,
                manufacturer=company,
                product_version=product_version,
            ),
            serial_numbers_of(serials, product_code, form, column, all_of=unchecked_too),
            add=add,
            per_message=per_message,
        )

    run_job(Desk(profile, endpoints, as_json), prepare, Waiting(no_wait, timeout))


def product(  # noqa: PLR0913, PLR0917
    document: Annotated[
        Path | None,
        typer.Argument(help="JSON file with the members of PMDR; options go before it."),
    ] = None,
    code: Annotated[str | None, typer.Option(help="GTIN, NTIN or PPN.")] = None,
    scheme: Annotated[
        str | None, typer.Option(help="GTIN or PPN; told by the code's length.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name with strength and form.")] = None,
    common_name: Annotated[str | None, typer.Option(help="Common name.")] = None,
    form: Annotated[str | None, typer.Option(help="Pharmaceutical form.")] = None,
    strength: Annotated[str | None, typer.Option(help="Strength.")] = None,
    pack_type: Annotated[str | None, typer.Option(help="Pack type.")] = None,
    pack_size: Annotated[int | None, typer.Option(help="Doses in a pack.")] = None,
    atc: Annotated[list[str] | None, typer.Option(help="ATC code; repeat it.")] = None,
    market: Annotated[
        list[str] | None,
        typer.Option(
            help="Market, such as IE, or with its national code AT:1234567; repeat it. The holder"
            " of the authorisation is the profile's `company`."
        ),
    ] = None,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a product's master data: each accepted one is a new version."""

    async def prepare(client: ObpClient) -> Job:
        members = {} if document is None else read_document(document, dict[str, Any])
        given = {
            "productCode": code,
            "name": name,
            "commonName": common_name,
            "pharmaceuticalForm": form,
            "strength": strength,
            "packType": pack_type,
            "packSize": pack_size,
            "atcCodes": atc or None,
            "scheme": scheme,
        }
        members |= {key: value for key, value in given.items() if value is not None}
        length = len(str(members.get("productCode", "")))
        members.setdefault("scheme", {14: "GTIN", 12: "PPN"}.get(length))
        if market:
            company = client.profile.company
            members["markets"] = [_market_part(text, company) for text in market]
        return await client.prepare_product(members)

    run_job(Desk(profile, endpoints, as_json), prepare, Waiting(no_wait, timeout))


def change(  # noqa: PLR0913, PLR0917
    what: Annotated[Change, typer.Argument(help="What is done to the packs.")],
    product_code: CodeOption,
    batch: BatchOption,
    serials: SerialsOption,
    state: Annotated[
        str | None, typer.Option(help=f"For decommission: {_STATES}.", rich_help_panel=WHAT)
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take it back instead.", rich_help_panel=WHAT)
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Reason, a text.", rich_help_panel=WHAT)
    ] = None,
    market: Annotated[
        list[str] | None,
        typer.Option(help="Only this market; repeat it.", rich_help_panel=WHAT),
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
    """Decommission, export, dispense or check out packs of one batch, or undo that."""
    if what is Change.DECOMMISSION and state is None:
        raise typer.BadParameter(f"say which: {_STATES}", param_hint="--state")

    async def prepare(client: ObpClient) -> Job:
        return await client.prepare_change(
            what,
            product_code,
            batch,
            serial_numbers_of(serials, product_code, form, column, all_of=unchecked_too),
            undo=undo,
            state=state,
            reason=reason,
            markets=market or (),
        )

    run_job(Desk(profile, endpoints, as_json), prepare, Waiting(no_wait, timeout))


def link(  # noqa: PLR0917
    source: Annotated[list[str], typer.Option(help="PRODUCT:BATCH that was used up; repeat it.")],
    target: Annotated[list[str], typer.Option(help="PRODUCT:BATCH made of it; repeat it.")],
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Link repackaged batches to those they were made of; for parallel distributors."""

    async def prepare(client: ObpClient) -> Job:
        return await client.prepare_link(map(_batch_name, source), map(_batch_name, target))

    run_job(Desk(profile, endpoints, as_json), prepare, Waiting(no_wait, timeout))


def resume(
    drop: Annotated[
        bool, typer.Option("--drop", help="Forget what was not sent, instead.")
    ] = False,
    timeout: TimeoutOption = None,
    profile: ProfileOption = None,
    endpoints: EndpointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send what a crash or an outage left unsent, with the same transaction ids."""

    async def perform(client: ObpClient) -> Done:
        unfinished, cut_off = client.unfinished(), client.cut_off()
        if drop:
            for job in unfinished:
                client.drop(job)
            client.drop_cut_off()
            count = len(unfinished) + len(cut_off)
            text = f"{count} jobs forgotten"
            return Done(ExitCode.OK, {"ok": True, "dropped": count}, lambda: print(text))
        ends = []
        for job in unfinished:
            job.resumed = True
            ends.append(await follow(client, job, Waiting(timeout_s=timeout)))

        def show() -> None:
            for end in ends:
                end.show()
            for title in cut_off:
                complain(f"{title}: {CUT_OFF}")
            if not ends and not cut_off:
                print("nothing is left to be sent")

        otherwise = ExitCode.NOT_ENDED if cut_off else ExitCode.OK
        code = next((end.code for end in ends if end.code is not ExitCode.OK), otherwise)
        answer = {
            "ok": code is ExitCode.OK,
            "jobs": [end.answer for end in ends],
            "cutOff": cut_off,
        }
        return Done(code, answer, show)

    run_asking(Desk(profile, endpoints, as_json), perform)


def _market_part(text: str, company: PostalOrganisation | None) -> dict[str, Any]:
    market, _, national_code = text.partition(":")
    holder = None if company is None else json.loads(msgspec.json.encode(company))
    return {
        "market": market.upper(),
        "nationalCode": national_code or None,
        "marketingAuthorisationHolder": holder,
    }


def _batch_name(text: str) -> BatchName:
    product_code, found, batch_id = text.partition(":")
    if not found:
        raise InputError(f"{text!a} is not PRODUCT:BATCH")
    return BatchName(product_code, batch_id)
