"""The XML schema (XSD 1.0) of the messages, made from their dataclasses.

It prescribes an order, as XSD 1.0 cannot do without one where elements repeat; the hub takes any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.xml_twin import NAMESPACE
from hub.xml_twin.shapes import Member, is_message, members_of, words_of

_ABOUT = (
    "Messages of manufacturers to the EU Hub of the EMVS in a box. This schema is ours: the real"
    " hub's is not public."
)
_SIMPLE = {str: "xs:string", int: "xs:integer", bool: "xs:boolean"}


def schema_of(messages: Mapping[str, Any]) -> str:
    """Return the schema of messages by the names of their elements."""
    kinds: dict[str, Any] = {}
    for kind in messages.values():
        _collect(kind, kinds)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"',
        f'    xmlns="{NAMESPACE}" targetNamespace="{NAMESPACE}" elementFormDefault="qualified">',
        f"  <xs:annotation><xs:documentation>{_ABOUT}</xs:documentation></xs:annotation>",
        *(
            f'  <xs:element name="{name}" type="{kind.__name__}"/>'
            for name, kind in messages.items()
        ),
    ]
    for name, kind in kinds.items():
        lines += [f'  <xs:complexType name="{name}">', "    <xs:sequence>"]
        lines += [f"      {_element(*item)}" for item in members_of(kind).items()]
        lines += ["    </xs:sequence>", "  </xs:complexType>"]
    return "\n".join([*lines, "</xs:schema>", ""])


def _collect(kind: Any, kinds: dict[str, Any]) -> None:
    if kinds.setdefault(kind.__name__, kind) is not kind:
        raise ValueError(f"two messages are called {kind.__name__}")
    for member in members_of(kind).values():
        if member.is_message:
            _collect(member.kind, kinds)


def _element(name: str, member: Member) -> str:
    least = "" if member.is_required else ' minOccurs="0"'
    most = ' maxOccurs="unbounded"' if member.is_list else ""
    words = words_of(member.kind)
    if words:
        values = "".join(f'<xs:enumeration value="{word}"/>' for word in words)
        inner = f'<xs:simpleType><xs:restriction base="xs:string">{values}</xs:restriction>'
        return f'<xs:element name="{name}"{least}{most}>{inner}</xs:simpleType></xs:element>'
    kind = member.kind.__name__ if is_message(member.kind) else _SIMPLE[member.kind]
    return f'<xs:element name="{name}" type="{kind}"{least}{most}/>'
