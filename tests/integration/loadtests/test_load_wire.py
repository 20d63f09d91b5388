"""The load generator's connections against answers that are broken, odd or slow: plain bytes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PEER = Path(__file__).with_name("wire_peer.py")
OK = "HTTP/1.1 200 OK\r\n"
LONG = f"{OK}Content-Length: 200000\r\n\r\n" + "x" * 200_000
CHUNKED = f"{OK}Transfer-Encoding: chunked\r\n\r\n"
# Name: what the server sends (null: it closes), and status, body or trouble of the request; whether
# the connection is used for the next one. A list is sent in pieces, 20 ms apart.
CASES: dict[str, tuple[list[str | None], int, str, bool]] = {
    "good": ([f"{OK}Content-Length: 2\r\n\r\nhi"], 200, "hi", True),
    "in pieces": ([OK, "Content-Length: 4\r", "\n\r\nab", "cd"], 200, "abcd", True),
    "long": ([LONG], 200, "x" * 200_000, True),
    "chunked": ([CHUNKED + "2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n"], 200, "hi yo", True),
    "chunked in pieces": ([CHUNKED + "2\r", "\nh", "i\r\n0\r\nA: b\r\n", "\r\n"], 200, "hi", True),
    "continue": (
        ["HTTP/1.1 100 Continue\r\n\r\n", f"{OK}Content-Length: 2\r\n\r\nhi"], 200, "hi", True,
    ),
    "continue at once": (
        [f"HTTP/1.1 100 Continue\r\n\r\n{OK}Content-Length: 2\r\n\r\nhi"], 200, "hi", True,
    ),
    "no content": (["HTTP/1.1 204 No Content\r\n\r\n"], 204, "", True),
    "other length": ([f"{OK}X-Content-Length: 9\r\nContent-Length: 2\r\n\r\nhi"], 200, "hi", True),
    "overloaded": (
        ["HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"],
        503, "no", False,
    ),
    "old": (["HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"], 200, "hi", False),
    "more than it says": ([f"{OK}Content-Length: 2\r\n\r\nhiHTTP/1.1 500"], 200, "hi", False),
    "cut in the body": ([f"{OK}Content-Length: 9\r\n\r\nhi", None], 0, "reset", False),
    "cut in the head": ([OK, None], 0, "reset", False),
    "cut in a chunk": ([CHUNKED + "9\r\nhi", None], 0, "reset", False),
    "nothing": ([None], 0, "reset", False),
    "garbage": (["\x00\x01 no HTTP\r\n\r\n"], 0, "broken", False),
    "wrong status": (["HTTP/1.1 -20 x\r\nContent-Length: 0\r\n\r\n"], 0, "broken", False),
    "wrong length": ([f"{OK}Content-Length: -2\r\n\r\nhi"], 0, "broken", False),
    "two lengths": ([f"{OK}Content-Length: 2, 2\r\n\r\nhi"], 0, "broken", False),
    "huge": ([f"{OK}Content-Length: 99999999999\r\n\r\n"], 0, "broken", False),
    "wrong chunk": ([CHUNKED + "x\r\nhi\r\n"], 0, "broken", False),
    "longer chunk": ([CHUNKED + "1\r\nhi\r\n0\r\n\r\n"], 0, "broken", False),
    "endless head": (["HTTP/1.1 200 OK\r\n" + "A: b\r\n" * 20_000], 0, "broken", False),
    "no length": ([OK + "\r\n"], 0, "broken", False),
    "silent": ([""], 0, "timeout", False),
    # A byte every 20 ms for two seconds: the time-out is the whole answer's.
    "slow": ([f"{OK}Content-Length: 100\r\n\r\n", *"x" * 100], 0, "timeout", False),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What the generator made of each, in a process of its own: it runs on gevent."""
    cases = tmp_path_factory.mktemp("wire") / "cases.json"
    cases.write_text(json.dumps({name: case[0] for name, case in CASES.items()}))
    done = subprocess.run(  # noqa: S603 - our own file
        [sys.executable, str(PEER), str(cases)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::ResourceWarning"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ResourceWarning" not in done.stderr
    result: dict[str, dict[str, object]] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("name", CASES)
def test_every_answer_is_a_reply_or_has_a_name(
    found: dict[str, dict[str, object]], name: str
) -> None:
    _, status, text, is_kept = CASES[name]
    one = found[name]
    assert one["status"] == status, one
    assert one["body" if status else "trouble"] == text
    assert one["is_kept"] is is_kept
    assert float(str(one["took_s"])) < 1.5


def test_what_the_generator_costs_is_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.generator_cost", "200", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(r"([0-9.]+) us of processor time a request at ([0-9]+)/s\n", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) > 1
    assert 100 < int(found[2]) < 300
