"""Scans as people write them in a shell: spellings of control characters become the characters.

For command lines and files only. What a scanner sends is taken as it is.
"""

from __future__ import annotations

import re
from typing import Final

_CHARACTERS: Final = {"GS": "\x1d", "RS": "\x1e", "EOT": "\x04"}
# Braces, backslashes and the pictures of Unicode's block "Control Pictures" are in no serial
# number or batch; `<GS>` might be, as `<` and `>` are permitted there, but nobody has seen it.
_SPELLINGS: Final = {
    spelling: character
    for name, character in _CHARACTERS.items()
    for spelling in (
        f"<{name}>",
        f"{{{name}}}",
        f"\\x{ord(character):02x}",
        f"\\u{ord(character):04x}",
        chr(0x2400 + ord(character)),
    )
}
_ANY_SPELLING: Final = re.compile("|".join(map(re.escape, _SPELLINGS)), re.IGNORECASE)


def read_spelled(text: str) -> str:
    r"""Return the text with `<GS>`, `{GS}`, `\x1d`, `\u001d` and `␝` made ASCII 29.

    The same for RS (ASCII 30) and EOT (ASCII 4), which are in the envelope of IFA codes.
    """
    return _ANY_SPELLING.sub(lambda match: _character(match[0]), text)


def _character(spelling: str) -> str:
    inner = spelling[1:-1].upper()
    return _CHARACTERS.get(inner) or _SPELLINGS[spelling.lower()]
