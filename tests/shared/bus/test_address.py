"""Addresses of a server: taken apart strictly, and never shown with a password."""

from __future__ import annotations

import pytest

from shared.bus.address import Address
from shared.bus.redis import open_bus
from shared.domain.errors import ConfigurationInvalid


def test_an_address_is_taken_apart() -> None:
    address = Address.parse("redis://trader:p%40ss%2Fword@cache.example:6390/2")
    assert (address.host, address.port, address.database) == ("cache.example", 6390, 2)
    assert (address.user, address.password) == ("trader", "p@ss/word")
    assert address.context() is None


def test_what_is_left_out_has_a_default() -> None:
    address = Address.parse("redis://redis")
    assert (address.host, address.port, address.user, address.password, address.database) == ("redis", 6379, "", "", 0)


def test_a_password_alone_is_the_default_users() -> None:
    assert Address.parse("redis://:secret@redis").greeting("decision")[0] == ("AUTH", "default", "secret")


def test_a_socket_is_an_address() -> None:
    address = Address.parse("unix:///run/redis.sock?db=1")
    assert (address.path, address.database) == ("/run/redis.sock", 1)


def test_tls_looks_at_the_certificate_unless_told_otherwise() -> None:
    strict, lax = Address.parse("rediss://redis").context(), Address.parse("rediss://redis?ssl_cert_reqs=none").context()
    assert strict is not None
    assert strict.check_hostname
    assert lax is not None
    assert not lax.check_hostname


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://redis", "expected redis://"),
        ("redis", "expected redis://"),
        ("redis://", "a host"),
        ("unix://", "a path"),
        ("redis://redis:notaport", "port"),
        ("redis://redis:99999", "ort"),
        ("redis://redis/trades", "number of a database"),
        ("redis://redis/-1", "number of a database"),
        ("redis://redis?socket_timout=1", "socket_timout"),
    ],
)
def test_an_address_that_is_none_stops_the_process(url: str, says: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=says):
        open_bus(url, client_name="test")


def test_a_password_is_never_shown() -> None:
    address = Address.parse("redis://trader:hunter2@redis")
    assert "hunter2" not in repr(address)
    with pytest.raises(ConfigurationInvalid) as wrong:
        Address.parse("redis://trader:hunter2@redis/hunter")
    assert "hunter2" not in str(wrong.value)


def test_a_name_with_spaces_is_still_a_name() -> None:
    assert Address.parse("redis://redis").greeting("market data\r\n")[-1] == ("CLIENT", "SETNAME", "market-data--")
