from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from shared.domain.errors import ConfigurationInvalid
from shared.runtime.logging import configure
from shared.runtime.settings import Markets, Settings, read


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_setting_the_system_runs_on_the_sandbox():
    settings = read(Markets)

    assert (settings.sources, settings.broker_name, settings.trading_mode, settings.simulated) == (("sandbox",), "sandbox", "paper", True)
    assert settings.symbols == ("BTC/USD", "ETH/USD")


@pytest.mark.parametrize(
    ("given", "sources", "broker"),
    [
        ({"TAAPI_API_KEY": "k", "BROKER": "simulated"}, ("taapi",), "simulated"),
        ({"ALPACA_API_KEY": "k", "ALPACA_API_SECRET": "s"}, ("alpaca",), "alpaca"),
        ({"TAAPI_API_KEY": "t", "ALPACA_API_KEY": "k", "ALPACA_API_SECRET": "s"}, ("taapi",), "alpaca"),
        ({"SOURCE": "taapi, alpaca", "ALPACA_API_KEY": "k", "ALPACA_API_SECRET": "s"}, ("taapi", "alpaca"), "alpaca"),
        ({"BROKER": "simulated"}, ("sandbox",), "simulated"),
    ],
)
def test_the_keys_decide_where_data_comes_from_and_orders_go(monkeypatch, given, sources, broker):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = read(Markets)

    assert (settings.sources, settings.broker_name) == (sources, broker)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"TAAPI_API_KEY": "k"}, "BROKER: orders to the sandbox need SOURCE=sandbox, was taapi"),
        ({"ALPACA_API_KEY": "k", "ALPACA_API_SECRET": "s", "SOURCE": "sandbox"}, "BROKER: with SOURCE=sandbox"),
        ({"SOURCE": "sandbox,taapi"}, "the sandbox stands alone"),
        ({"ALPACA_API_KEY": "k"}, "ALPACA_API_SECRET: is missing"),
        ({"TIMEFRAME": "5x"}, "TIMEFRAME: .*timeframe must be"),
        ({"TIMEFRAME": "5s", "ALPACA_API_KEY": "k", "ALPACA_API_SECRET": "s"}, "TIMEFRAME: seconds need the sandbox"),
        ({"SYMBOLS": "BTC/USD,btcusd"}, "SYMBOLS: .*symbol must be"),
        ({"SYMBOLS": ","}, "SYMBOLS"),
        ({"TRADING_MODE": "real"}, "TRADING_MODE"),
        ({"SANDBOX_URL": "sandbox:9754"}, "SANDBOX_URL: .*http"),
        ({"TRADE_PERCENT": "2"}, "TRADE_PERCENT: is not a setting; did you mean TRADE_PERCENTAGE?"),
        ({"ALPACA_KEY_FILE": "/run/x"}, "ALPACA_KEY_FILE: is not a setting"),
        ({"ALPACA_API_SECRET_FILE": "/nowhere", "ALPACA_API_KEY": "k"}, "ALPACA_API_SECRET_FILE: cannot read /nowhere"),
    ],
)
def test_a_wrong_setting_stops_the_process_with_a_sentence_that_names_it(monkeypatch, given, sentence):
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationInvalid, match=sentence):
        read(Markets)


def test_a_mistyped_name_in_the_env_file_is_found(elsewhere):
    (elsewhere / ".env").write_text("SYMBOL=BTC/USD\n")

    with pytest.raises(ConfigurationInvalid, match="SYMBOL: is not a setting; did you mean SYMBOLS"):
        read(Settings)


def test_the_environment_wins_over_the_file_and_an_empty_value_is_absent(elsewhere, monkeypatch):
    (elsewhere / ".env").write_text("SYMBOLS=AAPL\nTIMEFRAME=1h\nOLLAMA_KEEP_ALIVE=30m\nCOMPOSE_PROJECT_NAME=x\n")
    monkeypatch.setenv("SYMBOLS", "MSFT,AAPL,MSFT")
    monkeypatch.setenv("TIMEFRAME", "")

    settings = read(Settings)

    assert settings.symbols == ("MSFT", "AAPL")
    assert settings.timeframe == "1h"


def test_a_secret_may_come_from_a_file(elsewhere, monkeypatch):
    (elsewhere / "secret").write_text("very-secret\n")
    monkeypatch.setenv("ALPACA_API_KEY", "key")
    monkeypatch.setenv("ALPACA_API_SECRET_FILE", str(elsewhere / "secret"))

    settings = read(Markets)

    assert settings.alpaca_api_secret is not None
    assert settings.alpaca_api_secret.get_secret_value() == "very-secret"


def test_no_secret_shows_in_what_is_published_or_printed(monkeypatch):
    monkeypatch.setenv("ALPACA_API_KEY", "key-0123")
    monkeypatch.setenv("ALPACA_API_SECRET", "://secret-0123")
    monkeypatch.setenv("REDIS_URL", "redis://decision:pass-0123@redis:6379/0")
    settings = read(Markets)

    for text in (str(settings), repr(settings), json.dumps(settings.public())):
        assert "0123" not in text
    assert settings.public()["redis_url"] == "redis://redis:6379/0"
    assert settings.public()["alpaca_api_secret"] == "present"
    assert settings.public()["taapi_api_key"] is None
    assert set(settings.secrets()) == {"key-0123", "://secret-0123", "pass-0123"}


def test_a_secret_in_a_log_line_or_traceback_is_replaced():
    written = io.StringIO()
    configure(level="info", form="json", secrets=["secret-0123"], process="test")
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    try:
        structlog.stdlib.get_logger("test").warning("asked", url="https://x/?secret=secret-0123", parts=["secret-0123"])
        logging.getLogger("foreign").error("failed at %s", "https://x/?secret=secret-0123")
        try:
            raise ValueError("secret-0123 was wrong")
        except ValueError:
            structlog.stdlib.get_logger("test").exception("unexpected")
    finally:
        logging.getLogger().handlers.clear()
        structlog.reset_defaults()

    assert "secret-0123" not in written.getvalue()
    assert len(written.getvalue().splitlines()) == 3
    assert json.loads(written.getvalue().splitlines()[0])["process"] == "test"
