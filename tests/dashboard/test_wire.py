from __future__ import annotations

import json
from decimal import Decimal

import pytest

from dashboard import wire


def test_what_is_json_already_is_sent_as_it_is():
    text = '{"price":"0.10"}'
    assert wire.dumps(["quote", wire.Encoded(text)], separators=(",", ":")) == f'["quote",{text}]'


@pytest.mark.parametrize("value", [{"sid": "x"}, ["a", {"b": [1, None, True]}], "plain", 5, [], None])
def test_everything_else_is_ordinary_json(value):
    assert json.loads(wire.dumps(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"x": [float("-inf")]}])
def test_what_a_browser_cannot_read_is_not_written(value):
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        wire.dumps(value)


@pytest.mark.parametrize("text", ["NaN", '{"x":Infinity}', "[-Infinity]"])
def test_what_is_no_json_is_not_read(text):
    with pytest.raises(ValueError, match="JSON has no"):
        wire.loads(text)


def test_a_decimal_is_no_json_value():
    with pytest.raises(TypeError):
        wire.dumps({"price": Decimal("0.1")})


def test_a_value_inside_a_script_cannot_end_it():
    assert "</script>" not in wire.quoted({"symbol": "</script><script>alert(1)</script>"})
