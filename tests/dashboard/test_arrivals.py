from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.arrivals import LONGEST_BODY, LONGEST_HEAD, Arrival, arrival_of, comes_whole, look_at

HEAD = b"POST /api/v1/halt HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def request(body: bytes, *, length: int | None = None) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body


@given(st.binary(max_size=200), st.data())
def test_a_request_with_a_short_body_is_whole_with_its_last_byte_and_not_before(body, data):
    whole = request(body)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert arrival_of(whole) is Arrival.WHOLE
    assert arrival_of(whole[:cut]) is Arrival.PARTIAL


@pytest.mark.parametrize(
    "heard",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        request(b"", length=LONGEST_BODY + 1),  # too long, and refused
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",  # the server says what is wrong with it
        HEAD + b"X-Not: \r\nContent-Length-Of: 5\r\n\r\n",
    ],
)
def test_what_needs_no_more_or_is_read_elsewhere_is_given_a_thread(heard):
    assert arrival_of(heard) is Arrival.WHOLE


def test_a_head_without_end_is_nobody():
    assert arrival_of(b"GET / HTTP/1.1\r\nX: " + b"x" * LONGEST_HEAD) is Arrival.GONE


def test_looking_takes_nothing_and_tells_a_silent_one_from_one_that_left():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert look_at(ours) is Arrival.PARTIAL
        theirs.sendall(request(b"{}"))
        assert look_at(ours) is Arrival.WHOLE
        assert ours.recv(1_000) == request(b"{}")
        theirs.close()
        assert look_at(ours) is Arrival.GONE
    assert look_at(ours) is Arrival.GONE


@pytest.mark.parametrize("environ", [{"HTTP_TRANSFER_ENCODING": "chunked"}, {"CONTENT_LENGTH": "20", "HTTP_EXPECT": "100-continue"}])
def test_what_would_have_to_be_waited_for_does_not_come_whole(environ):
    assert comes_whole({"CONTENT_LENGTH": "20"})
    assert comes_whole({})
    assert not comes_whole(environ)
