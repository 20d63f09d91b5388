"""A group of the ledger as the database takes it: rows in the text form of an array of a composite
type, one such text for each part of the group.

One text costs the driver next to nothing, where it looks at every element of an array twice; and
the server reads it as fast as it reads arrays of columns (measured, `loadtests.operation_cost`).
Form: PostgreSQL's manual, "Array Input and Output Syntax" and "Composite Type Input and Output
Syntax". The types are those of migrations 0012 and 0016. No SQL and no rule enters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson

if TYPE_CHECKING:
    from nmvs.ledger import Entry, PackChange

Value: TypeAlias = bytes | str | int | bool | None

_needs_no_quotes: Final = re.compile(r"[0-9A-Za-z.:-]+").fullmatch
_NUMBERS: Final = tuple(map(str, range(256)))
"""To write a member of an enumeration takes five times as long as to look its digits up."""


def quoted(text: str) -> str:
    """Return `text` as a field of a row that is an element of an array.

    Both levels have quotes and backslashes as their special characters, so each stands twice
    escaped. A text without any is left as it is: outside quotes only the empty one means null.
    """
    if _needs_no_quotes(text):
        return text
    return '\\"' + text.replace("\\", "\\\\\\\\").replace('"', '\\\\\\"') + '\\"'


_quoted_word: Final = lru_cache(maxsize=64)(quoted)
"""For the few words that stand in nearly every row."""
_quoted_client: Final = lru_cache(maxsize=4_096)(quoted)
"""For client ids: those who ask now ask again soon."""


def array_of(rows: Iterable[Iterable[Value]]) -> str:
    """Return rows of any values as the text of an array. Bytes are keys; None is null."""
    return _array([f'"({",".join(map(_field, row))})"' for row in rows])


def _array(elements: list[str]) -> str:
    return "{" + ",".join(elements) + "}"


def _field(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)  # A truth value as well: the server reads True.


def json_text(members: dict[str, object] | None) -> str | None:
    """Return an object as JSON text; None stays None."""
    return None if members is None else orjson.dumps(members).decode()


def trail_rows(group: list[Entry]) -> str:
    """Return the audit trail's rows: the hot path, hence by hand."""
    numbers, rows = _NUMBERS, []
    for (
        pack_key,
        at_ms,
        transaction_id,
        location_number,
        operation,
        outcome,
        state_before,
        state_after,
        manual,
        dialect,
        client_transaction_id,
        submitted,
        _,
        alert,
        _,
        equipment,
    ) in group:
        rows.append(
            f'"({pack_key.hex()},{at_ms},{transaction_id},{location_number},{numbers[operation]},'
            f"{numbers[outcome]},{numbers[state_before]},{numbers[state_after]},"
            f"{'t' if manual else 'f'},{_quoted_word(dialect)},"
            f"{'' if client_transaction_id is None else quoted(client_transaction_id)},"
            f"{'' if alert is None else alert.alert_id},"
            f"{'' if submitted is None else quoted(orjson.dumps(submitted).decode())},"
            f'{_quoted_client(equipment) if equipment else ""})"'
        )
    return _array(rows)


def change_rows(changes: Mapping[bytes, PackChange]) -> str:
    """Return the packs' new values."""
    return _array(
        [
            f'"({key.hex()},{version_from},{version_to},{_NUMBERS[state]},{set_by},{set_at_s},'
            f'{repeat_count})"'
            for key, (
                version_from,
                version_to,
                state,
                set_by,
                set_at_s,
                repeat_count,
            ) in changes.items()
        ]
    )


def alert_rows(group: list[Entry]) -> str | None:
    """Return the alerts' rows, None if there are none."""
    rows = [
        (
            alert.alert_id,
            entry.at_ms,
            entry.pack_key,
            entry.transaction_id,
            alert.hub_code,
            int(entry.outcome),
            int(entry.operation),
            entry.location_number,
            alert.product_code,
            json_text(alert.submitted),
            json_text(alert.stored),
            entry.at_ms if alert.event_at_ms is None else alert.event_at_ms,
            alert.initiating_market,
            alert.source_process,
            alert.repeat_group,
            entry.manual,
            entry.dialect,
            entry.client_transaction_id,
        )
        for entry in group
        if (alert := entry.alert) is not None
    ]
    return array_of(rows) if rows else None


def outgoing_rows(group: list[Entry]) -> str | None:
    """Return the rows of what other markets are told, None if there are none."""
    rows = [
        (entry.pack_key, entry.transaction_id, entry.at_ms, entry.outgoing)
        for entry in group
        if entry.outgoing is not None
    ]
    return array_of(rows) if rows else None
