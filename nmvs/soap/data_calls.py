"""Master data and packs for tests: what is there is read and rendered in pieces.

Which code goes with what is not public but for the page that does not exist; the rest is our
choice.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final, NamedTuple

from emvs.check_digits import is_valid_gtin, is_valid_ppn
from emvs.errors import AllowanceSpentError, OverloadedError
from emvs.infra.logs import get_logger
from emvs.interconnect import Wholesaler
from emvs.outcomes import OUTCOMES, Outcome
from nmvs.master_data import MasterData, ProductMaster
from nmvs.operations import Operations
from nmvs.packs_for_tests import MakerOfTestPacks, PacksForTests
from nmvs.recovery import Recovery
from nmvs.soap.bulk_calls import Reply
from nmvs.soap.catalogue import Shape, Version
from nmvs.soap.codes import report_in
from nmvs.soap.messages import DataCall
from nmvs.soap.render import escape, render_around, render_reply, render_return_code
from nmvs.soap.settings import SoapSettings
from nmvs.soap.turns import Turns

_PAGED_FROM: Final = 4
_TEST_PACKS: Final = 10
"""Without a word on how many (our choice)."""
_DOWNLOADS_AT_ONCE_MAX: Final = 8
_DOWNLOADS_OF_ONE_CLIENT_MAX: Final = 2
"""Beyond, the client is told to come again (our choice)."""
_VALID: Final = {"GTIN": is_valid_gtin, "PPN": is_valid_ppn}
_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUCCESS: Final = "Successfully processed."

_log = get_logger(__name__)


class _Refused(NamedTuple):
    code: str
    description: str


class DataCalls:
    """Answers calls for data whose login is good."""

    def __init__(
        self,
        master_data: MasterData,
        test_packs: MakerOfTestPacks,
        operations: Operations,
        settings: SoapSettings,
    ) -> None:
        self._master_data = master_data
        self._test_packs = test_packs
        self._operations = operations
        self._settings = settings
        self._downloads = Turns(
            "downloads are under way",
            count_max=_DOWNLOADS_AT_ONCE_MAX,
            count_of_one_max=_DOWNLOADS_OF_ONE_CLIENT_MAX,
        )

    async def answer(self, call: DataCall, notifications: str = "") -> Reply:
        """Return the reply. `notifications`: XML that belongs into its header."""
        try:
            if call.endpoint.row.shape is Shape.TEST_DATA:
                content = await self._hand_out(call)
                return self._whole(call, content, notifications)
            found = self._find(call)
        except AllowanceSpentError as error:
            refused = _Refused("TE_TX_03", str(error))
        except OverloadedError:
            refused = _Refused("TE_TX_03", OUTCOMES[Outcome.OVERLOADED].text)
        except Recovery.TROUBLE as error:
            _log.warning("data not given", action="data_unavailable", error=repr(error))
            refused = _Refused("TE_REQ_01", OUTCOMES[Outcome.UNAVAILABLE].text)
        else:
            if not isinstance(found, _Refused):
                pieces = self._download(call, *found, notifications)
                return self._counted(call.frame.client_login_id, pieces)
            refused = found
        told = report_in(call.endpoint.version, *refused)
        return self._whole(call, render_return_code(*told), notifications)

    def _whole(self, call: DataCall, content: str, notifications: str) -> bytes:
        return render_reply(
            call.endpoint,
            call.frame,
            self._operations.new_transaction_id(),
            self._operations.clock.now_ms(),
            content=content,
            notifications=notifications,
        )

    def _find(self, call: DataCall) -> tuple[str, AsyncIterator[list[ProductMaster]]] | _Refused:
        """Return what stands before the products, and the products; or why there are none."""
        self._downloads.check(call.frame.client_login_id)
        master_data, codes = self._master_data, call.product_codes
        known: list[str] = []
        if codes:
            for scheme, code in codes:
                if not _VALID[scheme](code):
                    return _Refused("FE_GR_01", OUTCOMES[Outcome.PRODUCT_CODE_INVALID].text)
            known = master_data.known(codes)
            if not known:
                return _Refused("NC_PC_06", "None of these products is available in this system")
        if not _has_pages(call.endpoint.version):
            return "", master_data.of_codes(known) if codes else master_data.all()
        size = self._settings.master_data_page_products
        count = len(known) if codes else master_data.product_count
        page_count = -(-count // size)
        page = 1 if call.number is None else call.number
        if not 1 <= page <= max(page_count, 1):  # One that is empty is the first one.
            return _Refused("NC_PC_16", f"There is no page {page}, there are {page_count}")
        start = (page - 1) * size
        products = (
            master_data.of_codes(known[start : start + size])
            if codes
            else master_data.all(start, size)
        )
        head = (
            f"<ns1:PaginationData><ns1:TotalPages>{page_count}</ns1:TotalPages>"
            f"<ns1:TotalProducts>{count}</ns1:TotalProducts></ns1:PaginationData>"
        )
        return head, products

    async def _download(
        self,
        call: DataCall,
        head: str,
        products: AsyncIterator[list[ProductMaster]],
        notifications: str,
    ) -> AsyncGenerator[bytes, None]:
        opening, closing = render_around(
            call.endpoint,
            call.frame,
            self._operations.new_transaction_id(),
            self._operations.clock.now_ms(),
            notifications=notifications,
        )
        first = opening + f"{head}<ns1:ProductList>".encode()
        version = call.endpoint.version
        async for members in products:
            # The head waits for the first products: trouble with them can still be told.
            yield first + "".join([render_master(each, version) for each in members]).encode()
            first = b""
        yield (
            first
            + f"</ns1:ProductList>{render_return_code('SUCCESS', _SUCCESS)}".encode()
            + closing
        )

    async def _counted(
        self, client: str, pieces: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        with self._downloads.take(client):
            async for piece in pieces:
                yield piece

    async def _hand_out(self, call: DataCall) -> str:
        count = _TEST_PACKS if call.number is None else call.number
        packs = await self._test_packs.hand_out(call.frame.client_login_id, count)
        return render_test_packs(packs, call.endpoint.version)


def _has_pages(version: Version) -> bool:
    return version.number >= _PAGED_FROM


def render_master(product: ProductMaster, version: Version) -> str:
    """Return a product with its master data, as `version` can tell them."""
    nhrn = product.national_code
    if nhrn is not None and not version.can_tell_number(nhrn):
        nhrn = None
    wholesalers = _wholesalers(product.wholesalers, _has_pages(version))
    return (
        f'<ns1:Product><ns1:ProductCode ns1:scheme="{product.scheme}">{product.product_code}'
        f"</ns1:ProductCode>{_element('Name', product.name)}{_element('NHRN', nhrn)}"
        f"{_element('MahId', product.holder_id)}{_element('MahName', product.holder_name)}"
        f"{wholesalers}</ns1:Product>"
    )


def _wholesalers(wholesalers: Sequence[Wholesaler], is_paged: bool) -> str:
    if not wholesalers:
        return "<ns1:Wholesalers/>"
    if not is_paged:
        names = "".join(
            f"<ns1:Wholesaler>{_text(each.name)}</ns1:Wholesaler>" for each in wholesalers
        )
        return f"<ns1:Wholesalers>{names}</ns1:Wholesalers>"
    details = "".join(
        f"<ns1:WholesalerDetails>{_element('ID', each.id)}<ns1:Name>{_text(each.name)}</ns1:Name>"
        f"{_element('Street', each.street)}{_element('Street2', each.street2)}"
        f"{_element('City', each.city)}{_element('Postcode', each.postCode)}"
        f"{_element('CountryCode', each.country)}</ns1:WholesalerDetails>"
        for each in wholesalers
    )
    return f"<ns1:Wholesalers>{details}</ns1:Wholesalers>"


def _element(name: str, text: str | None) -> str:
    return f"<ns1:{name}>{_text(text)}</ns1:{name}>" if text else ""


def _text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("", text))


def render_test_packs(packs: PacksForTests, version: Version) -> str:
    """Return packs with a return code. The published shape has a place for serial numbers alone:
    what else is needed to scan the packs stands in the text of the code (our choice)."""
    what = f"GTIN {packs.product_code}, batch {packs.batch_id}, expiry {packs.expiry}"
    if version.number >= _PAGED_FROM:
        described = f'ns1:desc="{_SUCCESS}" ns1:sub_desc="{what}"'
    else:
        described = f'ns1:desc="{_SUCCESS} {what}"'
    serials = "".join(f'<ns1:Pack ns1:sn="{escape(each)}"/>' for each in packs.serial_numbers)
    return f'<ns1:Packs>{serials}</ns1:Packs><ns1:ReturnCode ns1:code="NMVS_SUCCESS" {described}/>'
