"""What surrounds a system in its process."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

_PROGRAM = """
import gc, sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from emvs.infra.service import run_service

@dataclass
class Config:
    ready_file: str

@asynccontextmanager
async def start(config):
    yield [[number] for number in range(10_000)]

sys.exit(run_service(Config, lambda config: "test", start, lambda system: {
    "frozen": gc.get_freeze_count(), "tracked": len(gc.get_objects())}))
"""


async def test_what_a_system_starts_with_is_not_searched_for_garbage(tmp_path: Path) -> None:
    config, ready = tmp_path / "config.json", tmp_path / "ready.json"
    config.write_text(json.dumps({"ready_file": str(ready)}))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, "--config", str(config)
    )
    try:
        async with asyncio.timeout(20):
            while not ready.exists():
                assert process.returncode is None
                await asyncio.sleep(0.02)
    finally:
        process.terminate()
        await process.wait()
    content = json.loads(ready.read_text())
    assert content["frozen"] > 10_000
    assert content["tracked"] < 1_000
