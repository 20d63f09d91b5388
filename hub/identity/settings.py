"""How clients show who they are. Figures are our choice unless they name a source."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65_535)]
Positive = Annotated[float, Meta(gt=0)]


class IdentityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens, certificates and the TLS port of the hub."""

    tls_port: Port | None = 0
    """Where clients come with their certificates; 0: any free one, null: none."""
    tls_names: Annotated[tuple[str, ...], Meta(min_length=1, max_length=20)] = (
        "localhost",
        "127.0.0.1",
        "::1",
    )
    """Host names and addresses in the hub's own certificate."""
    certificate_required: bool = False
    """Whether manufacturers are served over TLS with a client certificate alone."""
    tokens_without_end: bool = True
    """Whether tokens that never end are given out and taken, as a developer's desk wants it."""
    exempt_client: Annotated[str, Meta(pattern=r"\A[0-9A-Z]{5}/[0-9A-Z]{3}\Z")] | None = None
    """Organisation and client to which the two above do not apply: whoever fills a simulator."""
    session_s: Positive = 86_400.0
    """How long initial tokens and session tokens hold (published: 24 hours)."""
    certificate_days: Annotated[int, Meta(ge=1, le=3_650)] = 730
