"""Who asks, and whether it may ask now: token, rate plan, and the location a connector acts for.

The first checks of every request, in the real systems' order; nothing before them costs more than
looking things up.
"""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import Final

from aiohttp import web
from multidict import istr

from emvs.infra.clock import Clock, machine_now_s
from nmvs.directory import Directory
from nmvs.identities import ConnectorRefusal, RestClient
from nmvs.metrics import OperationMetrics
from nmvs.participants import Participant
from nmvs.rest import codes
from nmvs.rest.responses import not_logged_in, refusal, throttled
from nmvs.rest.settings import RestSettings, RetryAfter
from nmvs.rest.tokens import AccessTokens
from nmvs.rest.versions import served_version
from nmvs.sightings import Sightings

_AUTHORIZATION: Final = istr("Authorization")
_REFUSING_CODES: Final = {
    ConnectorRefusal.LOCATION_UNKNOWN: codes.CONNECTOR_LOCATION_UNKNOWN,
    ConnectorRefusal.NOT_ALLOWED: codes.CONNECTOR_NOT_ALLOWED,
}


class Admission:
    """Lets requests in, or says why not."""

    def __init__(
        self,
        *,
        tokens: AccessTokens,
        directory: Directory,
        clock: Clock,
        settings: RestSettings,
        sightings: Sightings,
        metrics: OperationMetrics,
    ) -> None:
        self._tokens = tokens
        self._directory = directory
        self._client_of = directory.client
        self._clock = clock
        self._settings = settings
        self._sightings = sightings
        self._metrics = metrics

    def admit(self, request: web.BaseRequest, language: str) -> Participant | web.Response:
        """Return the location that asks, its equipment named, or the refusal."""
        authorization = request.headers.get(_AUTHORIZATION)
        # The scheme matches in any case.
        if authorization is None or authorization[:7].lower() != "bearer ":
            return not_logged_in(language)
        now_s = self._clock.now_s()
        client_id = self._tokens.client_id_of(authorization[7:].strip(), now_s)
        if client_id is None or (client := self._client_of(client_id)) is None:
            return not_logged_in(language)
        if client.sighted_at_s != now_s:
            client.sighted_at_s = now_s
            self._note(client, request)
        if client.bucket is not None:
            wait_s = client.bucket.take(self._clock.now_ms())
            if wait_s:
                self._metrics.throttled_count += 1
                return throttled(self._retry_after(wait_s), language)
        participant = client.participant
        return self._acting_for(client, request, language) if participant is None else participant

    def still_admits(self, participant: Participant) -> bool:
        """Tell whether somebody who was let in would be now: a body may take minutes to arrive."""
        client = self._client_of(participant.equipment)
        if client is None:
            return False
        now = client.participant
        if now is None:
            acts_for = self._directory.participant_for_connector(client, participant.location)
            return isinstance(acts_for, Participant)
        return now.number == participant.number

    def _acting_for(
        self, client: RestClient, request: web.BaseRequest, language: str
    ) -> Participant | web.Response:
        location = request.headers.get(self._settings.connector_header)
        if not location:
            return refusal(codes.CONNECTOR_LOCATION_MISSING, language)
        participant = self._directory.participant_for_connector(client, location)
        if isinstance(participant, ConnectorRefusal):
            return refusal(_REFUSING_CODES[participant], language)
        return participant

    def _retry_after(self, wait_s: float) -> str:
        """Return how long to wait, in one of the two forms that the real systems have used.

        A date is by the machine's clock, as the header Date is: a client compares the two, or
        its own clock, and knows nothing of a clock that a tester has moved.
        """
        whole_s = max(1, math.ceil(wait_s))
        form = self._settings.retry_after
        if form is RetryAfter.ALTERNATING:
            form = RetryAfter.DATE if self._metrics.throttled_count % 2 == 0 else RetryAfter.SECONDS
        if form is RetryAfter.SECONDS:
            return str(whole_s)
        return formatdate(machine_now_s() + whole_s + 1, usegmt=True)

    def _note(self, client: RestClient, request: web.BaseRequest) -> None:
        headers = request.headers
        requested = headers.get("emvs-api-version", "")
        self._sightings.note(
            client.client_id,
            requested_api_version=requested,
            api_version=served_version(requested, self._settings.default_api_version),
            user_agent=headers.get("User-Agent", ""),
            ip=request.remote or "",
            at_s=client.sighted_at_s,
        )
