"""GS1 element strings: from text to elements and back. What the elements mean is scan.py's.

Which elements have a fixed length, and how long an application identifier (AI) is, follows from
its first two digits alone, so that an AI allocated tomorrow is skipped as rightly as one of today
(Delegated Regulation (EU) 2016/161, Art. 8: a pack may carry further data).
Source: GS1 General Specifications 7.8 (FNC1, "Element strings with predefined length") and 3.2
(the list of AIs).
"""

import re

from emvs.elements import Element, ElementError

GROUP_SEPARATOR = "\x1d"

PRODUCT_CODE = "01"
BATCH_ID = "10"
EXPIRY = "17"
SERIAL_NUMBER = "21"
# DE, FR, ES, BR, PT, US, IT, CR. Those outside EMVS must not fail.
NATIONAL_NUMBERS = ("710", "711", "712", "713", "714", "715", "716", "717")


def _rows(first: int, last: int, value: int) -> dict[str, int]:
    return {f"{number:02d}": value for number in range(first, last + 1)}


# Digits of an AI, by its first two. What is missing is not allocated.
_AI_LENGTHS = (
    _rows(0, 4, 2)
    | _rows(10, 22, 2)
    | _rows(23, 25, 3)
    | _rows(30, 30, 2)
    | _rows(31, 36, 4)
    | _rows(37, 37, 2)
    | _rows(39, 39, 4)
    | _rows(40, 42, 3)
    | _rows(43, 43, 4)
    | _rows(70, 70, 4)
    | _rows(71, 71, 3)
    | _rows(72, 72, 4)
    | _rows(80, 82, 4)
    | _rows(90, 99, 2)
)

# Characters of the whole element, AI included, by the AI's first two digits: the predefined
# lengths. All other elements last until a separator or the end.
_ELEMENT_LENGTHS = (
    _rows(0, 0, 20)
    | _rows(1, 3, 16)
    | _rows(4, 4, 18)
    | _rows(11, 19, 8)
    | _rows(20, 20, 4)
    | _rows(31, 36, 10)
    | _rows(41, 41, 16)
)

# An element as people write it: an AI in round brackets.
_BRACKETED_AI = re.compile(r"\(([0-9]{2,4})\)")


def has_predefined_length(identifier: str) -> bool:
    """Tell whether an element ends by its length, so that no separator follows it."""
    return identifier[:2] in _ELEMENT_LENGTHS


def parse_element_string(text: str) -> list[Element]:
    """Return the elements of a scanned text, in its order, unknown ones too.

    Separators before the first element, after an element of fixed length and at the end do no
    harm. A value that is cut short comes back as it is: to judge values is not done here. Raises
    ElementError where no AI stands.
    """
    elements: list[Element] = []
    position, end = 0, len(text)
    while position < end:
        if text[position] == GROUP_SEPARATOR:
            position += 1
            continue
        first_two = text[position : position + 2]
        ai_length = _AI_LENGTHS.get(first_two)
        identifier = text[position : position + (ai_length or 0)]
        if ai_length is None or len(identifier) < ai_length or not _is_digits(identifier):
            raise _unknown_ai(text, position, elements)
        stop = text.find(GROUP_SEPARATOR, position)
        if stop < 0:
            stop = end
        if first_two in _ELEMENT_LENGTHS:
            stop = min(stop, position + _ELEMENT_LENGTHS[first_two])
        elements.append(Element(identifier, text[position + ai_length : stop], position))
        position = stop
    return elements


def parse_bracketed(text: str) -> list[Element]:
    """Return the elements of a text as people write it: `(01)04150037528643(21)ABC`.

    Blanks around values are dropped. Round brackets may belong to a value, but only as long as
    they don't hold an AI: `(21)` in a batch id is read as a second serial number, and then
    refused for that, as nobody can tell which was meant.
    """
    marks = [
        mark
        for mark in _BRACKETED_AI.finditer(text)
        if _AI_LENGTHS.get(mark[1][:2]) == len(mark[1])
    ]
    if not marks or text[: marks[0].start()].strip():
        raise ElementError("no application identifier in brackets begins the text", position=0)
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Element(mark[1], text[mark.end() : end].strip(), mark.start())
        for mark, end in zip(marks, ends, strict=True)
    ]


def build_element_string(
    *,
    product_code: str,
    serial_number: str,
    batch_id: str | None = None,
    expiry: str | None = None,
    national_number: tuple[str, str] | None = None,
) -> str:
    """Return the element string of a pack, elements in the order that GS1 recommends.

    `national_number` is a pair of AI and number. The values may be wrong ones, as tests need
    them; refused with ValueError is what would come out as another element string altogether.
    """
    fixed = [(PRODUCT_CODE, product_code)]
    if expiry is not None:
        fixed.append((EXPIRY, expiry))
    variable = [] if batch_id is None else [(BATCH_ID, batch_id)]
    variable.append((SERIAL_NUMBER, serial_number))
    if national_number is not None:
        variable.append(national_number)
    for identifier, value in fixed + variable:
        if not value or GROUP_SEPARATOR in value:
            raise ValueError(f"AI {identifier} needs a value without separators, not {value!r}")
    for identifier, value in fixed:
        if len(identifier) + len(value) != _ELEMENT_LENGTHS[identifier]:
            length = _ELEMENT_LENGTHS[identifier] - len(identifier)
            raise ValueError(f"AI {identifier} holds {length} characters, not {value!r}")
    head = "".join(identifier + value for identifier, value in fixed)
    return head + GROUP_SEPARATOR.join(identifier + value for identifier, value in variable)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _unknown_ai(text: str, position: int, read: list[Element]) -> ElementError:
    found = text[position : position + 4]
    reason = f"no application identifier begins with {found!r}"
    if read:
        reason += f", after element {read[-1].identifier}"
    return ElementError(reason, position=position, read=read)
