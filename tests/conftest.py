"""Fixtures that every part of the tests may use."""

from __future__ import annotations

from tests.redis_server import redis_server, redis_url, shared_redis

__all__ = ["redis_server", "redis_url", "shared_redis"]
