from __future__ import annotations

import pytest

from dashboard import settings as module
from dashboard.settings import is_loopback
from shared.domain.errors import ConfigurationInvalid


@pytest.fixture
def container(monkeypatch):
    """Says whether this process runs in a container."""

    def say(inside: bool) -> None:
        monkeypatch.setattr(module, "in_container", lambda: inside)

    say(False)
    return say


def test_without_a_password_it_starts_where_this_machine_alone_reaches_it(settings, container):
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        chosen = settings(dashboard_host=host)
        chosen.check()
        assert chosen.loopback_only


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "dashboard.example", ""])
def test_without_a_password_it_refuses_any_other_address(settings, container, host):
    with pytest.raises(ConfigurationInvalid, match=r"DASHBOARD_PASSWORD: is missing.*bound to"):
        settings(dashboard_host=host).check()


def test_a_container_may_bind_to_every_address_when_it_is_published_on_loopback(settings, container):
    container(True)
    chosen = settings(dashboard_host="0.0.0.0", dashboard_publish="127.0.0.1")
    chosen.check()
    assert chosen.loopback_only


def test_a_container_published_elsewhere_needs_a_password(settings, container):
    container(True)
    with pytest.raises(ConfigurationInvalid, match=r"published at 0\.0\.0\.0"):
        settings(dashboard_host="0.0.0.0", dashboard_publish="0.0.0.0").check()
    settings(dashboard_host="0.0.0.0", dashboard_publish="0.0.0.0", dashboard_password="correct horse").check()


def test_a_container_that_was_not_told_where_it_is_published_needs_a_password(settings, container):
    container(True)
    with pytest.raises(ConfigurationInvalid, match="DASHBOARD_PASSWORD"):
        settings(dashboard_host="0.0.0.0").check()


def test_outside_a_container_the_published_address_says_nothing(settings, container):
    with pytest.raises(ConfigurationInvalid, match=r"bound to 0\.0\.0\.0"):
        settings(dashboard_host="0.0.0.0", dashboard_publish="127.0.0.1").check()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"dashboard_password": "$argon2id$v=19$broken"}, "looks like a hash"),
        ({"dashboard_totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}, "stands beside a password"),
        ({"dashboard_password": "p" * 12, "dashboard_totp_secret": "not base32!"}, "base32"),
        ({"dashboard_password": "p" * 12, "dashboard_totp_secret": "JBSWY3DPEHPK3PXP"}, "24 characters"),
        ({"dashboard_tokens": "phone:halt"}, "part 1 is not NAME:SCOPES:HASH"),
        ({"dashboard_tokens": "phone:everything:" + "0" * 64}, "scopes of halt\\+read\\+trade"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(settings, container, given, sentence):
    with pytest.raises(ConfigurationInvalid, match=sentence):
        settings(**given).check()


@pytest.mark.parametrize("origin", ["trader.example", "https://trader.example/path", "ftp://trader.example", "https://user@trader.example"])
def test_an_origin_is_scheme_host_and_port(settings, origin):
    with pytest.raises(ValueError, match="dashboard_origins"):
        settings(dashboard_origins=origin)


def test_no_secret_is_among_the_public_settings(settings):
    chosen = settings(
        dashboard_password="correct horse",
        dashboard_totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        dashboard_secret_key="k" * 32,
        dashboard_tokens="x:read:" + "0" * 64,
    )
    text = str(chosen.public())
    assert all(secret not in text for secret in ("correct horse", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "k" * 32, "0" * 64))


def test_a_password_that_looks_like_an_address_is_hidden_too(settings):
    chosen = settings(dashboard_password="horse://battery:staple@stable")
    assert chosen.public()["dashboard_password"] == "present"
    assert "horse://battery:staple@stable" in chosen.secrets()


def test_loopback_is_known_in_every_notation():
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "LOCALHOST"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "10.0.0.1", "localhost.example", "", "::"))
