"""What all tests share: hypothesis without a clock of its own, for machines that are busy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("emvs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("emvs")
