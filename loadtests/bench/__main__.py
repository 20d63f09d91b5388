"""`python -m loadtests.bench`: measures everything in one run and holds it against the goals."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import orjson
import uvloop

from emvs.errors import EmvsError
from emvs.infra.embedded_postgres import EmbeddedPostgres
from loadtests.bench.closed_loop import LoadError
from loadtests.bench.figures import Results, as_document, judge
from loadtests.bench.goals import GOALS
from loadtests.bench.machine import about
from loadtests.bench.parts import PARTS, run_parts
from loadtests.bench.report_html import as_html
from loadtests.bench.report_text import as_markdown, as_text
from loadtests.bench.scale import FULL, QUICK, Scale

_BEGIN: Final = "<!-- bench -->"
_END: Final = "<!-- end of bench -->"
_MISSED: Final = 1
_FAILED: Final = 2


async def _run(arguments: argparse.Namespace, scale: Scale, command: str) -> Results:
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="emvs-bench-")))
        server = exits.enter_context(EmbeddedPostgres(folder / "postgres"))
        results = Results(await about(server, command))
        await run_parts(results, folder, server, scale, arguments.only, peers=arguments.peers)
    results.verdicts = judge(results.figures, GOALS)
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
    _, end, after = rest.partition(_END)
    if not end:
        raise EmvsError(f"{page} lacks the lines {_BEGIN} and {_END}")
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
    return parser.parse_args()


def main() -> int:
    """Run; return the exit code: 0 fine, 1 a goal is missed (--check), 2 could not measure."""
    arguments = _parse()
    scale = QUICK if arguments.quick else FULL
    if arguments.index_packs:
        scale = scale._replace(index_packs=arguments.index_packs)
    command = " ".join(["python -m loadtests.bench", *sys.argv[1:]])
    try:
        results = uvloop.run(_run(arguments, scale, command))
        if arguments.page is not None:
            _update(arguments.page, results)
    except (EmvsError, LoadError) as error:
        sys.stderr.write(f"The run is not valid: {error}\n")
        return _FAILED
    _write(results, arguments.out)
    sys.stdout.write(as_text(results))
    sys.stdout.write(f"written: {arguments.out / 'bench.html'}, bench.json, bench.md\n")
    return _MISSED if arguments.check and results.missed else 0


if __name__ == "__main__":
    sys.exit(main())
