"""Display texts of the REST dialect, by operation code. One table for each language.

The wording is ours; that a code has one text is the real systems' way. A language has all keys
of the English table, which a test holds.
"""

from __future__ import annotations

from typing import Final

ENGLISH: Final[dict[str, str]] = {
    # Whole codes.
    "11110100": "The pack is active.",
    "11410100": "The pack has been reactivated.",
    "30020000": "Access is not permitted.",
    "40020000": "There is nothing at this address.",
    "41020000": "Unknown product code.",
    "41020001": "Unknown serial number.",
    "41020002": "Unknown batch and serial number.",
    "41020003": "The serial number belongs to another batch.",
    "41020004": "The pack is outside the scope of verification.",
    "41020005": "The expiry date differs from the one on record.",
    "41020006": "The batch is exempted from verification.",
    "41020007": "The serial number belongs to another batch. The batch read is too long or short.",
    "41020008": "The serial number belongs to another batch. The batch read has odd characters.",
    "41020009": "The serial number belongs to another batch. The batch read looks garbled.",
    "41020010": "Unknown serial number. It is longer or shorter than those of its batch.",
    "41020011": "Unknown serial number. It has characters that those of its batch have not.",
    "41020012": "Unknown serial number. In length and characters it differs from its batch.",
    "42220000": "There is no bulk request with this id, or its results have expired.",
    "43220000": "There is no recovery with this id, or its results have expired.",
    "51420001": "Only the location that decommissioned the pack may reactivate it.",
    "51420002": "The time for reactivating the pack has passed.",
    "51420100": "The pack is active already.",
    "51420101": "The pack is active already.",
    "51420200": "The pack was supplied too long ago to be reactivated.",
    "51420201": "The pack was supplied by another location, which alone may reactivate it.",
    "51420501": "The pack was exported too long ago to be reactivated.",
    "51420601": "The pack was taken as a sample too long ago to be reactivated.",
    "51420801": "The pack was given as a free sample too long ago to be reactivated.",
    "52120000": "The request names a pack twice. An alert has been raised.",
    "52210000": "The results are not ready yet.",
    "53210000": "The results are not ready yet.",
    "60020000": "The request is invalid.",
    "61020000": "A batch identifier is required.",
    "61020001": "A product code is required.",
    "61020002": "A product code scheme is required.",
    "61020003": "A serial number is required.",
    "61020004": "An expiry date is required.",
    "61020005": "A requested state is required.",
    "61020006": "The batch identifier is invalid.",
    "61020007": "The expiry date is invalid.",
    "61020008": "The product code is invalid.",
    "61020009": "The product code scheme is invalid.",
    "61020010": "The requested state is invalid.",
    "61020011": "The serial number is invalid.",
    "61020012": "The data entry mode header is required.",
    "61020013": "The data entry mode header is invalid.",
    "61020015": "The request body is invalid.",
    "62120000": "The request names a pack twice. An alert has been raised.",
    "62120001": "The number of packs differs from the packs in the request.",
    "62120002": "The request body is invalid or empty.",
    "62120003": "The request has too many packs.",
    "63120001": "The number of packs differs from the packs in the request.",
    "63120002": "The request body is invalid or empty.",
    "63120003": "The request has too many packs.",
    "70020000": "Too much at once: nothing was done. Try again later.",
    "B0020000": "The system is not available. Try again later.",
    "B1020000": "The system that holds the pack cannot answer now. Verify before trying again.",
    # Codes whose state doesn't matter, by their first four characters.
    "1121": "The pack has been supplied.",
    "1122": "This location has supplied the pack before.",
    "1132": "This location has decommissioned the pack before.",
    # First sentence of codes that tell a state, by their first four characters.
    "1141": "The pack has been reactivated.",
    "5122": "The pack cannot be supplied.",
    "5132": "The pack cannot be decommissioned.",
    "5142": "The pack cannot be reactivated.",
    # Sentence about the state.
    "state 02": "It has been supplied.",
    "state 03": "It has been destroyed.",
    "state 04": "It is locked.",
    "state 05": "It has been exported.",
    "state 06": "It has been taken as a sample.",
    "state 07": "It has been reported stolen.",
    "state 08": "It has been given as a free sample.",
    "state 09": "It has been checked out.",
    "state 10": "The batch has been recalled.",
    "state 11": "The pack has expired.",
    "state 12": "The product has been withdrawn.",
    # The same as the whole answer: to a verification, or to a decommissioning that was done.
    "pack 02": "The pack has been supplied.",
    "pack 03": "The pack has been destroyed.",
    "pack 04": "The pack is locked.",
    "pack 05": "The pack has been exported.",
    "pack 06": "The pack has been taken as a sample.",
    "pack 07": "The pack has been reported stolen.",
    "pack 08": "The pack has been given as a free sample.",
    "pack 09": "The pack has been checked out.",
    "pack 10": "The batch has been recalled.",
    "pack 11": "The pack has expired.",
    "pack 12": "The product has been withdrawn.",
}

TEXTS: Final[dict[str, dict[str, str]]] = {"en": ENGLISH}
_TELLS_STATE_ALONE: Final = ("1111", "1131")
_TELLS_NO_STATE: Final = ("1121", "1122", "1132")


def display_text(code: str, language: str = "en") -> str:
    """Return the text for an operation code that `codes` makes."""
    texts = TEXTS[language]
    if code in texts:
        return texts[code]
    start, state = code[:4], code[4:6]
    if start in _TELLS_STATE_ALONE:
        return texts[f"pack {state}"]
    if start in _TELLS_NO_STATE or state == "00":
        return texts[start]
    return f"{texts[start]} {texts[f'state {state}']}"
