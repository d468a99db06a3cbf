"""The one HTTP client, against a real socket: bounded, strict, and silent about secrets."""

from __future__ import annotations

import logging
import socket
import traceback
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.market_data.sources import _http
from services.market_data.sources._http import Http
from shared.domain.errors import DataError, DataMalformed, SourceUnavailable

SECRET = "tm-secret-key-0123456789"


async def asked(server: HTTPServer, **options: float) -> _http.Response:
    http = Http("vendor", server.url_for(""), **options)  # type: ignore[arg-type]
    try:
        return await http.ask("GET", "/rsi", params={"secret": SECRET})
    finally:
        await http.close()


async def test_json_of_any_status_is_handed_over_with_the_providers_clock(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rsi").respond_with_json({"error": "no"}, status=403, headers={"Retry-After": "7"})
    answer = await asked(httpserver)
    assert (answer.status, answer.body, answer.retry_after) == (403, {"error": "no"}, 7.0)
    assert answer.date is not None
    assert abs((datetime.now(UTC) - answer.date).total_seconds()) < 5


@pytest.mark.parametrize(
    ("body", "content_type", "seen"),
    [
        ("<html><head><title>502 Bad Gateway</title></head></html>", "text/html", "502 Bad Gateway"),
        ("", "application/json", "an empty body"),
        ("   \n", "application/json", "an empty body"),
        ("upstream failed", "text/plain", "text/plain of 15 bytes"),
        ('{"value": ', "application/json", "application/json of 10 bytes"),
        ("[" * 100_000, "application/json", "application/json"),
    ],
)
async def test_what_is_not_json_is_a_source_that_is_down(httpserver: HTTPServer, body: str, content_type: str, seen: str) -> None:
    httpserver.expect_request("/rsi").respond_with_data(body, status=502, content_type=content_type)
    with pytest.raises(SourceUnavailable, match=seen):
        await asked(httpserver)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
async def test_numbers_that_are_none_are_malformed(httpserver: HTTPServer, constant: str) -> None:
    httpserver.expect_request("/rsi").respond_with_data(f'{{"value": {constant}}}', content_type="application/json")
    with pytest.raises(DataMalformed, match=constant):
        await asked(httpserver)


async def test_an_answer_without_end_is_cut_off(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "MAX_BYTES", 10_000)
    httpserver.expect_request("/rsi").respond_with_data("1" * 50_000, content_type="application/json")
    with pytest.raises(SourceUnavailable, match="at most 10000 bytes"):
        await asked(httpserver)


def slow(_request: Request) -> Response:
    import time

    time.sleep(0.5)
    return Response("{}")


async def test_an_answer_that_does_not_come_is_not_waited_for(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rsi").respond_with_handler(slow)
    with pytest.raises(SourceUnavailable, match="no answer in time"):
        await asked(httpserver, timeout_seconds=0.1)


async def test_a_secret_in_the_address_is_in_no_error_and_no_log(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    http = Http("vendor", nobody)
    with pytest.raises(DataError) as caught:
        await http.ask("GET", "/rsi", params={"secret": SECRET})
    await http.close()
    whole = "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert SECRET not in whole + str(caught.value) + caplog.text
