"""The table of this dialect's resources beside single packs and tokens: what is called how, with
what, and what comes back.

One `Route` is everything there is to say of a call: the dispatcher, the parsing of bodies and the
OpenAPI document are made from it. Handlers live with their subject (bulk, recovery, reports,
alerts); no rule is known here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from emvs.limits import SERVICE_BODY_READ_S_MAX
from nmvs.participants import Participant

_QUERY_FIELDS_MAX: Final = 64
"""More than any of the calls knows (our choice)."""
OTHER_SPELLING: Final = "x-other-spelling"
"""In the schema of a member: the document names it under its other name. Two names that differ in
blanks alone are one name to programs that make clients."""


BodyReader: TypeAlias = Callable[[Callable[[int], None]], Awaitable[bytes | bytearray]]
"""Returns the body; calls the argument with the size so far, as it grows, and raises what that
raises, or BodyRefusedError."""


class Call(NamedTuple):
    """A call that found its route, its caller known."""

    participant: Participant
    client_id: str
    parameters: Mapping[str, str]
    """Variable parts of the path, decoded."""
    query: Mapping[str, str]
    """Empty values are absent; of a repeated name the last one counts."""
    body: Any
    """An instance of the route's `request` type; None if it has none."""
    entry_mode: str | None
    """What the header `emvs-data-entry-mode` says; a bulk call needs none."""
    language: str
    """Of display texts, a key of `nmvs.rest.texts.TEXTS`: what the header Accept-Language asks for,
    else the market's, else English."""
    api_version: str
    """As the header `emvs-api-version` says; empty without one."""
    base_url: str
    """Scheme, host and prefix the client used, without a slash at the end: for `Location`."""
    user_agent: str
    read_body: BodyReader | None = None
    """Reads the body, if the route leaves that to its handler."""


class BodyRefusedError(Exception):
    """The body could not be had. `response` is what the client is told."""

    def __init__(self, response: web.Response) -> None:
        super().__init__("the body could not be had")
        self.response = response


class Reply(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    """Beside Content-Type."""
    content_type: str = "application/json"
    stream: AsyncGenerator[bytes, None] | None = None
    """What follows the body, in pieces, for what is too large to be held as a whole. Trouble after
    the first piece breaks the connection."""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter in the query, the path or the header."""

    name: str
    text: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False
    place: str = "query"
    """query, path or header."""


@dataclass(frozen=True, slots=True)
class Route:
    """One call."""

    method: str
    template: str
    """Path behind the prefix, with `{name}` for a variable part: `/product/packs/{id}`."""
    operation_id: str
    summary: str
    handler: Callable[[Call], Awaitable[Reply]]
    request: type[Any] | None = None
    """Type of the JSON body, a msgspec struct; unknown members are ignored."""
    invalid_body_code: str = "60020000"
    """Operation code of the 422 for a body that is not of that type."""
    query: Sequence[Field] = ()
    answers: Mapping[int, type[Any] | None] = field(default_factory=dict)
    """Type of the body by status; None for a body that is no JSON or is empty."""
    tag: str = ""
    ours: bool = False
    """Whether the call is our addition or a guess; the document says so."""
    body_bytes_max: int = 1 << 20
    fields: Sequence[Field] = ()
    """Headers, and parts of the path of which there is more to say than their name."""
    media_type: str = "application/json"
    """Of the request."""
    answer_media_type: str = "application/json"
    """Of answers whose type is None."""
    located: Sequence[int] = ()
    """Statuses of answers with a header Location."""
    public: bool = False
    """Whether it needs no token; for documents only."""
    reads_body: bool = False
    """Whether the handler reads the body itself and parses it: one too large to be parsed in one
    go. `request` is for the document only then."""
    body_s_max: float = SERVICE_BODY_READ_S_MAX
    """How long the body may take to arrive."""
    too_large_code: str = "60020000"
    """Operation code of the 422 for a body that is too large, if the handler reads it."""


class RouteTable:
    """Finds the route of a path."""

    def __init__(self, routes: Sequence[Route] = ()) -> None:
        self.routes: tuple[Route, ...] = tuple(routes)
        self._split = [(route, route.template.strip("/").split("/")) for route in self.routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route of a raw path behind its prefix, and its variable parts. Words of the
        path match in any case. None if there is none, or none with this method."""
        parts = path.strip("/").split("/")
        for route, template in self._split:
            if route.method != method or len(template) != len(parts):
                continue
            found: dict[str, str] = {}
            for word, part in zip(template, parts, strict=True):
                if word.startswith("{"):
                    found[word[1:-1]] = unquote(part)
                elif word != part.lower():
                    break
            else:
                return route, found
        return None


def read_query(query: str) -> dict[str, str] | None:
    """Return the fields of a raw query; None if there are too many. Names match in any case, so
    they come out in small letters."""
    try:
        pairs = parse_qsl(query, max_num_fields=_QUERY_FIELDS_MAX)
    except ValueError:
        return None
    return {name.lower(): value for name, value in pairs}
