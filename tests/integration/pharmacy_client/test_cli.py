"""The command `pharmacy` as users run it: a process, its exit code, what it prints."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pharmacy_client.exit_codes import MEANINGS
from tests.integration.pharmacy_client.test_national_system import Town, town
from tests.integration.pharmacy_client.wire import Wire, http, open_wire

__all__ = ["town"]

SCAN = "]d201098765432109821728050010LOT-7A<GS>21SN1"
ACTIVE = http(200, b'{"operationCode":"11110100","state":"Active","information":"Active."}')


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object that was printed."""
        assert self.out.count("\n") == 1, self
        answer: dict[str, Any] = json.loads(self.out)
        assert answer["exit_code"] == self.code
        return answer


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PHARMACY_")}
    return kept | {"HOME": "/nonexistent"} | more


async def run(
    *arguments: str, cwd: Path, stdin: bytes = b"", variables: dict[str, str] | None = None
) -> Done:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pharmacy_client.cli",
        *arguments,
        cwd=cwd,
        env=environment(**(variables or {})),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), 60)
    done = Done(process.returncode or 0, out.decode(), err.decode())
    assert "Traceback" not in done.out + done.err, done
    assert done.code in set(MEANINGS)
    return done


def rest_variables(wire: Wire) -> dict[str, str]:
    return {
        "PHARMACY_URL": wire.url,
        "PHARMACY_TOKEN_URL": f"{wire.url}/connect/token",
        "PHARMACY_CLIENT_ID": "till",
        "PHARMACY_CLIENT_SECRET": "hush-hush",
    }


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with open_wire(ACTIVE) as wire:
        yield wire


async def test_first_steps_with_a_running_system(town: Town) -> None:
    """As after `make up`: the file lies in .emvs, nothing is configured."""
    here = town.endpoints.parent.parent
    scan = town.text().replace("\x1d", r"\x1d")
    verified = await run("verify", scan, cwd=here)
    assert verified.code == 0, verified
    assert verified.out.splitlines()[0] == "verify: ACTIVE"
    assert "\x1b" not in verified.out
    assert "may be handed out" in verified.out
    supplied = await run("supply", scan, "--json", cwd=here)
    assert (supplied.code, supplied.answer["state"]) == (0, "supplied")
    assert supplied.answer["return_code"] == "11210200"
    seen = await run("verify", scan, "--json", cwd=here)
    assert (seen.code, seen.answer["category"]) == (1, "refused")
    alert = await run("supply", scan, "--participant", "1", "--json", cwd=here)
    assert alert.code == 3
    assert alert.answer["alert_id"]
    undone = await run("undo", scan, "--dialect", "SOAP", "--market", "ie", cwd=here)
    assert undone.code == 0, undone
    assert undone.out.startswith("undo_supply: DONE (active)")


async def test_typed_fields_and_other_states(town: Town) -> None:
    here = town.endpoints.parent.parent
    fields = ["--product-code", town.system.product_code, "--serial", town.packs[1], "--manual"]
    assert (await run("verify", *fields, cwd=here)).code == 0
    locked = await run("decommission", *fields, "--state", "locked", "--json", cwd=here)
    assert (locked.code, locked.answer["state"]) == (0, "locked")
    undone = await run("undo", *fields, "--state", "locked", "--json", cwd=here)
    assert (undone.code, undone.answer["state"]) == (0, "active")


async def test_program_of_the_documentation(town: Town, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "pharmacy.md").read_text()
    program = page.partition("```python\n")[2].partition("```")[0]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        str(town.endpoints),
        town.text(3),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert out.decode().startswith("active 11110100")


async def test_picture_drawn_and_read(town: Town) -> None:
    here = town.endpoints.parent.parent
    drawn = await run("render", town.text().replace("\x1d", "{GS}"), "-o", "a.png", cwd=here)
    assert (drawn.code, drawn.out) == (0, "a.png written\n")
    assert (await run("verify", "--image", "a.png", cwd=here)).code == 0


async def test_scan_from_standard_input(town: Town) -> None:
    line = town.text(2).encode() + b"\n"
    assert (await run("verify", "-", cwd=town.endpoints.parent.parent, stdin=line)).code == 0


@pytest.mark.parametrize("dialect", ["rest", "soap"])
async def test_ping_and_wrong_login(town: Town, dialect: str) -> None:
    here = town.endpoints.parent.parent
    assert (await run("ping", "--dialect", dialect, cwd=here)).out.startswith("ping: OK")
    wrong = {"PHARMACY_CLIENT_SECRET": "no", "PHARMACY_PASSWORD": "Wrong-Pass-1"}
    refused = await run(
        "verify", town.text(), "--dialect", dialect, "--json", cwd=here, variables=wrong
    )
    assert (refused.code, refused.answer["error"]) == (5, "LoginRefusedError")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (404, b'{"operationCode":"41020000","warning":"Unknown."}', 1),
        (404, b'{"operationCode":"41020001","warning":"Unknown.","alertId":"XX-1"}', 3),
        (422, b'{"operationCode":"61020008","warning":"Invalid."}', 4),
        (403, b'{"operationCode":"30020000","warning":"Not you."}', 5),
        (503, b'{"operationCode":"B0020000","warning":"Later."}', 6),
        (503, b"", 6),
        (500, b"<html>", 7),
    ],
)
async def test_exit_codes(wire: Wire, tmp_path: Path, status: int, body: bytes, code: int) -> None:
    wire.answers = [http(status, body)]
    done = await run("verify", SCAN, "--json", cwd=tmp_path, variables=rest_variables(wire))
    assert done.code == code
    assert done.answer["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "Usage"),
        (["verify"], 2, "Give a scan, or --image"),
        (["verify", SCAN, "--serial", "1"], 2, "Give a scan, or --image"),
        (["verify", SCAN, "--dialect", "fax"], 2, "--dialect"),
        (["verify", SCAN, "--participant", "-1"], 2, "--participant"),
        (["verify", SCAN], 2, "make up"),
        (["verify", SCAN, "--endpoints", "nowhere.json"], 2, "nowhere.json cannot be read"),
        (["verify", SCAN, "--profile", "nowhere.toml"], 2, "nowhere.toml cannot be read"),
        (["verify", "5012345678900"], 4, "Data Matrix"),
        (["verify", "]d2\udcff"], 4, ""),
        (["verify", "--serial", "1"], 4, "product code is missing"),
        (["verify", "--image", "nowhere.png"], 2, "does not exist"),
        (["decommission", SCAN], 2, "--state"),
        (["render", SCAN, "-o", "/nowhere/a.png"], 4, "can't be written"),
    ],
)
async def test_wrong_usage_gets_a_sentence(
    tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    done = await run(*arguments, cwd=tmp_path)
    assert done.code == code, done
    assert sentence in done.err + done.out


async def test_help_tells_the_exit_codes(tmp_path: Path) -> None:
    done = await run("--help", cwd=tmp_path, variables={"COLUMNS": "100"})
    for code, meaning in MEANINGS.items():
        assert f"{code.value} {meaning}" in done.out
    assert "<GS>" in (await run("verify", "--help", cwd=tmp_path)).out


async def test_raw_exchange_has_no_secrets(wire: Wire, tmp_path: Path) -> None:
    done = await run("verify", SCAN, "--raw", cwd=tmp_path, variables=rest_variables(wire))
    assert "> GET " in done.err
    assert '< {"operationCode"' in done.err
    assert "hush-hush" not in done.err
    assert "eyJ" not in done.err


async def test_a_system_that_wants_time_is_named_the_time(wire: Wire, tmp_path: Path) -> None:
    wire.answers = [http(503, b"later", "text/plain", "Retry-After: 40")]
    done = await run("verify", SCAN, cwd=tmp_path, variables=rest_variables(wire) | {"TZ": "UTC"})
    assert done.code == 6
    assert re.search(r"Try again at \d\d:\d\d:\d\d UTC, not before\.", done.err), done


async def test_answer_does_not_steer_the_terminal(wire: Wire, tmp_path: Path) -> None:
    wire.answers = [
        http(200, b'{"operationCode":"11110100","state":"Active","information":"\\u001b[2Jgone"}')
    ]
    done = await run("verify", SCAN, cwd=tmp_path, variables=rest_variables(wire))
    assert r"\x1b[2Jgone" in done.out


async def test_nobody_reads_the_answer(wire: Wire, tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    for stdout in (write_end, os.open("/dev/full", os.O_WRONLY)):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pharmacy_client.cli",
            "verify",
            SCAN,
            cwd=tmp_path,
            env=environment(**rest_variables(wire)),
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(stdout)
        _, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0
        assert b"Traceback" not in err
        assert b"Exception" not in err


async def test_interrupted(wire: Wire, tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()

    wire.answers = [never_answer]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pharmacy_client.cli",
        "supply",
        SCAN,
        cwd=tmp_path,
        env=environment(**rest_variables(wire)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Whoever runs the tests in the background of a shell ignores it, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    await asyncio.wait_for(asked.wait(), 30)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert b"verify the pack before you repeat it" in err


async def test_lost_answer_of_a_supply_says_what_to_do(wire: Wire, tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    wire.answers = [hang_up]
    done = await run("supply", SCAN, cwd=tmp_path, variables=rest_variables(wire))
    assert done.code == 6
    assert "It is not known whether the pack was changed" in done.err
