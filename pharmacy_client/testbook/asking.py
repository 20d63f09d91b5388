"""How a request about one pack is made: its address, and identifiers read back from a symbol."""

from __future__ import annotations

from io import BytesIO
from typing import Final
from urllib.parse import quote

from emvs.errors import UsageError
from emvs.scan import build_scan_text, parse_scan
from emvs.scheme import Scheme
from pharmacy_client.testbook.book import Ask, Carrier, Pack, Spelling

# A question mark would end the path, a percent sign would begin a code; the rest goes as it is.
_RAW_IN_PATH: Final = "!\"&'()*+,-./:;<=>_"
# In a query an ampersand ends a value and a plus is a blank.
_RAW_IN_QUERY: Final = "!\"'()*,-./:;<=>?_"
_GROUP_SEPARATOR: Final = "\x1d"


class SymbolDiffersError(UsageError):
    """What was read from a symbol is not what was printed."""

    title = "Symbol not read"


def pack_url(base: str, pack: Pack, spelling: Spelling) -> str:
    """Return the address of a pack. Empty batch and expiry are left out."""
    is_raw = spelling is Spelling.RAW
    serial_number = quote(pack.serial_number, safe=_RAW_IN_PATH if is_raw else "")
    url = f"{base}/product/gs1/{quote(pack.product_code, safe='')}/pack/{serial_number}"
    safe = _RAW_IN_QUERY if is_raw else ""
    query = "&".join(
        f"{name}={quote(value, safe=safe)}"
        for name, value in (("batch", pack.batch_id), ("expiry", pack.expiry))
        if value
    )
    return f"{url}?{query}" if query else url


def as_carried(pack: Pack, ask: Ask) -> Pack:
    """Return the pack as its carrier tells it. Raises SymbolDiffersError or SymbolError.

    A symbol is drawn as a picture, and read from the picture as a scanner would.
    """
    if ask.carrier is Carrier.DATA:
        return pack
    # It loads an image library, which other steps need not wait for.
    from PIL import Image, ImageOps  # noqa: PLC0415

    from pharmacy_client.symbols import read_symbol, render_data_matrix  # noqa: PLC0415

    text = build_scan_text(
        scheme=Scheme.GTIN,
        product_code=pack.product_code,
        serial_number=pack.serial_number,
        batch_id=pack.batch_id,
        expiry=pack.expiry,
    )
    picture = render_data_matrix(text + _element_string(ask.further_elements))
    if ask.carrier is Carrier.INVERSE_SYMBOL:
        inverse = BytesIO()
        with Image.open(BytesIO(picture)) as upright:
            ImageOps.invert(upright.convert("L")).save(inverse, "PNG")
        picture = inverse.getvalue()
    scan = parse_scan(read_symbol(picture))
    read = Pack(scan.product_code, scan.serial_number, scan.batch_id or "", scan.expiry or "")
    if read != pack:
        raise SymbolDiffersError(f"the symbol of {pack} was read as {read}")
    return read


def _element_string(bracketed: str) -> str:
    """Return elements in brackets as they follow in an element string, a separator before each."""
    return bracketed.replace("[", _GROUP_SEPARATOR).replace("]", "")
