from __future__ import annotations

import pytest

from dashboard.gate import HALT_PATH, MAX_OF_ONE_PEER, MAX_REQUESTS, MAX_SOCKETS, MAX_STRANGERS, PROBES, Addresses, Gate, peer_of


@pytest.fixture
def ask(settings):
    """Asks a gate with an application that says 200, and keeps the answer open until it is closed."""

    def make(known=lambda _environ: True, **given):
        def app(_environ, start_response):
            start_response("200 OK", [])
            return [b"in"]

        gate = Gate(app, Addresses(settings(**given)), known=known)

        def one(path="/", *, method="GET", host="127.0.0.1:9753", scheme="http", peer="", **headers):
            told = []
            environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_HOST": host, "wsgi.url_scheme": scheme, "REMOTE_ADDR": peer}
            environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
            return Answer(gate(environ, lambda status, _headers: told.append(status)), told)

        return one

    return make


class Answer:
    def __init__(self, content, told):
        self.content = content
        self.status = int(told[0].split()[0])

    def close(self):
        if hasattr(self.content, "close"):
            self.content.close()


@pytest.mark.parametrize("host", ["127.0.0.1:9753", "localhost:9753", "[::1]:9753", "LOCALHOST", "127.0.0.1"])
def test_this_machine_is_served_under_its_own_names(ask, host):
    assert ask()(host=host).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example:9753", "127.0.0.1.evil.example", "localhost.evil.example", "", "192.168.1.5:9753", "127.0.0.1@evil.example", "a b",
     "localhost, evil.example", "127.0.0.1:9753\r\n", "[::1", "xn--localhost"],
)  # fmt: skip
def test_a_name_nobody_told_us_is_refused_so_that_rebinding_gets_nothing(ask, host):
    assert ask()(host=host).status == 400


def test_a_proxy_s_name_is_served_when_it_was_told(ask):
    one = ask(dashboard_origins="https://trader.example", dashboard_password="p" * 12)
    assert one(host="trader.example").status == 200
    assert one(host="other.example").status == 400


def test_an_address_in_figures_is_served_where_the_dashboard_is_published(ask):
    one = ask(dashboard_host="0.0.0.0", dashboard_publish="0.0.0.0", dashboard_password="p" * 12)
    assert one(host="192.168.1.5:9753").status == 200
    assert one(host="[fd00::1]:9753").status == 200
    assert one(host="evil.example").status == 400


@pytest.mark.parametrize("path", ["/api/v1/trading", "/login", "/socket.io/"])
def test_a_change_or_a_socket_from_a_foreign_origin_is_refused(ask, path):
    one = ask()
    method = "GET" if path.startswith("/socket") else "POST"
    for origin in ("http://evil.example", "null", "http://127.0.0.1:8888", "https://127.0.0.1:9753", "http://127.0.0.1:9753.evil.example"):
        assert one(path, method=method, origin=origin).status == 403
    assert one(path, method=method, origin="http://127.0.0.1:9753").status == 200


def test_a_matching_but_unknown_host_and_origin_get_nowhere(ask):
    assert ask()("/socket.io/", host="evil.example:9753", origin="http://evil.example:9753").status == 400


def test_a_script_without_an_origin_is_let_to_the_login(ask):
    assert ask()("/api/v1/trading", method="POST").status == 200


def test_a_request_of_another_site_without_an_origin_is_refused(ask):
    assert ask()("/api/v1/trading", method="POST", sec_fetch_site="cross-site").status == 403


def test_the_origin_told_for_a_proxy_is_accepted(ask):
    one = ask(dashboard_origins="https://trader.example", dashboard_password="p" * 12)
    assert one("/api/v1/halt", method="POST", host="trader.example", scheme="http", origin="https://trader.example").status == 200


def test_probes_are_answered_under_any_name(ask):
    one = ask()
    assert all(one(path, host="10.1.2.3:9753").status == 200 for path in PROBES)


def test_when_every_place_is_taken_halt_and_probes_still_get_through(ask):
    one = ask()
    held = [one("/api/v1/facts/bar") for _ in range(MAX_REQUESTS)]
    held += [one("/socket.io/") for _ in range(MAX_SOCKETS)]
    assert {answer.status for answer in held} == {200}
    assert one("/").status == 503
    assert one("/socket.io/").status == 503
    assert one("/healthz").status == 200
    assert one(HALT_PATH, method="POST").status == 200
    held[0].close()
    assert one("/").status == 200


def test_whoever_is_slow_to_take_answers_leaves_places_to_others(ask):
    one = ask()
    slow = [one("/static/js/main.mjs", peer="10.0.0.1") for _ in range(MAX_OF_ONE_PEER)]
    assert {answer.status for answer in slow} == {200}
    assert one("/static/js/main.mjs", peer="10.0.0.1").status == 503
    assert one(HALT_PATH, method="POST", peer="10.0.0.1").status == 200
    others = [one("/", peer="10.0.0.2") for _ in range(MAX_REQUESTS - MAX_OF_ONE_PEER)]
    assert {answer.status for answer in others} == {200}
    slow[0].close()
    slow[0].close()
    again = one("/", peer="10.0.0.1")
    assert again.status == 200
    assert one("/", peer="10.0.0.1").status == 503


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
    ],
)
def test_a_network_of_long_addresses_is_one_peer(one, other, same):
    assert (peer_of(one) == peer_of(other)) is same


def test_a_place_is_given_back_once_however_an_answer_ends(settings):
    def app(_environ, _start_response):
        raise RuntimeError("broke")

    gate = Gate(app, Addresses(settings()))
    with pytest.raises(RuntimeError):
        gate({"PATH_INFO": "/", "REQUEST_METHOD": "GET", "HTTP_HOST": "localhost"}, lambda *_: None)
    assert gate.requests == 0


def test_strangers_leave_half_of_the_sockets_to_those_who_show_who_they_are(ask):
    one = ask(known=lambda environ: "HTTP_COOKIE" in environ)
    strangers = [one("/socket.io/") for _ in range(MAX_STRANGERS)]
    assert {answer.status for answer in strangers} == {200}
    assert one("/socket.io/").status == 503
    assert one("/socket.io/", cookie="tradermagic=good").status == 200
    strangers[0].close()
    assert one("/socket.io/").status == 200


def test_a_request_without_a_length_is_refused_before_anything_waits_for_it(ask):
    one = ask()
    assert one("/api/v1/halt", method="POST", transfer_encoding="chunked").status == 411
    assert one("/api/v1/commands", method="POST", expect="100-continue").status == 411
