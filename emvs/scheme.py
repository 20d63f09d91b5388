"""The two kinds of product code on European packs. Nothing else enters."""

from enum import StrEnum


class Scheme(StrEnum):
    """Who gave out a product code; the members' values go over the wire as they stand."""

    GTIN = "GTIN"  # GS1: 14 digits, national NTINs among them.
    PPN = "PPN"  # IFA Coding System: 12 digits.
