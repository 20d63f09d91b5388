"""The commands `obp serials`: serial numbers that meet the regulation, and how good given ones are.

Nothing is sent, and no hub is needed.
"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final, cast

import msgspec
import typer

from emvs.errors import UsageError
from emvs.serial_generator import (
    LENGTH_DEFAULT,
    SERIAL_COUNT_MAX,
    UNMISTAKABLE,
    SerialOrder,
    random_source,
    serial_slices,
)
from emvs.serial_quality import SerialQuality, Verdict, assess
from hub.obp import cli_output
from hub.obp.cli_options import ColumnOption, FormatOption
from hub.obp.cli_running import Done, JsonOption, finish
from hub.obp.errors import InputError
from hub.obp.exit_codes import ExitCode
from hub.obp.serial_sources import SerialFormat, form_of, read_serial_numbers, unchecked

_STDOUT: Final = Path("-")
app = typer.Typer(
    help="Make serial numbers that meet Delegated Regulation (EU) 2016/161, Art. 4, or judge some.",
    no_args_is_help=True,
)


@app.command()
def generate(  # noqa: PLR0917 - typer calls it by name: each parameter is an option.
    count: Annotated[int, typer.Argument(help="How many.", min=1, max=SERIAL_COUNT_MAX)],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File: text, .csv or .ndjson, each also .gz; never overwritten."
        ),
    ] = _STDOUT,
    length: Annotated[
        int, typer.Option(help="Characters in each.", min=1, max=20)
    ] = LENGTH_DEFAULT,
    alphabet: Annotated[str, typer.Option(help="Characters they are made of.")] = UNMISTAKABLE,
    test_seed: Annotated[
        int | None,
        typer.Option(help="The same ones again, for tests: whoever knows it knows them all."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make serial numbers for a batch: different, and guessed less often than once in 10,000."""

    def run() -> Done:
        try:
            order = SerialOrder(count, length, alphabet)
        except ValueError as error:
            raise UsageError(str(error)) from error
        screen = cli_output.Screen()
        screen.plan("made", count)
        try:
            _write(order, test_seed, output, screen)
        finally:
            screen.finish()
        answer = {
            "ok": True,
            "serialCount": count,
            "file": None if output == _STDOUT else str(output),
            "guessProbability": order.guess_probability,
        }
        text = f"{count:,} serial numbers in {output}; guessed with {order.guess_probability:.1e}"
        return Done(ExitCode.OK, answer, lambda: None if output == _STDOUT else print(text))

    finish(run, as_json=as_json and output != _STDOUT)


@app.command()
def check(
    serials: Annotated[Path, typer.Argument(help="File of serial numbers; - is standard input.")],
    form: FormatOption = None,
    column: ColumnOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge serial numbers: how easily guessed, sequences, constant parts, scanner troubles.

    Exit code 0 if Art. 4(c) is met or there are too few to tell, 1 if not.
    """

    def run() -> Done:
        report = assess(list(unchecked(read_serial_numbers(serials, form=form, column=column))))
        if not report.serialCount:
            raise InputError(f"{serials} holds no serial number.")
        fails = report.verdict is Verdict.FAILS or any(
            finding.severity == "fails" for finding in report.findings
        )
        code = ExitCode.REFUSED if fails else ExitCode.OK
        answer = {"ok": not fails, **msgspec.to_builtins(report)}
        return Done(code, answer, lambda: _print_report(report))

    finish(run, as_json=as_json)


def _write(
    order: SerialOrder, test_seed: int | None, output: Path, screen: cli_output.Screen
) -> None:
    form = form_of(output)
    slices = serial_slices(order, random_source(test_seed))
    try:
        with _opened(output) as file:
            if form is SerialFormat.CSV:
                file.write(b"serialNumber\n")
            for some in slices:
                file.write(_lines(some, form))
                if output != _STDOUT:
                    screen.more("made", len(some))
    except FileExistsError as error:
        raise UsageError(f"{output} exists; serial numbers are never overwritten") from error
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error


def _lines(serial_numbers: Iterable[str], form: SerialFormat) -> bytes:
    if form is SerialFormat.NDJSON:
        encode = msgspec.json.Encoder().encode
        return b"".join(encode({"serialNumber": one}) + b"\n" for one in serial_numbers)
    if form is SerialFormat.CSV:
        serial_numbers = (_csv_cell(one) for one in serial_numbers)
    return "".join(f"{one}\n" for one in serial_numbers).encode()


def _csv_cell(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if quoted != text or "," in text or ";" in text else text


@contextmanager
def _opened(output: Path) -> Iterator[BinaryIO]:
    if output == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with output.open("xb") as file:
        if output.suffix == ".gz":
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                yield cast("BinaryIO", packed)
        else:
            yield file


def _print_report(report: SerialQuality) -> None:
    words = {
        Verdict.MEETS: "meets Art. 4(c)",
        Verdict.FAILS: "FAILS Art. 4(c)",
        Verdict.TOO_FEW: "too few to tell",
    }
    guess = "unknown" if report.guessProbability is None else f"{report.guessProbability:.1e}"
    rows: list[tuple[str, object]] = [
        ("serial numbers", report.serialCount),
        ("verdict", words[report.verdict]),
        ("guessed with", f"{guess}, at most {report.guessProbabilityMax:.0e} is allowed"),
        ("length", f"{report.lengthMin} to {report.lengthMax}"),
        ("characters", report.alphabet),
    ]
    rows += [
        (finding.rule, f"{finding.severity}: {finding.serialCount:,}: {finding.text}")
        for finding in report.findings
    ]
    cli_output.print_table(("", ""), rows)
