"""What the demo is made of before anything is started."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from services.cli import demo
from shared.domain.errors import ConfigurationInvalid


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DASHBOARD_PORT", "SYMBOLS", "TIMEFRAME", "ENGINES", "SANDBOX_DATA", "LOG_FORMAT"):
        monkeypatch.delenv(name, raising=False)


def test_the_demo_never_sees_the_keys_and_addresses_of_the_real_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "real")
    monkeypatch.setenv("ALPACA_API_SECRET_FILE", "/somewhere")
    monkeypatch.setenv("REDIS_URL", "redis://real:6379/0")
    monkeypatch.setenv("TRADING_MODE", "live")
    monkeypatch.setenv("MAX_POSITION_PERCENT", "7")
    chosen = demo.plan(tmp_path, tiny_model=False)
    environment = demo.programs(chosen)[-1].environment
    assert environment is not None
    assert not {"ALPACA_API_KEY", "ALPACA_API_SECRET_FILE"} & set(environment)
    assert (environment["TRADING_MODE"], environment["SOURCE"], environment["BROKER"]) == ("paper", "sandbox", "sandbox")
    assert environment["REDIS_URL"] == chosen.redis_url
    assert environment["MAX_POSITION_PERCENT"] == "7"


def test_the_contracts_overrides_are_printed(tmp_path: Path) -> None:
    said = demo.introduction(demo.plan(tmp_path, tiny_model=False))
    assert "SYMBOLS=BTC/USD,ETH/USD,AAPL,MSFT" in said
    assert "TIMEFRAME=5s" in said
    assert any("is a demo" in line for line in said)
    assert not any("redis://" in line for line in said)


def test_a_port_that_is_taken_is_replaced_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(demo, "DASHBOARD_PORT", port)
        chosen = demo.plan(tmp_path, tiny_model=False)
        assert chosen.overrides["DASHBOARD_PORT"] != str(port)
        assert any(f"port {port} is taken; the dashboard uses {chosen.overrides['DASHBOARD_PORT']}" in line for line in chosen.said)
        monkeypatch.setenv("DASHBOARD_PORT", str(port))
        with pytest.raises(ConfigurationInvalid, match="DASHBOARD_PORT: must be a free port"):
            demo.plan(tmp_path, tiny_model=False)


def test_what_a_person_sets_in_the_environment_wins_over_the_demos_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMBOLS", "NVDA")
    assert demo.plan(tmp_path, tiny_model=False).overrides["SYMBOLS"] == "NVDA"


def test_with_the_tiny_model_there_is_one_more_process_and_it_is_labelled(tmp_path: Path) -> None:
    chosen = demo.plan(tmp_path, tiny_model=True)
    assert "tiny_model" in [program.name for program in demo.programs(chosen)]
    assert chosen.overrides["OLLAMA_HOST"].startswith("http://127.0.0.1:")
    assert any("its opinions are worth nothing" in line for line in demo.introduction(chosen))


def test_the_store_has_a_password_nobody_else_can_read_and_is_stopped_last(tmp_path: Path) -> None:
    chosen = demo.plan(tmp_path, tiny_model=False)
    store = demo.programs(chosen)[0]
    configuration = Path(store.command[-1])
    assert store.last
    assert configuration.stat().st_mode & 0o077 == 0
    text = configuration.read_text()
    assert f"requirepass {chosen.password}" in text
    for line in ("bind 127.0.0.1", "appendonly yes", "maxmemory-policy noeviction"):
        assert line in text


def test_only_a_demo_whose_process_lives_is_running(tmp_path: Path) -> None:
    told = {"pid": os.getpid(), "dashboard": "http://127.0.0.1:1", "folder": str(tmp_path), "environment": {}}
    assert demo.running(tmp_path) is None
    (tmp_path / "running.json").write_text(json.dumps(told))
    assert demo.running(tmp_path) is not None
    with pytest.raises(ConfigurationInvalid, match="runs already"):
        demo.run(folder=tmp_path, keep=False, tiny_model=False)
    (tmp_path / "running.json").write_text(json.dumps({**told, "pid": 2**22 + 1}))
    assert demo.running(tmp_path) is None
