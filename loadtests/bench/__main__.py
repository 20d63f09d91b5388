"""`python -m loadtests.bench`: measures everything in one run and holds it against the goals."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import orjson
import uvloop

from emvs.errors import EmvsError
from emvs.infra.embedded_postgres import EmbeddedPostgres
from loadtests.bench.figures import Results, as_document, judge
from loadtests.bench.goals import GOALS
from loadtests.bench.machine import about
from loadtests.bench.parts import PARTS, run_parts
from loadtests.bench.report_html import as_html
from loadtests.bench.report_text import as_markdown, as_text
from loadtests.bench.scale import FULL, QUICK, Scale

_BEGIN: Final = "<!-- bench -->"
_END: Final = "<!-- end of bench -->"
_INDEX_MIN: Final = 100_000
_INDEX_MAX: Final = 100_000_000
_MISSED: Final = 1
_FAILED: Final = 2


async def _run(arguments: argparse.Namespace, scale: Scale, command: str) -> Results:
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="emvs-bench-")))
        server = exits.enter_context(EmbeddedPostgres(folder / "postgres"))
        results = Results(await about(server, command, folder))
        begun = time.monotonic()
        await run_parts(results, folder, server, scale, arguments.only, peers=arguments.peers)
        results.about["took"] = f"{time.monotonic() - begun:.0f} s"
        results.about["load after"] = f"{os.getloadavg()[0]:.2f}"
    results.verdicts = judge(results.figures, GOALS, arguments.only)
    return results


def _write(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = orjson.dumps(as_document(results), option=orjson.OPT_INDENT_2)
    (folder / "bench.json").write_bytes(document)
    (folder / "bench.html").write_text(as_html(results), encoding="utf-8")
    (folder / "bench.md").write_text(as_markdown(results), encoding="utf-8")


def _update(page: Path, results: Results) -> None:
    """Put the tables in the place of those that a page has between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    text = f"{before}{_BEGIN}\n\n{as_markdown(results)}\n{_END}{after}"
    page.write_text(text, encoding="utf-8")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="loadtests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form, under five minutes")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument(
        "--peers", action="store_true", help="measure what somebody might use instead, too"
    )
    parser.add_argument(
        "--index-packs",
        type=int,
        default=0,
        help="look-ups up to so many packs; 100000000 takes some 8 GiB of memory",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=sorted(PARTS),
        default=list(PARTS),
        metavar="PART",
        help=f"of {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("bench-results"), help="folder for JSON, HTML, Markdown"
    )
    parser.add_argument("--page", type=Path, help="page whose tables are replaced, too")
    arguments = parser.parse_args()
    if arguments.index_packs and not _INDEX_MIN <= arguments.index_packs <= _INDEX_MAX:
        parser.error(f"--index-packs is from {_INDEX_MIN} to {_INDEX_MAX}")
    if arguments.page is not None and set(arguments.only) != set(PARTS):
        parser.error("--page replaces all tables of the page: leave --only out")
    if arguments.page is not None and not _has_marks(arguments.page):
        parser.error(f"{arguments.page} lacks the lines {_BEGIN} and {_END}")
    return arguments


def _has_marks(page: Path) -> bool:
    try:
        _, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    except OSError:
        return False
    return _END in rest


def main() -> int:
    """Run; return the exit code: 0 fine, 1 a goal is missed (--check), 2 could not measure."""
    arguments = _parse()
    scale = QUICK if arguments.quick else FULL
    if arguments.index_packs:
        scale = scale._replace(index_packs=arguments.index_packs)
    command = " ".join(["python -m loadtests.bench", *sys.argv[1:]])
    try:
        results = uvloop.run(_run(arguments, scale, command))
    except EmvsError as error:
        sys.stderr.write(f"{error.title}: {error}\n")
        return _FAILED
    _write(results, arguments.out)
    if arguments.page is not None and results.is_valid:
        _update(arguments.page, results)
    sys.stdout.write(as_text(results))
    sys.stdout.write(f"written: {arguments.out / 'bench.html'}, bench.json, bench.md\n")
    if arguments.page is not None and not results.is_valid:
        sys.stderr.write(f"{arguments.page} stays as it is: the run is not valid\n")
    return _exit_code(results, check=arguments.check)


def _exit_code(results: Results, *, check: bool) -> int:
    """0: fine; 1: a goal is missed, if that is to be checked; 2: something was not measured."""
    if not results.is_valid:
        return _FAILED
    return _MISSED if check and results.missed else 0


if __name__ == "__main__":
    sys.exit(main())
