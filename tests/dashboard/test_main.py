"""`python -m dashboard check` and `token`."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dashboard.__main__ import main
from dashboard.credentials import check_tokens, token_of
from tests.redis_server import free_port


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setenv("DASHBOARD_PORT", str(free_port()))


def findings(capsys):
    return {one["check"]: one for one in json.loads(capsys.readouterr().out)}


def test_the_check_says_what_is_wrong_and_how_to_mend_it(capsys):
    assert main(["check"]) == 1
    found = findings(capsys)
    assert (found["redis"]["ok"], found["dashboard address"]["ok"], found["dashboard login"]["ok"]) == (False, True, True)
    assert "REDIS_URL" in found["redis"]["fix"]


def test_a_port_that_is_taken_is_found(capsys, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("DASHBOARD_PORT", str(taken.getsockname()[1]))
        assert main(["check"]) == 1
    assert "DASHBOARD_PORT" in findings(capsys)["dashboard address"]["fix"]


@pytest.mark.parametrize(("answer", "ok"), [({"status": "ok", "version": "0.1.0"}, True), ({"hello": "world"}, False)])
def test_its_own_address_is_not_taken_while_it_serves_there(capsys, monkeypatch, answer, ok):
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_given):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answering)
    serving = threading.Thread(target=server.handle_request)
    serving.start()
    monkeypatch.setenv("DASHBOARD_PORT", str(server.server_port))
    main(["check"])
    serving.join()
    server.server_close()
    assert findings(capsys)["dashboard address"]["ok"] is ok


def test_a_short_password_that_others_can_try_is_found(capsys, monkeypatch):
    monkeypatch.setenv("DASHBOARD_HOST", "0.0.0.0")
    monkeypatch.setenv("DASHBOARD_PASSWORD", "short")
    assert main(["check"]) == 1
    assert not findings(capsys)["dashboard login"]["ok"]


def test_a_token_is_printed_once_with_the_line_that_admits_it(capsys):
    assert main(["token", "phone", "halt,read"]) == 0
    shown, line = (text.split(": ", 1)[1].strip() for text in capsys.readouterr().out.splitlines())
    found = token_of(check_tokens(line), shown)
    assert found is not None
    assert found.scopes == {"halt", "read"}


@pytest.mark.parametrize("arguments", [["token"], ["token", "x"], ["token", "x", "everything"], ["serve"]])
def test_what_is_not_understood_is_refused(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err


def test_a_setting_that_is_none_is_named(capsys, monkeypatch):
    monkeypatch.setenv("DASHBOARD_PASWORD", "x")
    assert main([]) == 2
    assert "DASHBOARD_PASWORD: is not a setting; did you mean DASHBOARD_PASSWORD?" in capsys.readouterr().err


def test_without_a_password_and_open_to_everybody_it_does_not_start(capsys, monkeypatch):
    monkeypatch.setenv("DASHBOARD_HOST", "0.0.0.0")
    assert main([]) == 2
    assert "DASHBOARD_PASSWORD: is missing" in capsys.readouterr().err
