"""The steps of the demo's story, each with the codes it expects from either dialect."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

from emvs.markets import Dialect
from emvs.scan import parse_scan
from pharmacy_client.client import PharmacyClient
from pharmacy_client.demo_world import DemoWorld, Side, altered
from pharmacy_client.results import Result
from pharmacy_client.symbols import read_symbol, render_data_matrix

_UNDO_WINDOW_PASSED_S: Final = 241 * 3600
_SYMBOLS: Final = str.maketrans({"\x1d": "␝"})


class Row(NamedTuple):
    """One step as it came."""

    what: str
    cells: list[str]
    as_expected: bool


class Expected(NamedTuple):
    """Codes of one step, and whether it raises an alert."""

    soap: str
    rest: str
    alert: bool = False
    intermarket: bool = False

    def fits(self, side: Side, result: Result) -> bool:
        """Whether a result is the one expected."""
        code = f"NMVS_{self.soap}" if side.dialect is Dialect.SOAP else self.rest
        return (
            result.return_code == code
            and (result.alert_id is not None) == self.alert
            and result.intermarket == self.intermarket
        )


Ask = Callable[[Side], Awaitable[Result]]


def _verify(choose: Callable[[Side], str]) -> Ask:
    return lambda side: side.first.verify(choose(side))


def _supply(choose: Callable[[Side], str], *, second: bool = False) -> Ask:
    def till(side: Side) -> PharmacyClient:
        return side.second if second else side.first

    return lambda side: till(side).supply(choose(side))


def _undo(side: Side) -> Awaitable[Result]:
    return side.first.undo(side.main_pack)


def _main(side: Side) -> str:
    return side.main_pack


async def play(world: DemoWorld) -> AsyncIterator[Row]:
    """Play the story, a row for each step."""
    yield _print_and_read(world)
    for what, ask, expected in _first_part():
        yield await _step(world, what, ask, expected)
    await world.advance_clocks(_UNDO_WINDOW_PASSED_S)
    late = Expected("NC_PCK_20", "51420200")
    yield await _step(world, "241 hours later: undo refused", _undo, late)
    for what, ask, expected in _second_part(world):
        yield await _step(world, what, ask, expected)
    statuses = [await world.recall(side) for side in world.sides]
    yield Row(
        "The manufacturer recalls a batch at the hub",
        [
            f"RCBR batch {side.recall_batch}\n{status}: distributed"
            for side, status in zip(world.sides, statuses, strict=True)
        ],
        statuses == ["STDS", "STDS"],
    )
    recalled = Expected("NC_PCK_30", "51221000")
    yield await _step(
        world,
        "Supply of a recalled pack: refused, no alert",
        _supply(lambda side: side.recall_pack),
        recalled,
    )


def _first_part() -> list[tuple[str, Ask, Expected]]:
    again = _supply(_main)
    tolerated = Expected("NC_PCK_23", "11220201")
    return [
        ("Verified: active", _verify(_main), Expected("SUCCESS", "11110100")),
        ("Supplied", again, Expected("SUCCESS", "11210200")),
        ("Supplied again by the same pharmacy: tolerated", again, tolerated),
        ("... and once more", again, tolerated),
        ("... and the alert", again, Expected("NC_PCK_22", "51220201", alert=True)),
        (
            "Supplied by another pharmacy: alert",
            _supply(_main, second=True),
            Expected("NC_PCK_22", "51220200", alert=True),
        ),
        ("Undone inside the ten days", _undo, Expected("SUCCESS", "11410100")),
        ("Supplied once more", again, Expected("SUCCESS", "11210200")),
    ]


def _second_part(world: DemoWorld) -> list[tuple[str, Ask, Expected]]:
    wrong = world.demo["wrong"]
    packs = {side.market: side.next_pack() for side in world.sides}

    def with_wrong(element: str, name: str) -> Ask:
        return _verify(lambda side: altered(packs[side.market], **{element: wrong[name]}))

    market, foreign = world.foreign_pack
    return [
        (
            "Wrong batch",
            with_wrong("batch_id", "batch"),
            Expected("FE_LOT_13", "41020003", alert=True),
        ),
        (
            "Wrong expiry",
            with_wrong("expiry", "expiry"),
            Expected("FE_LOT_12", "41020005", alert=True),
        ),
        (
            "Unknown serial number",
            with_wrong("serial_number", "serial"),
            Expected("NC_PC_02", "41020001", alert=True),
        ),
        (
            "Unknown product: no alert",
            with_wrong("product_code", "product_code"),
            Expected("NC_PC_01", "41020000"),
        ),
        (
            "An expired pack is not supplied; no alert",
            _supply(lambda side: side.expired_pack),
            Expected("NC_PCK_30", "51221100"),
        ),
        (
            "A pack of both markets, asked in both dialects",
            _verify(lambda _: world.multi_market_pack),
            Expected("SUCCESS", "11110100"),
        ),
        (
            f"A pack of market {market}, through the hub",
            _verify(lambda _: foreign),
            Expected("SUCCESS", "11110100", intermarket=True),
        ),
    ]


def _print_and_read(world: DemoWorld) -> Row:
    """Print a pack's Data Matrix, and read it back from the picture as a scanner would."""
    cells = []
    as_expected = True
    with tempfile.TemporaryDirectory(prefix="emvs-demo-") as folder:
        for side in world.sides:
            picture = Path(folder) / f"{side.market}.png"
            render_data_matrix(side.main_pack, picture)
            text = read_symbol(picture)
            scan = parse_scan(text)
            cells.append(
                f"PNG of {picture.stat().st_size} bytes\n{text.translate(_SYMBOLS)}\n"
                f"code {scan.product_code} serial {scan.serial_number}\n"
                f"batch {scan.batch_id} expiry {scan.expiry}"
            )
            as_expected &= text == side.main_pack
    return Row("A pack's Data Matrix, printed and read", cells, as_expected)


async def _step(world: DemoWorld, what: str, ask: Ask, expected: Expected) -> Row:
    results = [await ask(side) for side in world.sides]
    fits = [expected.fits(side, result) for side, result in zip(world.sides, results, strict=True)]
    return Row(what, [_cell(result) for result in results], all(fits))


def _cell(result: Result) -> str:
    """What was sent, and what came back in the market's own words."""
    scan = result.scan
    sent = f"{result.operation.name.lower()} {scan.serial_number} batch {scan.batch_id}"
    lines = [f"{sent} expiry {scan.expiry}", f"{result.return_code} {result.text}"]
    if result.state_text:
        lines.append(" ".join((result.state_text, *result.reasons)))
    if result.alert_id:
        lines.append(f"ALERT {result.alert_id}")
    if result.intermarket:
        lines.append("answered by another market")
    return "\n".join(lines)
