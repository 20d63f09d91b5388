"""What members a message has: its dataclass or struct, as XML needs to know it."""

from __future__ import annotations

import dataclasses
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec


class Member(NamedTuple):
    """A member of a message."""

    kind: Any
    """`str`, `int`, `bool`, an enumeration or a message inside."""
    is_list: bool
    is_required: bool

    @property
    def is_message(self) -> bool:
        """Whether it has members itself."""
        return is_message(self.kind)


def is_message(kind: Any) -> bool:
    """Tell whether a kind has members."""
    return isinstance(kind, type) and (
        dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct)
    )


@cache
def members_of(kind: Any) -> dict[str, Member]:
    """Return the members of a message by their names on the wire, in their order."""
    hints = get_type_hints(kind, include_extras=True)
    if issubclass(kind, msgspec.Struct):
        return {
            field.encode_name: _member(hints[field.name], is_required=field.required)
            for field in msgspec.structs.fields(kind)
        }
    return {
        field.name: _member(
            hints[field.name],
            is_required=field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    }


def _member(hint: Any, *, is_required: bool) -> Member:
    hint = _bare(hint)
    if get_origin(hint) is list:
        return Member(_bare(get_args(hint)[0]), is_list=True, is_required=False)
    return Member(hint, is_list=False, is_required=is_required)


def _bare(hint: Any) -> Any:
    """Return a type without `Annotated` and without None."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif isinstance(hint, UnionType) or get_origin(hint) is Union:
            hint = next(part for part in get_args(hint) if part is not NoneType)
        else:
            return hint


def words_of(kind: Any) -> list[str]:
    """Return the values of an enumeration, none of another kind."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(word.value) for word in kind]
    return []
