"""A large message, read while it arrives: never in memory as a whole, neither as text nor as tree.

The header comes first, so that its login can be looked at before much of the rest has been read.
Each pack or item is checked against its type in the schema, read, and taken out of the tree; what
is left at the end, with the last of them, is checked as any request is. Together that is what the
schema says of the whole: a list is any number of its members.
"""

from __future__ import annotations

import threading
from typing import Final

from lxml import etree

from nmvs.soap.bulk_messages import BulkCall
from nmvs.soap.bulk_reading import Collector, list_tags, read_opening
from nmvs.soap.catalogue import Endpoint
from nmvs.soap.envelope import find_request
from nmvs.soap.interface import Interface
from nmvs.soap.salvage import (
    DTD_DESCRIPTION,
    TWICE,
    Unfit,
    one_line,
    unfit,
    unreadable_description,
)
from nmvs.soap.schema import compile_schemas

_BLANKS: Final = " \t\r\n"
MEMBERS_MAX: Final = 100_000
"""As the published schema has it."""
MEMBER_BYTES_MAX: Final = 64 * 1024
"""Longer, and an item cannot fit the schema but for comments and blanks (our choice)."""


class UnfitError(Exception):
    """The message is no request; what its sender is told."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = one_line(description)


class Checks:
    """Compiled schemas for all streams. Each keeps the errors of its last check, so that there
    is one check at a time, and none of the schemas is used by anybody else."""

    def __init__(self, interface: Interface) -> None:
        self._schemas = compile_schemas(interface)
        self._lock = threading.Lock()

    def defect(self, endpoint: Endpoint, element: etree._Element) -> Unfit | None:
        """Return why an element does not fit its type, None if it does."""
        schema = self._schemas[endpoint.version.number]
        with self._lock:
            if schema.validate(element):
                return None
            return unfit(endpoint, next(iter(schema.error_log), None))


class BulkStream:
    """One message. All calls must come from the same thread: libxml2 keeps the names that it
    meets for as long as that lives."""

    def __init__(self, checks: Checks, interface: Interface) -> None:
        self._checks = checks
        self._interface = interface
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=("{*}Header", "{*}Packs", "{*}TrxList"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            remove_blank_text=True,
        )
        self._endpoint: Endpoint | None = None
        self._collector: Collector | None = None
        self._list: etree._Element | None = None
        self._member_tag = ""
        self._bytes_since_member = 0
        self.opening: BulkCall | None = None
        """Who asks for what, once that is known; without the packs."""

    def feed(self, piece: bytes) -> None:
        """Read on. Raises UnfitError."""
        try:
            self._parser.feed(piece)
        except etree.XMLSyntaxError as error:
            raise UnfitError("TE_XM_01", unreadable_description(error)) from error
        for event, element in self._parser.read_events():
            if event == "start":
                self._note_list(element)
            else:
                self._note_header(element)
        self._bytes_since_member += len(piece)
        if self._list is not None:
            members = self._list[:-1]  # The last one may go on.
            if members:
                self._take(members)
                del self._list[:-1]
                self._bytes_since_member = 0
        if self.opening is not None and self._bytes_since_member > MEMBER_BYTES_MAX:
            raise UnfitError(
                "TE_XM_02",
                f"XML does not fit the schema: {MEMBER_BYTES_MAX} bytes without a Pack or TrxItem",
            )

    def close(self) -> BulkCall:
        """Return the call of the message that has ended. Raises UnfitError."""
        try:
            root = self._parser.close()
        except etree.XMLSyntaxError as error:
            raise UnfitError("TE_XM_01", unreadable_description(error)) from error
        request, defect = find_request(root)
        if request is None:
            raise UnfitError("TE_XM_02", defect)
        assert self._endpoint is not None, "the caller has looked at the opening"
        assert self._collector is not None
        self._check(request)
        if self._list is not None:
            self._collector.take(self._list)
        self._check_taken()
        return self._collector.finish(request)

    def _note_header(self, header: etree._Element) -> None:
        """Read who asks from the header of the request."""
        request = header.getparent()
        if request is None or self.opening is not None:
            return
        endpoint = self._interface.endpoints.get(str(request.tag))
        if endpoint is None:
            return  # A header of something else, such as SOAP's own.
        own_header = f"{{{endpoint.version.types_namespace}}}Header"
        if not endpoint.row.shape.submits_many or header.tag != own_header:
            return
        self._endpoint = endpoint
        if header.getroottree().docinfo.internalDTD is not None:
            raise UnfitError("TE_XM_01", DTD_DESCRIPTION)
        self._check(header)
        self._collector = Collector(endpoint)
        self.opening = read_opening(endpoint, header)

    def _note_list(self, element: etree._Element) -> None:
        if self._endpoint is None or self._list is not None:
            return
        list_tag, member_tag = list_tags(self._endpoint)
        if element.tag == list_tag:
            self._list, self._member_tag = element, member_tag

    def _take(self, members: list[etree._Element]) -> None:
        assert self._collector is not None
        for member in members:
            self._check_place(member)
            self._check(member)
        self._collector.take(members)
        self._check_taken()

    def _check_place(self, member: etree._Element) -> None:
        """See that an element of the list is one that belongs there, and no text behind it."""
        namespace, _, name = str(member.tag).rpartition("}")
        if member.tag != self._member_tag:
            prefix, _, local = name.rpartition(":")
            if prefix and not namespace:  # The parser itself tells it at the end only.
                defect = f"Namespace prefix {prefix} on {local} is not defined"
                raise UnfitError("TE_XM_01", f"XML is not well-formed: {defect}")
            defect = f"Element '{name}': This element is not expected."
        elif (member.tail or "").strip(_BLANKS):
            defect = f"Element '{self._list_name()}': It must not hold text."
        else:
            return
        raise UnfitError("TE_XM_02", f"XML does not fit the schema: {defect}")

    def _list_name(self) -> str:
        return "" if self._list is None else str(self._list.tag).rpartition("}")[2]

    def _check(self, element: etree._Element) -> None:
        assert self._endpoint is not None
        defect = self._checks.defect(self._endpoint, element)
        if defect is not None:
            raise UnfitError(*defect)

    def _check_taken(self) -> None:
        """Check what the schema says of the list as a whole."""
        assert self._collector is not None
        assert self._endpoint is not None
        if self._endpoint.version.unique_by_schema and self._collector.has_twice:
            raise UnfitError("TE_XM_02", f"XML does not fit the schema: Element 'Pack': {TWICE}")
        if self._collector.count > MEMBERS_MAX:
            name = self._member_tag.rpartition("}")[2]
            raise UnfitError(
                "TE_XM_02",
                f"XML does not fit the schema: Element '{name}': there are more than {MEMBERS_MAX}",
            )
