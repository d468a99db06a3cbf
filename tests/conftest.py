"""Fixtures that every part of the tests may use."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.redis_server import redis_server, redis_url, shared_redis

# Time limits an example on a busy machine says nothing about the code; the suite's own time-out still ends what hangs.
settings.register_profile("tradermagic", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tradermagic")

__all__ = ["redis_server", "redis_url", "shared_redis"]
