"""The programs of docs/pharmacy-first-pack.md do what the page says, in both dialects."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

from tests.integration.pharmacy_client.test_cli import environment
from tests.integration.pharmacy_client.test_national_system import Town, town

__all__ = ["town"]

PAGE = (Path(__file__).parents[3] / "docs" / "pharmacy-first-pack.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def endpoints_as_started(town: Town, folder: Path) -> Path:
    """Tell the town's one market as `make up` tells its own: IE speaks REST only, AT SOAP only."""
    told = json.loads(town.endpoints.read_text())
    market, people = told["markets"]["IE"], told["participants"]
    told["markets"] = {"IE": market, "AT": market}
    told["participants"] = [
        {name: value for name, value in person.items() if name != unspoken} | {"market": code}
        for code, unspoken in (("IE", "soap"), ("AT", "rest"))
        for person in people
    ]
    path = folder / "endpoints.json"
    path.write_text(json.dumps(told))
    return path


async def run_program(program: str, town: Town, number: int, folder: Path) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(endpoints_as_started(town, folder))),
        town.text(number).replace("\x1d", "<GS>"),
        cwd=folder,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


async def test_every_program_of_the_page(town: Town, tmp_path: Path) -> None:
    rest, soap, till = await asyncio.gather(
        *(run_program(program, town, number, tmp_path) for number, program in enumerate(PROGRAMS))
    )
    assert rest == ["green ACTIVE The pack may be handed out.", "done 11210200", "done"]
    assert soap[:3] == ["green ACTIVE The pack may be handed out.", "done NMVS_SUCCESS", "done"]
    assert soap[3].startswith("POST http://127.0.0.1")
    for line in (rest[0], "done 11210200", "done NMVS_SUCCESS"):
        assert f"`{line}`" in PAGE
    assert till == ["green Done: the pack is supplied now.", "1 settled done"]
