"""`pharmacy scan`, `batch`, `queue` and `doctor` as users run them."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emvs.scan import parse_scan
from emvs.states import Operation
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.results import PackCall
from tests.integration.pharmacy_client.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.integration.pharmacy_client.test_cli import environment, run
from tests.integration.pharmacy_client.test_national_system import Town, town

__all__ = ["town"]


@pytest.fixture
async def proxy(town: Town) -> AsyncIterator[FaultProxy]:
    """A proxy that the endpoints file names, so that the network can be broken."""
    async with fault_proxy(town.system.ports["service"]) as proxy:
        direct = f"http://127.0.0.1:{town.system.ports['service']}"
        town.endpoints.write_text(town.endpoints.read_text().replace(direct, proxy.url))
        yield proxy


def spelled(town: Town, number: int) -> str:
    return town.text(number).replace("\x1d", "<GS>")


async def test_outage_on_the_command_line(town: Town, proxy: FaultProxy, tmp_path: Path) -> None:
    here, queue = town.endpoints.parent.parent, ["--queue", str(tmp_path / "q.sqlite")]
    await proxy.stop()
    kept = await run("supply", spelled(town, 0), *queue, "--json", cwd=here)
    assert (kept.code, kept.answer["category"]) == (8, "queued")
    listed, refused, sick = await asyncio.gather(
        run("queue", "list", *queue, cwd=here),
        run("queue", "replay", *queue, cwd=here),
        run("doctor", *queue, "--no-scanner", cwd=here),
    )
    assert listed.code == 8
    assert "supply" in listed.out
    assert "1 waiting" in listed.out or "1 sending" in listed.out
    assert refused.code == 6, refused
    assert "No connection" in refused.err
    assert sick.code == 6
    assert "connection: FAILED" in sick.out
    assert "Is the system running?" in sick.out
    await proxy.start()
    (entry,) = map(
        json.loads, (await run("queue", "list", *queue, "--json", cwd=here)).out.split("\n")[:-1]
    )
    assert entry["wait"] is None  # Its turn has come.
    sent = await run("queue", "replay", *queue, cwd=here)
    assert sent.code == 0, sent
    assert "1 wait: the system works on it; its result is asked for at " in sent.out
    assert "settled: done" in sent.out
    well, other = await asyncio.gather(
        run("doctor", *queue, "--scan", spelled(town, 0), cwd=here),
        run("queue", "list", *queue, "--participant", "1", cwd=here),
    )
    assert well.code == 0, well
    for name in ("profile", "connection", "login", "clock", "queue", "scanner"):
        assert f"{name}: OK" in well.out
    assert other.code == 2
    assert "belongs to" in other.err


async def test_queues_are_looked_at_with_nothing_running(tmp_path: Path) -> None:
    """The endpoints file goes when a simulator stops; what waits is still to be seen."""
    state = {"XDG_STATE_HOME": str(tmp_path)}
    paths = [tmp_path / "emvs" / f"pharmacy-queue-{number}.sqlite" for number in range(2)]
    text = "]d201098765432109821728050010LOT-7A\x1d21SN1"
    for number, path in enumerate(paths):
        with OfflineQueue(path, f"till-{number} at 127.0.0.1:1") as queue:
            if number:
                queue.add(PackCall(Operation.SUPPLY, parse_scan(text)))
    nowhere = tmp_path / "none.sqlite"
    every, one, none = await asyncio.gather(
        run("queue", "report", "--market", "IE", cwd=tmp_path, variables=state),
        run("queue", "list", "--queue", str(paths[1]), "--json", cwd=tmp_path),
        run("queue", "list", "--queue", str(nowhere), cwd=tmp_path),
    )
    assert every.code == 8
    assert [line.rsplit(" of ", 1)[-1] for line in every.out.splitlines() if " of " in line] == [
        "till-0 at 127.0.0.1:1)",
        "till-1 at 127.0.0.1:1)",
    ]
    assert "as no system is known here" in every.err
    listed = json.loads(one.out)
    assert (one.code, one.err) == (8, "")
    assert (listed["queue"], listed["pack"]["serial_number"]) == ("till-1 at 127.0.0.1:1", "SN1")
    assert (none.code, none.out) == (0, f"Nothing waits: no queue was ever kept in {nowhere}.\n")
    assert not nowhere.exists()


async def test_doctor_finds_clock_login_and_scanner(town: Town, tmp_path: Path) -> None:
    here, queue = town.endpoints.parent.parent, ["--queue", str(tmp_path / "q.sqlite")]
    distorted = "+d201041500375286431727123110B1<GS>21SY1"
    wrong = {"PHARMACY_CLIENT_SECRET": "wrong"}
    done = await run("doctor", *queue, "--scan", distorted, "--json", cwd=here, variables=wrong)
    checks = {check["name"]: check for check in map(json.loads, done.out.splitlines())}
    assert done.code == 5
    assert checks["login"]["verdict"] == "failed"
    assert "locks the user" in checks["login"]["advice"]
    assert "keyboard layout" in checks["scanner"]["found"]
    await town.system.advance_clock(3 * 86_400)
    for dialect, clock in (("rest", "its token was issued"), ("soap", "Timestamp")):
        queue = ["--queue", str(tmp_path / f"{dialect}.sqlite"), "--dialect", dialect]
        done = await run("doctor", *queue, "--no-scanner", cwd=here)
        assert done.code == 0, done
        assert "clock: WARNING  this computer is 3 days behind the system, by the " in done.out
        assert clock in done.out
        assert "but by HTTP's Date it is right" in done.out


@pytest.mark.parametrize("bulk", [(), ("--bulk",)])
async def test_a_file_of_packs(town: Town, tmp_path: Path, bulk: tuple[str, ...]) -> None:
    here = town.endpoints.parent.parent
    rows, results = tmp_path / "packs.csv", tmp_path / "results.csv"
    system = town.system
    lines = ["operation,product_code,serial_number,batch_id,expiry,scan"]
    batch = f"{system.batch_id},{system.expiry}"
    packs = town.packs[:3]
    lines += [f"supply,{system.product_code},{serial},{batch}," for serial in packs]
    lines += [f",,,,,{spelled(town, 3)}", ",,,,,4150037528643", f"lose,,,,,{spelled(town, 4)}"]
    lines.append(f",{system.product_code},NEVER1SEEN,{system.batch_id},{system.expiry},")
    rows.write_text("\n".join(lines) + "\n")
    done = await run("batch", str(rows), "-o", str(results), *bulk, cwd=here)
    assert done.code == 3, done  # The unknown serial number raised an alert.
    found = {int(row["row"]): row for row in csv.DictReader(results.read_text().splitlines())}
    assert sorted(found) == [2, 3, 4, 5, 6, 7, 8]
    assert [found[number]["category"] for number in (2, 3, 4, 5)] == ["done"] * 3 + ["active"]
    assert "no serial number" in found[6]["error"]
    assert "no operation 'lose'" in found[7]["error"]
    assert (found[8]["alert_code"], found[8]["colour"]) == ("A3", "red")


async def test_a_refused_login_is_not_tried_for_every_row(
    town: Town, proxy: FaultProxy, tmp_path: Path
) -> None:
    rows = tmp_path / "packs.txt"
    rows.write_text("".join(f"{spelled(town, number)}\n" for number in range(8)))
    done = await run(
        "batch",
        str(rows),
        "--dialect",
        "soap",
        cwd=town.endpoints.parent.parent,
        variables={"PHARMACY_PASSWORD": "Wrong-Pass-1"},
    )
    assert done.code == 5
    assert len(done.out.splitlines()) == 8
    assert proxy.count(rb"G110Request") == 1


async def test_a_till_on_a_pipe(town: Town, proxy: FaultProxy, tmp_path: Path) -> None:
    here = town.endpoints.parent.parent
    proxy.fail(Fault.REQUEST_LOST, rb"^PATCH|G120Request")
    lines = [town.text(0), "s", town.text(0), f"m {town.system.product_code} NO1", "w", "q"]
    done = await run(
        "scan",
        "--queue",
        str(tmp_path / "q.sqlite"),
        cwd=here,
        stdin="\r\n".join(lines).encode() + b"\r\n" + town.text(1).encode(),
    )
    assert done.code == 8, done
    out = done.out
    assert "OK   A C T I V E" in out
    assert "CHECK   Q U E U E D" in out
    assert "1 wait" in out
    assert "1 to be sent: the answer was lost; that is looked into at " in out
    assert out.count("O K   ") == 0
    assert "\x1b" not in out


async def test_a_till_on_a_terminal(town: Town, tmp_path: Path) -> None:
    """A pseudo terminal: colour, and codes with EOT come through whole."""
    main, side = os.openpty()
    variables = environment(TERM="xterm", COLUMNS="80")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pharmacy_client.cli", "scan"),
        *("--queue", str(tmp_path / "q.sqlite"), "--mode", "supply"),
        cwd=town.endpoints.parent.parent,
        env=variables,
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    shown = bytearray()

    async def wait_for(words: bytes) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            while words not in shown:
                shown.extend(await loop.run_in_executor(None, os.read, main, 4096))

    await wait_for(b"supply> ")
    os.write(main, town.text(0).encode() + b"\r")
    await wait_for(b"S U P P L I E D")
    assert b"\x1b[1;30;42m" in shown
    ifa = "]d1[)>\x1e06\x1d9N110375286414\x1d1TB1\x1dD271231\x1dSSN1\x1e\x04\r"
    os.write(main, ifa.encode())
    await wait_for(b"U N K N O W N")
    os.write(main, b"\x04")
    assert await asyncio.wait_for(process.wait(), 30) == 0
    os.close(main)
