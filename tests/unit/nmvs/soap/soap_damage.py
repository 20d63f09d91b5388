"""Hostile messages made from the literal ones: of every service, in every version, from a seed.

Four kinds: bytes replaced, trees rebuilt, encodings that are not what is declared, and the known
attacks on XML parsers.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Sequence
from typing import Final

from lxml import etree

from nmvs.soap.catalogue import VERSIONS
from tests.unit.nmvs.soap.soap_messages import VECTORS, vector

MESSAGES: Final = [path.read_bytes() for path in sorted(VECTORS.glob("*-request*.xml"))]
_NAMES: Final = [path.stem.removeprefix("v2-") for path in sorted(VECTORS.glob("*-request*.xml"))]
_IN_ALL_VERSIONS: Final = [
    vector(name, version=number)
    for name in sorted(set(_NAMES))
    for number in VERSIONS
    if (VECTORS / f"{name}.xml").exists()
] + [path.read_bytes() for path in sorted(VECTORS.glob("v2-*-request*.xml"))]
_PIECES: Final = [
    b"&", b"<", b">", b'"', b"'", b"\x00", b"\xff", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?x?>",
    b"&#0;", b"&#x1F600;", b"&amp;", b"xmlns:t=''", b" t:x='1'", b"<t:Pack/>", b"</t:Body>", b"\n",
    b"<!DOCTYPE x []>", b"v4.0", b"v2.0", b"v1.0", "é".encode(), "\u2028".encode(), b"1" * 300,
]  # fmt: skip
_TYPES: Final = "http://www.w3.org/2001/XMLSchema-instance"
_TEXTS: Final = [
    *(
        "",
        " ",
        "\n",
        "0",
        "-1",
        "1e9",
        "é",
        "\u2028",
        "\U0001f48a",
        "'; drop table pack; --",
        "%00",
    ),
    *("GTIN", "G131", "301231", 33 * "A", 256 * "A", 100_000 * "A", "<&>\"'", "../../etc/passwd"),
]
_BOMBS: Final = [
    "<!DOCTYPE x [<!ENTITY a 'ha'>{}]>".format(
        "".join(
            f"<!ENTITY {name} '{30 * f'&{inner};'}'>"
            for inner, name in zip("abcdefgh", "bcdefghi", strict=True)
        )
    ),
    f"<!DOCTYPE x [<!ENTITY i '{50_000 * 'A'}'>]>",
    "<!DOCTYPE x [<!ENTITY i SYSTEM 'file:///etc/passwd'>]>",
    "<!DOCTYPE x [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/x.dtd'>%p;]>",
    "<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>",
    "<!DOCTYPE x PUBLIC '-//x//y' 'file:///dev/zero'>",
    "<!DOCTYPE x [<!ATTLIST x i CDATA 'default'>]>",
    "<!DOCTYPE x [<!ENTITY i '&i;'>]>",
]
_INSTRUCTIONS: Final = [
    "<?xml-stylesheet type='text/xsl' href='http://127.0.0.1:9/x.xsl'?>",
    f"<?x {20_000 * 'y'}?>",
    500 * "<?x y?>",
    500 * "<!-- y -->",
]
_DECLARED: Final = ["utf-8", "utf-16", "utf-32", "iso-8859-1", "us-ascii", "utf-7", "cp037", "x-no"]
_ENCODED: Final = [
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037"),
    *("iso-8859-1", "cp1252", "shift_jis"),
]
_DECLARATION: Final = re.compile(r"\s*<\?xml[^>]*\?>")


def damaged(rng: random.Random, messages: Sequence[bytes] = MESSAGES) -> bytes:
    """Return one of the messages with up to four pieces replaced."""
    message = bytearray(rng.choice(messages))
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(message)), rng.choice((0, 1, 1, 5, 40))
        piece = rng.choice((*_PIECES, bytes(message[at : at + 30]), b""))
        message[at : at + length] = piece
        if not message:
            message = bytearray(b"<")
    return bytes(message)


def hostile(rng: random.Random) -> bytes:
    """Return a message of any kind, in any version."""
    kinds: list[Callable[[random.Random], bytes]] = [_attack, _misencoded, _rebuilt, _rebuilt]
    if rng.random() < 0.4:
        return damaged(rng, _IN_ALL_VERSIONS)
    return rng.choice(kinds)(rng)


def _text(rng: random.Random) -> str:
    return _DECLARATION.sub("", rng.choice(_IN_ALL_VERSIONS).decode(), count=1)


def _attack(rng: random.Random) -> bytes:
    text = _text(rng)
    if rng.random() < 0.5:
        entity = rng.choice(("i", "i", "amp", "nbsp"))
        text = re.sub(r">[\w-]{3,}<", f">&{entity};<", text, count=1)
        return (rng.choice(_BOMBS) + text).encode(rng.choice(("utf-8", "utf-16")))
    at = rng.choice([found.start() for found in re.finditer("<", text)])
    depth, kind = rng.choice((200, 250, 260, 5_000)), rng.random()
    if kind < 0.5:
        piece = rng.choice(_INSTRUCTIONS)
    else:
        piece = depth * "<a>" + ("" if kind < 0.6 else depth * "</a>")
    return (text[:at] + piece + text[at:]).encode()


def _misencoded(rng: random.Random) -> bytes:
    text = _text(rng).replace("Muster", "Müßter")
    if rng.random() < 0.8:
        text = f'<?xml version="1.0" encoding="{rng.choice(_DECLARED)}"?>{text}'
    body = text.encode(rng.choice(_ENCODED), "replace")
    mark = rng.choice((b"", b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
    return mark + body


def _rebuilt(rng: random.Random) -> bytes:
    root = etree.fromstring(_text(rng).encode())
    for _ in range(rng.randint(1, 3)):
        elements = [element for element in root.iter(etree.Element) if element is not root]
        if elements:
            rng.choice(_CHANGES)(rng, rng.choice(elements))
    encoding = rng.choice(("utf-8", "utf-8", "utf-16", "iso-8859-1", "us-ascii"))
    return etree.tostring(root, encoding=encoding, xml_declaration=rng.random() < 0.5)


def _remove(rng: random.Random, element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _repeat(rng: random.Random, element: etree._Element) -> None:
    for _ in range(rng.choice((1, 1, 2, 500))):
        element.addnext(copy.deepcopy(element))


def _move(rng: random.Random, element: etree._Element) -> None:
    root = element.getroottree().getroot()
    inside = set(element.iter())
    others = [other for other in root.iter(etree.Element) if other not in inside]
    rng.choice(others).append(element)


def _rename(rng: random.Random, element: etree._Element) -> None:
    name = etree.QName(element)
    local = rng.choice((name.localname, "Item", "Packs", "Header", "ItemUndo", 2_000 * "x"))
    number = rng.choice((1, 2, 3, 4, 5))
    namespace = rng.choice((name.namespace, None, f"urn:types.nmvs.eu:v{number}.0"))
    element.tag = f"{{{namespace}}}{local}" if namespace else local


def _set_text(rng: random.Random, element: etree._Element) -> None:
    element.text = rng.choice(_TEXTS)
    if rng.random() < 0.2:
        element.tail = rng.choice(_TEXTS)


def _set_attribute(rng: random.Random, element: etree._Element) -> None:
    names = [*element.attrib, f"{{{_TYPES}}}type", f"{{{_TYPES}}}nil", "sn", "authMethod", "a"]
    element.set(rng.choice(names), rng.choice(_TEXTS))


def _drop_attributes(rng: random.Random, element: etree._Element) -> None:
    element.attrib.clear()


def _add_many_attributes(rng: random.Random, element: etree._Element) -> None:
    for number in range(rng.choice((10, 2_000))):
        element.set(f"a{number}", "x")


def _wrap(rng: random.Random, element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None:
        return
    at = parent.index(element)
    inner = outer = etree.Element("wrap")
    for _ in range(rng.choice((1, 3, 100, 300))):
        inner = etree.SubElement(inner, "wrap")
    inner.append(element)
    parent.insert(at, outer)


_CHANGES: Final = [
    *(_remove, _repeat, _move, _rename, _rename, _set_text, _set_text),
    *(_set_attribute, _set_attribute, _drop_attributes, _add_many_attributes, _wrap),
]
