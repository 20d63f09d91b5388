"""The story of the demo: the life of a pack, told in two dialects side by side.

`python -m pharmacy_client.demo --endpoints FILE` plays it against running systems over TCP: two
pharmacies of a SOAP market, two of a REST market, and the manufacturer at the hub. Every step
states what it expects; the exit code is 0 only if all came so. The steps stand in
`pharmacy_client.demo_steps`, what they talk to in `pharmacy_client.demo_world`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emvs.errors import EmvsError
from pharmacy_client.demo_steps import Row, play
from pharmacy_client.demo_world import DemoWorld

_PLAIN_WIDTH = 200


def _table(world: DemoWorld, rows: list[Row]) -> Table:
    table = Table(title="The life of a pack", show_lines=True, title_justify="left")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("What happens")
    for side in world.sides:
        table.add_column(f"{side.market} ({side.dialect.upper()})", overflow="fold")
    for number, row in enumerate(rows, 1):
        mark = Text(f"{number} ✓", "green") if row.as_expected else Text(f"{number} ✗", "bold red")
        table.add_row(mark, row.what, *(Text(cell) for cell in row.cells))
    return table


async def _tell(endpoints: Path) -> bool:
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    async with DemoWorld(endpoints) as world:
        rows: list[Row] = []
        with console.status("playing the story ...") if console.is_terminal else _Quiet() as status:
            async for row in play(world):
                rows.append(row)
                if status is not None:
                    status.update(row.what)
        console.print(_table(world, rows))
        console.print(_trail_table(await world.sides[0].trail()))
    wrong = [row.what for row in rows if not row.as_expected]
    if wrong:
        console.print(f"[bold red]{len(wrong)} of {len(rows)} steps went otherwise (✗).[/]")
    else:
        console.print(f"[green]All {len(rows)} steps came as the rules say.[/]")
    return not wrong


def _trail_table(trail: list[dict[str, str | None]]) -> Table:
    table = Table(title="The audit trail of the first pack", title_justify="left")
    members = ("at", "operation", "outcome", "name", "alertId")
    for member in (*members, "state"):
        table.add_column(member, overflow="fold")
    for entry in trail:
        state = f"{entry['stateBefore']} → {entry['stateAfter']}"
        table.add_row(*(entry[member] or "" for member in members), state)
    return table


class _Quiet:
    """Stands for the spinner where there is no terminal."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def main() -> int:
    """Play the story; return the exit code: 0 as expected, 1 not so, 2 could not be played."""
    parser = argparse.ArgumentParser(description="Play the demo's story.")
    parser.add_argument("--endpoints", type=Path, required=True, help="endpoints.json of `emvs up`")
    arguments = parser.parse_args()
    try:
        return 0 if asyncio.run(_tell(arguments.endpoints)) else 1
    except EmvsError as error:
        sys.stderr.write(f"The story cannot be played: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
