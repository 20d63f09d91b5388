"""What the items of a mixed bulk may ask: their request types, by the element that holds them.

The names of the request types are those of the single-pack operations; some of them exist here
only. No XML enters.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

from emvs.states import Operation
from nmvs.soap.catalogue import OPERATIONS, Endpoint, Shape, Version, make_endpoint


class ItemKind(NamedTuple):
    """What a request type asks."""

    operation: Operation
    is_manual: bool


# Branch of the choice, versions, request types. The published v2 schema knows two branches, and has
# undos in the first one, where some software puts them in later versions, too.
_ROWS: Final = """
item           245 G110 G120 G130 G140 G150 G160 G170 G180
item           245 G121 G141 G151 G161 G171
item           2   G131 G181
item_undo      45  G121 G141 G151 G161 G171
item_man       245 G122 G182
item_man       45  G112 G132 G142 G152 G172
item_man_undo  45  G123 G143 G153 G173
"""
_BRANCHES: Final = ("item", "item_undo", "item_man", "item_man_undo")
_ACTIONS: Final = (
    Operation.VERIFY,
    Operation.SUPPLY,
    Operation.DESTROY,
    Operation.EXPORT,
    Operation.SAMPLE,
    Operation.FREE_SAMPLE,
    Operation.LOCK,
    Operation.STOLEN,
)
"""By the third character of a request type, from 1."""


def _kind(req_type: str) -> ItemKind:
    action, variant = _ACTIONS[int(req_type[2]) - 1], int(req_type[3])
    is_undo, is_manual = bool(variant & 1), bool(variant & 2)
    return ItemKind(Operation(action + 10) if is_undo else action, is_manual)


KINDS: Final = {req_type: _kind(req_type) for req_type in _ROWS.split() if req_type[0] == "G"}


def request_types(version: Version) -> dict[str, tuple[str, ...]]:
    """Return the request types of the schema's enumerations, by their names there."""
    rows = [line.split() for line in _ROWS.strip().splitlines()]
    number = str(version.number)
    types = {
        branch: tuple(
            req_type
            for name, numbers, *req_types in rows
            if name == branch and number in numbers
            for req_type in req_types
        )
        for branch in _BRANCHES
    }
    # A result may be fetched in another version than the one it was asked in.
    types["any_item"] = tuple(KINDS)
    types["bulk"] = tuple(
        row.name for row in OPERATIONS if row.shape in (Shape.BULK, Shape.BULK_UNDO)
    )
    return types


_MIXED: Final = next(row for row in OPERATIONS if row.shape is Shape.MIXED)


@lru_cache(maxsize=256)
def item_endpoint(req_type: str, version: Version) -> Endpoint:
    """Return what an item asks as if it had been asked by itself."""
    kind = KINDS[req_type]
    return replace(
        make_endpoint(_MIXED, version),
        operation=kind.operation,
        has_batch=not kind.is_manual,
        is_manual=kind.is_manual,
        is_undo=kind.operation.is_undo,
    )
