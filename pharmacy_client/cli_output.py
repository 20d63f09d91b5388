"""What `pharmacy` prints: a few lines for people, one JSON object for programs.

Texts come from the network and from scans: nothing of them may steer the terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from emvs.errors import EmvsError
from emvs.scan import Scan
from pharmacy_client.errors import PharmacyClientError
from pharmacy_client.exchange import Exchange
from pharmacy_client.exit_codes import ExitCode, exit_code_of, exit_code_of_error
from pharmacy_client.results import Colour, Pong, Result

_COLOURS: Final = {Colour.GREEN: "1;32", Colour.AMBER: "1;33", Colour.RED: "1;31"}
_LABEL_WIDTH: Final = 11


def result_object(result: Result, *, profile_source: str, raw: bool) -> dict[str, object]:
    """Return a result as a JSON object."""
    answer: dict[str, object] = {
        "operation": operation_name(result),
        "ok": result.ok,
        "category": result.category.value,
        "return_code": result.return_code,
        "state": None if result.state is None else result.state.name.lower(),
        "state_text": result.state_text,
        "reasons": result.reasons,
        "text": result.text,
        "alert_id": result.alert_id,
        "alert_code": result.alert_code,
        "alert_link": result.alert_link,
        "intermarket": result.intermarket,
        "product_name": result.product_name,
        "undo_until": None if result.undo_until is None else result.undo_until.isoformat(),
        "transaction_id": result.transaction_id,
        "client_transaction_id": result.client_transaction_id,
        "notifications": result.notifications,
        "retry_after_s": result.retry_after_s,
        "queue_number": result.queue_number,
        "from_memory": result.from_memory,
        "http_status": result.http_status,
        "elapsed_ms": round(result.exchange.elapsed_ms, 1),
        "advice": {"colour": result.advice.colour.value, "sentence": result.advice.sentence},
        "pack": _pack_object(result.scan),
        "profile": profile_source,
        "exit_code": int(exit_code_of(result)),
    }
    return answer | (_exchange_object(result.exchange) if raw else {})


def pong_object(pong: Pong, *, profile_source: str) -> dict[str, object]:
    """Return the result of a ping as a JSON object."""
    return {
        "operation": "ping",
        "ok": True,
        "dialect": pong.dialect,
        "url": pong.url,
        "text": pong.text,
        "elapsed_ms": round(pong.elapsed_ms, 1),
        "profile": profile_source,
        "exit_code": int(ExitCode.OK),
    }


def error_object(error: EmvsError, *, raw: bool) -> dict[str, object]:
    """Return an error as a JSON object."""
    answer: dict[str, object] = {
        "ok": False,
        "error": type(error).__name__,
        "detail": str(error),
        "may_have_acted": isinstance(error, PharmacyClientError) and error.may_have_acted,
        "return_code": getattr(error, "return_code", None),
        "retry_after_s": getattr(error, "retry_after_s", None),
        "exit_code": int(exit_code_of_error(error)),
    }
    exchange = error.exchange if isinstance(error, PharmacyClientError) else None
    return answer | (_exchange_object(exchange) if raw and exchange is not None else {})


def result_lines(result: Result, *, profile_source: str) -> list[tuple[str, str]]:
    """Return a result as pairs of label and text; the label of the first is empty."""
    state = result.state.name.lower().replace("_", " ") if result.state else result.state_text
    headline = f"{operation_name(result)}: {result.category.value.replace('_', ' ').upper()}"
    if state and state != result.category.value:
        headline += f" ({state})"
    scan = result.scan
    lines = [
        ("", headline),
        ("advice", result.advice.sentence),
        ("answer", f"{result.return_code}  {result.text}".strip()),
        ("reasons", ", ".join(result.reasons)),
        ("alert", " ".join(filter(None, (result.alert_id, result.alert_code, result.alert_link)))),
        ("product", result.product_name or ""),
        ("pack", f"{scan.scheme} {scan.product_code}  serial {scan.serial_number}"),
        ("batch", " ".join(filter(None, (scan.batch_id, scan.expiry and f"exp {scan.expiry}")))),
        ("market", "answered by another market" if result.intermarket else ""),
        ("undo until", f"{result.undo_until:%Y-%m-%d %H:%M:%S %Z}" if result.undo_until else ""),
        ("reference", result.client_transaction_id or ""),
        ("try again", f"in {result.retry_after_s:g} s" if result.retry_after_s else ""),
        (
            "asked",
            f"{profile_source}, {result.exchange.elapsed_ms:.0f} ms"
            if result.exchange.request
            else "",
        ),
    ]
    if result.from_memory:
        lines.append(("note", "This was answered just before; nothing was sent again."))
    lines += [("note", note) for note in (*scan.repairs, *scan.problems, *result.notifications)]
    return [line for line in lines if line[1]]


def print_lines(lines: list[tuple[str, str]], colour: Colour) -> None:
    """Print pairs of label and text, the first one in colour if the terminal takes it."""
    for number, (label, text) in enumerate(lines):
        if number == 0:
            print(_coloured(printable(text), colour))
        else:
            print(f"  {label:<{_LABEL_WIDTH}}{printable(text)}")


def print_json(answer: Mapping[str, object]) -> None:
    """Print one JSON object on one line, in ASCII: it fits every terminal and pipe."""
    print(json.dumps(answer))


def print_error(error: EmvsError) -> None:
    """Print an error on standard error, in one sentence or two."""
    print(f"pharmacy: {printable(str(error))}", file=sys.stderr)
    wait_s = getattr(error, "retry_after_s", None)
    if wait_s:
        at = datetime.now().astimezone() + timedelta(seconds=wait_s)
        print(f"Try again at {at:%H:%M:%S %Z}, not before.", file=sys.stderr)
    if isinstance(error, PharmacyClientError) and error.may_have_acted:
        print(
            "It is not known whether the pack was changed: verify it before you repeat anything.",
            file=sys.stderr,
        )


def print_exchange(exchange: Exchange | None) -> None:
    """Print what went over the wire on standard error."""
    if exchange is None:
        return
    for mark, data in (("> ", exchange.request), ("< ", exchange.reply)):
        for line in data.decode("utf-8", "replace").splitlines():
            print(mark + printable(line), file=sys.stderr)


def printable(text: str) -> str:
    """Return text in which everything that a terminal might obey is spelled out."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def operation_name(result: Result) -> str:
    """Return the operation in small letters, words joined by underscores."""
    return result.operation.name.lower()


def _pack_object(scan: Scan) -> dict[str, object]:
    return {
        "scheme": scan.scheme.value,
        "product_code": scan.product_code,
        "serial_number": scan.serial_number,
        "batch_id": scan.batch_id,
        "expiry": scan.expiry,
        "problems": scan.problems,
        "repairs": scan.repairs,
    }


def _exchange_object(exchange: Exchange) -> dict[str, object]:
    return {
        "request": exchange.request.decode("utf-8", "replace"),
        "reply": exchange.reply.decode("utf-8", "replace"),
    }


def wants_colour() -> bool:
    """Tell whether standard output is a terminal that takes colours, and may."""
    # https://no-color.org: any value but an empty one turns colours off.
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def _coloured(text: str, colour: Colour) -> str:
    if not wants_colour():
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
