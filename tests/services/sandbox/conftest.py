"""The sandbox's fixtures."""

from tests.sandbox_server import fresh_sandbox, sandbox

__all__ = ["fresh_sandbox", "sandbox"]
