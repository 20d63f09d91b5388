"""What can still be said about a message that is refused: which operation it probably meant, who
sent it, and one line on what is wrong. Best effort on bounded text; nothing is decided by it.

A refusal names elements, never their values: one of them is a password.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lxml import etree

from nmvs.soap.catalogue import NEWEST, VERSIONS, Endpoint, Shape, Version
from nmvs.soap.codes import known_codes, report_in
from nmvs.soap.interface import INFERRED, Interface
from nmvs.soap.messages import NOT_READ, Frame, Refusal

DESCRIPTION_LENGTH_MAX: Final = 255
_LOOKED_AT_MAX: Final = 16 * 1024
"""Looking costs a microsecond for each "<", and the frame stands first (our choice)."""
DTD_DESCRIPTION: Final = "XML must not hold a document type declaration"
"""SOAP 1.2, part 1, section 5: a message has none."""

_VERSION: Final = re.compile(r"urn:wsdltypes\.nmvs\.eu:v(\d)\.0[\"']")
_QUALIFIED: Final = re.compile(r"\{urn:wsdltypes\.nmvs\.eu:v(\d)\.0\}(.+)Request")
_OF_SOME_VERSION: Final = re.compile(r"urn:wsdltypes\.nmvs\.eu:v\d\.0")
_NAMESPACE: Final = re.compile(r"\{([^}]*)\}")
TWICE: Final = "the same sn is there twice"
_DUPLICATE: Final = re.compile(r"Duplicate key-sequence .*", re.DOTALL)
_VALUE_FACET: Final = re.compile(
    r"\[facet '(\w+)'\](?:.* ('[^']*'|\{[^{}]*\})\.\s*$|.*)"
    r"|The value '.*|(?<=: )'.*' is not a valid value.*",
    re.DOTALL,
)
"""What the library says of a value, which it repeats, and behind it what is allowed."""


def _field(name: str, pattern: str) -> re.Pattern[str]:
    return re.compile(rf"<(?:[\w.-]{{1,64}}:)?{name}(?:\s[^<>]{{0,200}})?>({pattern})</")


_USER_ID: Final = _field("UserId", "[A-Za-z0-9-]{4,20}")
_LANGUAGE: Final = _field("Language", "[A-Za-z]{3}")
_CLIENT_LOGIN_ID: Final = {
    2: _field("ClientLoginId", "[A-Za-z0-9-]{1,20}"),
    4: _field("ClientLoginId", "[A-Za-z0-9-]{1,32}"),
}
_CLIENT_TRANSACTION_ID: Final = {
    2: _field("ClientTrxId", "[A-Za-z0-9-]{1,32}"),
    4: _field("ClientTrxId", "[A-Za-z0-9-]{8,32}"),
}
"""By the first version that has them so."""


def refuse(
    message: bytes | etree._Element,
    code: str,
    description: str,
    request_tag: str | None = None,
    *,
    interface: Interface = INFERRED,
) -> Refusal:
    """Return the refusal of a message, in the shape of the reply that its sender waits for.

    `request_tag` is the qualified name of the request if the message was well-formed so far. What
    it does not tell about operation and version is guessed from the text.
    """
    text = (
        _decode(message[:_LOOKED_AT_MAX])
        if isinstance(message, bytes)
        else etree.tostring(message, encoding="unicode")[:_LOOKED_AT_MAX]
    )
    tag = request_tag and _QUALIFIED.fullmatch(request_tag)
    if tag:
        number, name = tag[1], tag[2]
    else:
        version, request = _VERSION.search(text), interface.find_request(text)
        number, name = version and version[1], request and request[1]
    known = VERSIONS.get(int(number), NEWEST) if number else NEWEST
    endpoint = interface.find_endpoint(name, known) if name else None
    if endpoint is not None and endpoint.row.shape is Shape.PING:
        endpoint = None
    code, description = report_in(known, code, description)
    return Refusal(code, one_line(description), known, endpoint, _read_frame(text, known))


def _decode(message: bytes) -> str:
    encoding = "utf-16" if message[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return message.decode(encoding, "replace")


def _read_frame(text: str, version: Version) -> Frame:
    since = max(number for number in _CLIENT_LOGIN_ID if number <= version.number)

    def find(pattern: re.Pattern[str], otherwise: str) -> str:
        found = pattern.search(text)
        return found[1] if found else otherwise

    return Frame(
        find(_CLIENT_LOGIN_ID[since], NOT_READ),
        find(_USER_ID, NOT_READ),
        None,
        find(_CLIENT_TRANSACTION_ID[since], NOT_READ),
        find(_LANGUAGE, "eng"),
    )


class Unfit(NamedTuple):
    """Why a request does not fit the schema."""

    code: str
    description: str


def unfit(endpoint: Endpoint, error: etree._LogEntry | None) -> Unfit:
    """Return code and line on why a request does not fit the schema, naming the element. A
    sub-user that is too long has a code of its own, where the version knows it (our choice of the
    moment it is sent)."""
    if (
        error is not None
        and error.type_name == "SCHEMAV_CVC_MAXLENGTH_VALID"
        and "}SubUserId'" in error.message
        and "FE_TX_06" in known_codes(endpoint.version.number)
    ):
        return Unfit("FE_TX_06", "SubUserId has more than 35 characters")
    own = (endpoint.version.types_namespace, endpoint.version.elements_namespace)
    text = _VALUE_FACET.sub(_value_defect, error.message if error is not None else "")
    text = _DUPLICATE.sub(TWICE, text)
    text = _NAMESPACE.sub(lambda found: "" if found[1] in own else found[0], text)
    return Unfit("TE_XM_02", f"XML does not fit the schema: {text}")


def unreadable_description(error: etree.XMLSyntaxError) -> str:
    """Return one line on why a message is no XML."""
    return f"XML is not well-formed: {error.msg or 'empty'}"


def not_offered_description(request_tag: str, interface: Interface = INFERRED) -> str:
    """Return one line on a request that does not exist."""
    own, _, local = request_tag.rpartition("}")
    all_namespaces = [version.elements_namespace for version in VERSIONS.values()]
    offering = [name for name in all_namespaces if f"{{{name}}}{local}" in interface.endpoints]
    is_version = _OF_SOME_VERSION.fullmatch(own[1:]) is not None
    where = own[1:] if is_version else " ".join(all_namespaces)
    text = f"XML does not fit the schema: element {local} is not offered in {where}"
    return f"{text}, but in {' '.join(offering)}" if offering and is_version else text


def _value_defect(found: re.Match[str]) -> str:
    if found[1] is None:
        return "the value is wrong"
    return f"the value breaks its {found[1]}{f' {found[2]}' if found[2] else ''}"


def one_line(text: str) -> str:
    """Return `text` as a description may be: one line, not too long."""
    line = " ".join(text.split())
    return (
        line if len(line) <= DESCRIPTION_LENGTH_MAX else line[: DESCRIPTION_LENGTH_MAX - 3] + "..."
    )
