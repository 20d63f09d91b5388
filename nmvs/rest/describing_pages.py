"""`/openapi.json` and `/docs`: the interface described by itself, without a token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from nmvs.rest.docs_page import docs_page
from nmvs.rest.openapi import PREFIXES, described_routes, document_bytes, openapi_document
from nmvs.rest.routes import Reply, Route

_METHODS: Final = ("GET", "HEAD")


class DescribingPages:
    """Pages about a route table; each is made when it is first asked for."""

    def __init__(self, routes: Sequence[Route]) -> None:
        table = described_routes(routes)

        @cache
        def made(word: str, prefix: str) -> Reply:
            if word == "openapi.json":
                return Reply(200, document_bytes(table, prefix))
            page = docs_page(openapi_document(table, prefix=prefix))
            return Reply(200, page.encode(), content_type="text/html; charset=utf-8")

        self._made = made

    def find(self, method: str, prefix: str, path: str) -> Reply | None:
        """Return the page at a path behind a prefix, None if there is none."""
        word = path.strip("/").lower()
        if method not in _METHODS or word not in {"openapi.json", "docs"}:
            return None
        known = prefix.lower()
        return self._made(word, known if known in PREFIXES else "")
