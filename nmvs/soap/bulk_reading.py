"""From the elements of a message about many packs to its values.

Everything read here has passed the schema, so fields are read by position. Two things read: all of
a small message at once, or one pack after the other of a large one (`nmvs.soap.bulk_stream`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lxml import etree

from nmvs.soap.bulk_messages import (
    BulkCall,
    BulkPacks,
    CommonData,
    ItemValues,
    MixedItems,
    SerialNumbers,
)
from nmvs.soap.catalogue import Endpoint, Shape
from nmvs.soap.messages import Frame

_REFERENCE_AT: Final = 2
"""Behind product and packs, or client transaction and language."""


def read_bulk_call(endpoint: Endpoint, request: etree._Element) -> BulkCall:
    """Return what a request asks for that is in memory as a whole."""
    shape = endpoint.row.shape
    if shape is Shape.TICKETS:
        return read_opening(endpoint, request[0])
    body = request[1]
    if not shape.submits_many:
        return read_opening(endpoint, request[0])._replace(ticket=body[0].text)
    collector = Collector(endpoint)
    collector.take(body[0] if shape is Shape.MIXED else body[1])
    return collector.finish(request)


def read_opening(endpoint: Endpoint, header: etree._Element) -> BulkCall:
    """Return who asks, without what."""
    auth, _, transaction = header
    login, user, password, *sub_user = [element.text or "" for element in auth]
    transaction_id, language = [element.text or "" for element in transaction]
    frame = Frame(login, user, sub_user[0] if sub_user else None, transaction_id, language)
    return BulkCall(endpoint, frame, password)


class Collector:
    """Takes the packs or items of one request, and gives its call."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._serial_tag, self._scheme_tag, self._type_tag = (
            f"{{{endpoint.version.types_namespace}}}{name}" for name in ("sn", "scheme", "reqType")
        )
        self._serials = SerialNumbers()
        self._items = MixedItems()
        self.count = 0

    def take(self, members: Iterable[etree._Element]) -> None:
        """Take packs or items, all of which fit the schema."""
        if self._endpoint.row.shape is Shape.MIXED:
            for member in members:
                self._items.add(self._item(member[0]))
                self.count += 1
        else:
            for member in members:
                self._serials.add(member.get(self._serial_tag) or "")
                self.count += 1

    @property
    def has_twice(self) -> bool:
        """Whether a pack was taken twice, of a bulk."""
        return self._serials.twice is not None

    def finish(self, request: etree._Element) -> BulkCall:
        """Return the call; of the packs in `request` none is read any more."""
        opening = read_opening(self._endpoint, request[0])
        if self._endpoint.row.shape is Shape.MIXED:
            return opening._replace(packs=self._items)
        body = request[1]
        code, (batch_id, expiry) = body[0][0], body[0][-1]
        common = CommonData(
            code.get(self._scheme_tag) or "",
            code.text or "",
            batch_id.text or "",
            expiry.text or "",
            body[_REFERENCE_AT].text if len(body) > _REFERENCE_AT else None,
        )
        return opening._replace(packs=BulkPacks(common, self._serials))

    def _item(self, item: etree._Element) -> ItemValues:
        product, pack, transaction = item
        code, batch_id, expiry = product[0], None, None
        if len(product[-1]):  # A batch; all else in a product is text.
            batch_id, expiry = [element.text for element in product[-1]]
        transaction_id, language, *reference = [element.text or "" for element in transaction]
        return ItemValues(
            item.get(self._type_tag) or "",
            code.get(self._scheme_tag) or "",
            code.text or "",
            batch_id,
            expiry,
            pack.get(self._serial_tag) or "",
            transaction_id,
            language,
            reference[0] if reference else None,
        )


def list_tags(endpoint: Endpoint) -> tuple[str, str]:
    """Return the tag of the list that a submission holds, and that of its members."""
    namespace = f"{{{endpoint.version.types_namespace}}}"
    if endpoint.row.shape is Shape.MIXED:
        return f"{namespace}TrxList", f"{namespace}TrxItem"
    return f"{namespace}Packs", f"{namespace}Pack"
