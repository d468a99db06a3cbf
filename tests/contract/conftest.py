"""Fixtures of the ports' contracts."""

from __future__ import annotations

from tests.contract.buses import bus, place, stand_in

__all__ = ["bus", "place", "stand_in"]
