"""Data Matrix images: ours read back, another encoder's read, and bad pictures refused."""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageFilter
from pystrich.datamatrix import DataMatrixData, DataMatrixEncoder
from pystrich.gs1 import GS1Fixed, GS1Variable

from emvs.character_sets import SET_82
from emvs.scan import Scan, build_scan_text, parse_scan
from emvs.scheme import Scheme
from pharmacy_client import symbols
from pharmacy_client.symbols import (
    FrameReader,
    SymbolError,
    read_symbol,
    read_symbols,
    render_data_matrix,
)

GTIN, PPN = "04150037528643", "110375286414"
GS1_TEXT = build_scan_text(
    scheme=Scheme.GTIN, product_code=GTIN, serial_number="SN1", batch_id="B1", expiry="271200"
)
IFA_TEXT = build_scan_text(
    scheme=Scheme.PPN, product_code=PPN, serial_number="SN1", batch_id="B1", expiry="271200"
)


def picture(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("L")


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    out = BytesIO()
    image.save(out, form)
    return out.getvalue()


def linear(text: str) -> Image.Image:
    barcode = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.EAN13)
    return Image.fromarray(barcode.to_image(scale=4))


@pytest.mark.parametrize("text", [GS1_TEXT, IFA_TEXT])
def test_a_rendered_symbol_reads_as_its_scan(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pack.png"
    png = render_data_matrix(text, path)
    assert path.read_bytes() == png
    assert png.startswith(b"\x89PNG")
    assert read_symbol(png) == read_symbol(path) == text
    width, height = picture(png).size
    assert width == height


@pytest.mark.parametrize("text", [GS1_TEXT, IFA_TEXT])
def test_the_symbology_identifier_may_be_left_out(text: str) -> None:
    assert render_data_matrix(text[3:]) == render_data_matrix(text)


@pytest.mark.parametrize("start", range(0, 82, 20))
def test_every_character_of_set_82_survives(start: int) -> None:
    serial = SET_82[start : start + 20]
    fields: Any = {"product_code": GTIN, "serial_number": serial, "batch_id": "(21)X(01)"}
    text = build_scan_text(scheme=Scheme.GTIN, **fields)
    scan = Scan(scheme=Scheme.GTIN, symbology="]d2", **fields)
    assert parse_scan(read_symbol(render_data_matrix(text))) == scan


def test_wrong_data_can_be_rendered_too() -> None:
    text = f"]d2{'01' + GTIN[:-1]}41727023010B1\x1d21SN1\x1d91extra"
    assert read_symbol(render_data_matrix(text)) == text


def test_a_symbol_of_another_encoder() -> None:
    data = DataMatrixData.gs1(
        GS1Fixed("01", GTIN),
        GS1Fixed("17", "271200"),
        GS1Variable("10", "B1"),
        GS1Variable("21", "SN1"),
    )
    assert read_symbol(DataMatrixEncoder(data).get_imagedata(cellsize=6)) == GS1_TEXT


@pytest.mark.parametrize("angle", [7, 33, 90, 145, 180, 270])
def test_turned_blurred_and_noisy_on_a_grey_ground(angle: int) -> None:
    scene = Image.new("L", (800, 600), 180)
    symbol = picture(render_data_matrix(GS1_TEXT))
    scene.paste(symbol, (310, 210))
    turned = scene.rotate(angle, resample=Image.Resampling.BICUBIC, fillcolor=180)
    blurred = np.asarray(turned.filter(ImageFilter.GaussianBlur(1.5)), dtype=np.float64)
    noise = np.random.default_rng(angle).normal(0, 12, blurred.shape)
    noisy = Image.fromarray(np.clip(blurred * 0.7 + 30 + noise, 0, 255).astype(np.uint8))
    assert read_symbol(encoded(noisy, "JPEG")) == GS1_TEXT


def test_light_on_dark() -> None:
    inverse = picture(render_data_matrix(GS1_TEXT)).point(lambda value: 255 - value)
    assert read_symbol(encoded(inverse)) == GS1_TEXT


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_usual_picture_formats(form: str) -> None:
    colour = picture(render_data_matrix(GS1_TEXT)).convert("RGB")
    assert read_symbol(encoded(colour, form)) == GS1_TEXT


def test_a_transparent_ground_counts_as_white() -> None:
    grey = picture(render_data_matrix(GS1_TEXT))
    black = Image.new("L", grey.size, 0)
    ink = grey.point(lambda value: 255 - value)
    assert read_symbol(encoded(Image.merge("LA", (black, ink)))) == GS1_TEXT


def test_the_linear_code_beside_it_is_left_alone() -> None:
    scene = Image.new("L", (900, 400), 255)
    scene.paste(linear("4150037528643"), (20, 40))
    scene.paste(picture(render_data_matrix(GS1_TEXT)), (600, 100))
    assert read_symbols(encoded(scene)) == [GS1_TEXT, "]E04150037528643"]
    assert read_symbol(encoded(scene)) == GS1_TEXT


def test_the_same_symbol_twice_is_one_pack_and_two_symbols_are_none() -> None:
    other = render_data_matrix(GS1_TEXT + "X")
    for second, ok in ((render_data_matrix(GS1_TEXT), True), (other, False)):
        scene = Image.new("L", (700, 400), 255)
        scene.paste(picture(render_data_matrix(GS1_TEXT)), (50, 100))
        scene.paste(picture(second), (400, 100))
        if ok:
            assert read_symbol(encoded(scene)) == GS1_TEXT
        else:
            with pytest.raises(SymbolError, match="2 different"):
                read_symbol(encoded(scene))


def huge_png() -> bytes:
    """Return a picture of a few bytes that claims 400 million pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "known format"),
        (b"not a picture", "known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "known format"),
        (render_data_matrix(GS1_TEXT)[:200], "can't be read: image file is truncated"),
        (huge_png(), "more than 60000000 pixels"),
        (encoded(Image.new("L", (200, 200), 255)), "No bar code"),
        (encoded(linear("4150037528643")), "4150037528643.*no Data Matrix"),
        (Path("no/such/file.png"), "No such file"),
        (Path(), "directory"),
    ],
)
def test_useless_pictures_are_refused_with_a_reason(image: Path | bytes, reason: str) -> None:
    with pytest.raises(SymbolError, match=reason):
        read_symbol(image)


@pytest.mark.parametrize("form", symbols.IMAGE_FORMATS)
def test_a_damaged_picture_is_read_or_refused(form: str) -> None:
    rng = np.random.default_rng(len(form))
    whole = encoded(picture(render_data_matrix(GS1_TEXT)), form)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 200), 5):
            damaged[place] = rng.integers(0, 256)
        try:
            outcomes.add(read_symbol(bytes(damaged)))
        except SymbolError:
            outcomes.add("refused")
    assert "refused" in outcomes
    assert outcomes <= {"refused", GS1_TEXT}


def test_a_tiff_with_a_fraction_for_a_count_is_refused() -> None:
    tiff = bytearray(encoded(picture(render_data_matrix(GS1_TEXT)), "TIFF"))
    # The first directory entry is the width (tag 256): type 5 makes a fraction of it.
    place = tiff.index(struct.pack("<HHI", 256, 4, 1))
    tiff[place + 2] = 5
    with pytest.raises(SymbolError, match="damaged"):
        read_symbol(bytes(tiff))


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    png = render_data_matrix(GS1_TEXT)
    path = tmp_path / "pack.png"
    path.write_bytes(png)
    monkeypatch.setattr(symbols, "IMAGE_BYTES_MAX", len(png) - 1)
    for image in (png, path):
        with pytest.raises(SymbolError, match=f"has {len(png)} bytes"):
            read_symbol(image)
    monkeypatch.undo()
    monkeypatch.setattr(symbols, "IMAGE_PIXELS_MAX", 100)
    with pytest.raises(SymbolError, match="at most 100"):
        read_symbol(png)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no text"),
        ("]d2\x1d", "no text"),
        ("HELLO", "not an element string"),
        ("]d1HELLO", "content Text, not ISO15434"),
        ("]E04150037528643", "another kind"),
        (f"01{GTIN}21A[10]B", "Square brackets"),
        (f"01{GTIN}21A\u00e9", "Extended ASCII"),
        (f"01{GTIN}21" + "A" * 4000, "Invalid data length"),
    ],
)
def test_texts_that_make_no_symbol(text: str, reason: str) -> None:
    with pytest.raises(SymbolError, match=reason):
        render_data_matrix(text)


def test_an_unwritable_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SymbolError, match="can't be written: No such file"):
        render_data_matrix(GS1_TEXT, tmp_path / "missing" / "pack.png")


def frame(*texts: str, colours: bool = False) -> Any:
    """What a camera sees: symbols side by side, a little out of focus."""
    tiles = [picture(render_data_matrix(text)) for text in texts]
    height = max([240, *(tile.height for tile in tiles)])
    seen = Image.new("L", (640, height + 40), 235)
    for number, tile in enumerate(tiles):
        seen.paste(tile, (20 + 300 * number, 20))
    blurred = seen.filter(ImageFilter.GaussianBlur(1.0))
    return np.asarray(blurred.convert("RGB") if colours else blurred)


@pytest.mark.parametrize("colours", [False, True])
def test_a_frame_of_a_camera_is_read(colours: bool) -> None:
    pixels = frame(GS1_TEXT, colours=colours)
    assert read_symbols(pixels) == [GS1_TEXT]
    # Every other row and column, as a preview has them: not in one piece in memory.
    assert read_symbols(frame(GS1_TEXT, colours=colours)[::-1][::-1]) == [GS1_TEXT]


def test_a_pack_held_before_the_camera_is_read_once() -> None:
    reader = FrameReader(absent_s=2.0)
    pack, nothing = frame(GS1_TEXT), frame()
    assert reader.read(pack, 0.0) == [GS1_TEXT]
    assert [reader.read(pack, second / 2) for second in range(1, 20)] == [[]] * 19
    assert reader.read(frame(GS1_TEXT, IFA_TEXT), 10.0) == [IFA_TEXT]
    assert reader.read(nothing, 11.0) == []
    assert reader.read(pack, 11.9) == []
    assert reader.read(pack, 14.0) == [GS1_TEXT]


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((0, 10), np.uint8), np.zeros((10, 10), np.float32), np.zeros((9, 9, 2), np.uint8)],
)
def test_what_is_no_frame_is_refused(pixels: Any) -> None:
    with pytest.raises(SymbolError, match="A frame is"):
        read_symbols(pixels)
