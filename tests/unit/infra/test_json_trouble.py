"""What is wrong with a JSON body, in words that name what would be right."""

from __future__ import annotations

import codecs
import enum
import gzip
from typing import Annotated, Literal

import msgspec
import pytest

from emvs.errors import BadRequestError
from emvs.infra.web import decode_body


class _Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class _Part(msgspec.Struct):
    colours: dict[str, list[_Colour]] = {}


class _Message(msgspec.Struct, rename="camel"):
    main_colour: _Colour
    parts: list[_Part] | None = None
    form: Literal["JSON", "CSV"] | None = None
    short: Annotated[str, msgspec.Meta(pattern=r"\A.\Z", description="one character")] | None = None
    bare: Annotated[str, msgspec.Meta(pattern=r"\A.\Z")] = "x"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b" ", "the body is empty: a message in JSON is wanted"),
        (codecs.BOM_UTF8 + b"{}", "the body begins with a byte order mark, which JSON has not"),
        (gzip.compress(b"{}", mtime=0), "say so with Content-Encoding: gzip"),
        (b'{"mainColour": "\xf6"}', "the text is not UTF-8, as JSON is (byte 16"),
        (b'{"mainColour": "red"', "Input data was truncated"),
        (b'{"mainColour": 1}', "Expected `str`, got `int` - at `$.mainColour`"),
        (
            b'{"mainColour": "green"}',
            "Invalid enum value 'green': one of red, blue - at `$.mainColour`",
        ),
        (
            b'{"mainColour": "red", "parts": [{}, {"colours": {"top": ["x"]}}]}',
            "Invalid enum value 'x': one of red, blue - at `$.parts[1].colours[...][0]`",
        ),
        (b'{"mainColour": "red", "form": "XML"}', "'XML': one of CSV, JSON - at `$.form`"),
        (b'{"mainColour": "red", "short": "xx"}', "one character - at `$.short`"),
        (b'{"mainColour": "red", "bare": "xx"}', "matching regex"),
    ],
)
def test_each_trouble_names_what_would_be_right(body: bytes, told: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        decode_body(body, _Message)
    assert told in str(caught.value)
