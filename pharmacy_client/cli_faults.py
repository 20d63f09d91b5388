"""The command `pharmacy faults`: scans as faulty scanners, keyboards and people send them.

For testers of client software: each fault made of good packs, and what this client makes of it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Annotated, Final

import typer

from emvs.check_digits import gtin_check_digit
from emvs.damaged_scans import DamagedScan, Verdict, damaged_scans, judge
from emvs.fault_patterns import PATTERNS
from emvs.scan import Scan, ScanError, parse_scan
from emvs.scheme import Scheme
from pharmacy_client.cli_output import printable
from pharmacy_client.errors import ScanRefusedError
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.scan_text import read_spelled

_PACKS_MAX: Final = 10_000
# Letters that keyboards move, both cases, digits that are also identifiers, and a hyphen.
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz0123456789"

Finish = Callable[[Callable[[], ExitCode]], None]
"""Runs a command and exits with its code, whatever goes wrong."""


def register(app: typer.Typer, finish: Finish) -> None:
    """Add the command to an application."""

    @app.command()
    def faults(
        *,
        scan: Annotated[
            str | None, typer.Argument(help="Good pack to be damaged; else packs are made up.")
        ] = None,
        packs: Annotated[int, typer.Option(help="Packs to make up.", min=1, max=_PACKS_MAX)] = 1,
        seed: Annotated[int, typer.Option(help="Same seed, same packs.")] = 1,
        only: Annotated[
            list[str] | None,
            typer.Option(help="Faults whose name begins so; may be repeated."),
        ] = None,
        check: Annotated[
            bool,
            typer.Option(
                "--check",
                help="Hold the parser against each fault, tell only what is not as it must be, and"
                " exit by the result.",
            ),
        ] = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="One JSON object on one line for each scan.")
        ] = False,
    ) -> None:
        """Damage scans in every way known, and tell what the parser makes of each. Nothing is
        sent. With --check: 0 all as it must be, 1 not."""

        beginnings = tuple(only or ("",))
        if not any(pattern.name.startswith(beginnings) for pattern in PATTERNS):
            names = ", ".join(pattern.name for pattern in PATTERNS)
            raise typer.BadParameter(f"No fault begins so. There are: {names}.")

        def run() -> ExitCode:
            chosen = [_good_pack(scan)] if scan is not None else list(_made_up(packs, seed))
            return _show(chosen, beginnings, check=check, as_json=as_json)

        finish(run)


def _show(
    packs: list[Scan], beginnings: tuple[str, ...], *, check: bool, as_json: bool
) -> ExitCode:
    counts: dict[str, int] = {}
    wrong = 0
    for pack in packs:
        for damaged in damaged_scans(pack):
            if not damaged.pattern.name.startswith(beginnings):
                continue
            verdict = judge(damaged)
            counts[verdict.reading.value] = counts.get(verdict.reading.value, 0) + 1
            wrong += not verdict.ok
            if as_json:
                print(json.dumps(_object(damaged, verdict)))
            elif not check or not verdict.ok:
                _print_lines(damaged, verdict)
    if not as_json:
        told = ", ".join(f"{count} {reading}" for reading, count in sorted(counts.items()))
        ending = "" if not check else "; all as it must be" if not wrong else f"; {wrong} WRONG"
        print(f"{sum(counts.values())} damaged scans: {told}{ending}")
    return ExitCode.REFUSED if check and wrong else ExitCode.OK


def _print_lines(damaged: DamagedScan, verdict: Verdict) -> None:
    mark = "" if verdict.ok else "  (this must not be)"
    print(f"{damaged.pattern.name}: {verdict.reading.upper()}{mark}")
    for label, text in (
        ("fault", damaged.pattern.what),
        ("scan", _spelled(damaged.text)),
        ("reading", verdict.note),
        ("if sent", damaged.pattern.answer),
    ):
        if text:
            print(f"  {label:<9}{printable(text)}")


def _object(damaged: DamagedScan, verdict: Verdict) -> dict[str, object]:
    pack = damaged.pack
    return {
        "fault": damaged.pattern.name,
        "what": damaged.pattern.what,
        "scan": damaged.text,
        "reading": verdict.reading.value,
        "ok": verdict.ok,
        "note": verdict.note,
        "allowed": sorted(damaged.pattern.allowed),
        "if_sent": damaged.pattern.answer,
        "pack": {
            "scheme": pack.scheme.value,
            "product_code": pack.product_code,
            "serial_number": pack.serial_number,
            "batch_id": pack.batch_id,
            "expiry": pack.expiry,
        },
    }


def _spelled(text: str) -> str:
    for name, character in (("GS", "\x1d"), ("RS", "\x1e"), ("EOT", "\x04")):
        text = text.replace(character, f"<{name}>")
    return text


def _good_pack(argument: str) -> Scan:
    """Return the pack of a scan that has nothing wrong. Raises ScanRefusedError."""
    try:
        scan = parse_scan(read_spelled(argument))
    except ScanError as error:
        raise ScanRefusedError(error.problem, error.advice) from error
    if not scan.is_whole or scan.repairs:
        raise ScanRefusedError(
            " ".join(("This scan is damaged already.", *scan.problems, *scan.repairs)),
            "Give one of a pack with product code, batch, expiry date and serial number.",
        )
    return scan


def _made_up(count: int, seed: int) -> Iterator[Scan]:
    """Yield packs: every fourth one with a PPN, some with the day of expiry left open."""
    rng = random.Random(seed)  # noqa: S311 - packs of a test, repeatable.
    for number in range(count):
        day = rng.choice(("00", "15", "30"))
        expiry = f"{rng.randrange(27, 32)}{rng.choice(('04', '06', '09', '11'))}{day}"
        if number % 4 == 3:
            letters = "".join(filter(lambda letter: not letter.islower(), _LETTERS))
            yield Scan(
                scheme=Scheme.PPN,
                product_code="110375286414",
                serial_number="".join(rng.choices(letters, k=rng.randrange(8, 21))),
                batch_id="".join(rng.choices(letters + "-", k=rng.randrange(3, 11))),
                expiry=expiry,
            )
            continue
        code = f"0{rng.randrange(10**11, 10**12)}"
        yield Scan(
            scheme=Scheme.GTIN,
            product_code=code + gtin_check_digit(code),
            serial_number="".join(rng.choices(_LETTERS, k=rng.randrange(8, 21))),
            batch_id="".join(rng.choices(_LETTERS + "-/", k=rng.randrange(3, 11))),
            expiry=expiry,
        )
