"""Data Matrix symbols as images: drawing a pack's symbol, and reading one from a picture.

What the text of a symbol means is `emvs.scan`'s; here text goes in and comes out as a scanner
sends it, symbology identifier and separators included. Only files named by the caller are touched.
Sources: ISO/IEC 16022 (Data Matrix), GS1 General Specifications 5.6; Delegated Regulation (EU)
2016/161, Art. 5.
"""

from __future__ import annotations

import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import zxingcpp
from PIL import Image, UnidentifiedImageError

from emvs import gs1, ifa
from emvs.elements import ElementError
from emvs.errors import UsageError
from emvs.scan import GS1_DATA_MATRIX, PLAIN_DATA_MATRIX, split_symbology

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture = Path | bytes | NDArray[np.uint8]

# A photo of a telephone has some 12 MB and 50 million pixels; a small file may unpack to far more.
IMAGE_BYTES_MAX = 32 * 1024 * 1024
IMAGE_PIXELS_MAX = 60_000_000

# Nothing beyond: among the other formats that Pillow knows are some that start programs.
IMAGE_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")

# What Pillow's plug-ins raise over damaged files, found by damaging some; SyntaxError is theirs.
_DAMAGE = (SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, struct.error)

MODULE_PIXELS = 8  # Edge of one cell of the symbol: sharp on paper, and easy for a camera.


class SymbolError(UsageError):
    """There is no usable symbol in this picture, or none can be made of this text."""

    title = "No readable symbol"


def render_data_matrix(scan_text: str, path: Path | None = None) -> bytes:
    """Return a PNG of the symbol whose scan is `scan_text`, and write it to `path` if given.

    The text is an element string or an IFA envelope, with or without symbology identifier.
    """
    symbology, data = split_symbology(scan_text)
    if not data.strip(gs1.GROUP_SEPARATOR):
        raise SymbolError("There is no text to make a symbol of.")
    if symbology == GS1_DATA_MATRIX or (symbology is None and not ifa.looks_like_envelope(data)):
        symbol, wanted = _create_gs1(data), zxingcpp.ContentType.GS1
    elif symbology in (None, PLAIN_DATA_MATRIX):
        symbol, wanted = _create(data), zxingcpp.ContentType.ISO15434
    else:
        raise SymbolError(f"Packs carry Data Matrix symbols; {symbology} stands for another kind.")
    # The library has options that it ignores without a word; what it made is what counts.
    if symbol.content_type != wanted:
        raise SymbolError(
            f"The text makes a symbol of content {symbol.content_type.name}, not {wanted.name}."
        )
    png = BytesIO()
    Image.fromarray(symbol.to_image(scale=MODULE_PIXELS)).save(png, "PNG")
    if path is not None:
        try:
            path.write_bytes(png.getvalue())
        except OSError as error:
            raise SymbolError(f"{path} can't be written: {error.strerror}.") from error
    return png.getvalue()


def read_symbols(image: Picture) -> list[str]:
    """Return the text of every bar code in a picture, Data Matrix first, as a scanner sends it.

    Upright, turned, tilted, light on dark: all are found, in a file or the bytes of one in any of
    IMAGE_FORMATS, or in a camera's frame: an array of bytes, rows by columns, and by three colours
    if it has any. SymbolError if this is no picture, or too large a one.
    """
    pixels = _open_grey(image) if isinstance(image, (Path, bytes)) else _checked_frame(image)
    found = zxingcpp.read_barcodes(pixels, text_mode=zxingcpp.TextMode.Plain)
    found.sort(key=lambda symbol: symbol.format != zxingcpp.BarcodeFormat.DataMatrix)
    return [symbol.symbology_identifier + symbol.text for symbol in found]


class FrameReader:
    """Reads the packs that are held before a camera, each once, however many frames show it.

    A pack is read again after it was out of sight for `absent_s` seconds.
    """

    def __init__(self, absent_s: float = 2.0) -> None:
        self._absent_s = absent_s
        self._seen_at_s: dict[str, float] = {}

    def read(self, frame: Picture, now_s: float) -> list[str]:
        """Return the texts of the Data Matrix symbols that have come into sight with this frame.

        `now_s` is a clock's that never goes back. Other bar codes are left alone.
        """
        self._seen_at_s = {
            text: seen_at_s
            for text, seen_at_s in self._seen_at_s.items()
            if now_s - seen_at_s < self._absent_s
        }
        texts = [text for text in dict.fromkeys(read_symbols(frame)) if text.startswith("]d")]
        new = [text for text in texts if text not in self._seen_at_s]
        self._seen_at_s.update(dict.fromkeys(texts, now_s))
        return new


def read_symbol(image: Picture) -> str:
    """Return the text of the one Data Matrix in a picture, ready for `emvs.scan.parse_scan`.

    The linear bar code beside it, which most packs carry, is left alone.
    """
    texts = list(dict.fromkeys(read_symbols(image)))
    matrices = [text for text in texts if text.startswith("]d")]
    if len(matrices) > 1:
        raise SymbolError(
            f"The picture shows {len(matrices)} different Data Matrix symbols. Show one pack only."
        )
    if matrices:
        return matrices[0]
    if texts:
        raise SymbolError(
            f"The picture shows a bar code ({texts[0][3:]}), but no Data Matrix. Only the square"
            " Data Matrix holds a pack's serial number."
        )
    raise SymbolError(
        "No bar code was found in the picture. Try a sharper one, in which the Data Matrix is"
        " larger and has white around it."
    )


def _create_gs1(data: str) -> zxingcpp.Barcode:
    try:
        elements = gs1.parse_element_string(data)
    except ElementError as error:
        raise SymbolError(f"This is not an element string: {error}.") from error
    # Square brackets mark the identifiers: unlike round ones they are in no value.
    if "[" in data or "]" in data:
        raise SymbolError("Square brackets can't be in a GS1 symbol.")
    marked = "".join(f"[{element.identifier}]{element.value}" for element in elements)
    return _create(marked, gs1=True)


def _create(content: str, **options: bool) -> zxingcpp.Barcode:
    try:
        # Left to itself the library prefers long rectangles, which old scanners don't know.
        return zxingcpp.create_barcode(
            content, zxingcpp.BarcodeFormat.DataMatrix, force_square=True, **options
        )
    except ValueError as error:
        raise SymbolError(f"No symbol can be made of this text: {error}") from error


def _open_grey(image: Path | bytes) -> Image.Image:
    """Return the picture in shades of grey, transparent parts white."""
    name = "The picture" if isinstance(image, bytes) else str(image)
    try:
        size = len(image) if isinstance(image, bytes) else image.stat().st_size
        if size > IMAGE_BYTES_MAX:
            raise SymbolError(f"{name} has {size} bytes; at most {IMAGE_BYTES_MAX} are read.")
        data = image if isinstance(image, bytes) else image.read_bytes()
        with warnings.catch_warnings():
            # Of size and of damage the user is told in our own sentences.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data), formats=IMAGE_FORMATS) as opened:
                return _grey(opened, name)
    except UnidentifiedImageError as error:
        known = ", ".join(IMAGE_FORMATS)
        raise SymbolError(f"{name} is no picture of a known format ({known}).") from error
    except Image.DecompressionBombError as error:
        raise SymbolError(f"{name} has more than {IMAGE_PIXELS_MAX} pixels.") from error
    except _DAMAGE as error:
        raise SymbolError(f"{name} is damaged: {error}.") from error
    except OSError as error:
        raise SymbolError(f"{name} can't be read: {error.strerror or error}.") from error


def _checked_frame(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the frame in an order that the library takes. Raises SymbolError."""
    is_picture = frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)
    if str(frame.dtype) != "uint8" or not is_picture or frame.size == 0:
        raise SymbolError(
            "A frame is an array of unsigned bytes of shape (rows, columns) or (rows, columns, 3),"
            f" not {frame.dtype} of shape {frame.shape}."
        )
    if frame.shape[0] * frame.shape[1] > IMAGE_PIXELS_MAX:
        raise SymbolError(f"The frame has more than {IMAGE_PIXELS_MAX} pixels.")
    return frame if frame.flags.c_contiguous else frame.copy()


def _grey(opened: Image.Image, name: str) -> Image.Image:
    pixels = opened.width * opened.height
    if pixels > IMAGE_PIXELS_MAX:
        raise SymbolError(f"{name} has {pixels} pixels; at most {IMAGE_PIXELS_MAX} are read.")
    if opened.has_transparency_data:
        coloured = opened.convert("RGBA")
        ground = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(ground, coloured).convert("L")
    return opened.convert("L")
