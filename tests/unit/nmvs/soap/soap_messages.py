"""Messages for the tests of the SOAP dialect: the literal ones of the vectors, and changed ones."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from emvs.outcomes import NEVER_ANSWERED, OUTCOMES, Outcome
from nmvs.soap.bulk_messages import AnyCall
from nmvs.soap.messages import PackCall, Refusal
from nmvs.soap.reader import Reader
from nmvs.soap.schema import compile_schemas

VECTORS = Path(__file__).parents[3] / "vectors" / "soap"
SCHEMAS = compile_schemas()
READER = Reader(strange_bytes_max=1 << 40)


def vector(name: str, *, version: int = 5) -> bytes:
    """Return a literal message, in the namespaces of a version; one that version 2 has otherwise
    is a file of its own."""
    if version == 2 and (own := VECTORS / f"v2-{name}.xml").exists():
        return own.read_bytes()
    return (VECTORS / f"{name}.xml").read_bytes().replace(b":v5.0", b":v%d.0" % version)


def changed(old: str, new: str, *, name: str = "g110-request", version: int = 5) -> bytes:
    """Return a literal message with one piece of text replaced."""
    text = vector(name, version=version)
    assert old.encode() in text
    return text.replace(old.encode(), new.encode())


def read(message: bytes) -> AnyCall | Refusal:
    """Return what a message asks for."""
    return READER.read(message)


def pack_call(message: bytes) -> PackCall:
    """Return the call that a message makes."""
    call = read(message)
    assert isinstance(call, PackCall), call
    return call


def refusal(message: bytes) -> Refusal:
    """Return why a message is refused."""
    call = read(message)
    assert isinstance(call, Refusal), call
    return call


def assert_fits(reply: bytes, version: int = 5) -> etree._Element:
    """Check a reply against the schema; return the outermost element inside the SOAP body."""
    envelope = etree.fromstring(reply)
    assert [part.tag.rpartition("}")[2] for part in envelope] == ["Header", "Body"]
    (content,) = envelope[1]
    schema = SCHEMAS[version]
    assert schema.validate(content), schema.error_log
    return content


ALERTS = [outcome for outcome, facts in OUTCOMES.items() if facts.raises_alert]
ALL = [outcome for outcome in Outcome if outcome not in NEVER_ANSWERED]
