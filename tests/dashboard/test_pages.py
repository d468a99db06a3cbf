from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

import dashboard.pages as folder
from dashboard.pages import Page, pages
from shared.domain.errors import ConfigurationInvalid

ROOT = Path(folder.__file__).parent


def test_every_folder_is_a_page_found_by_its_name():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {page.name for page in pages()} == folders
    assert len({page.key for page in pages()}) == len(folders)
    assert len({page.path for page in pages()}) == len(folders)


def test_a_page_is_added_by_adding_a_folder(tmp_path, monkeypatch):
    (tmp_path / "weather").mkdir()
    (tmp_path / "weather" / "__init__.py").write_text(
        'from dashboard.pages import Page\n\npage = Page(title="Weather", path="/weather", key="w", order=5)\n', encoding="utf-8"
    )
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    assert pages.__wrapped__()[0] == Page(title="Weather", path="/weather", key="w", order=5, name="weather")


def test_a_folder_without_a_page_stops_the_start_with_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(folder, "__path__", [str(tmp_path)])
    with pytest.raises(ConfigurationInvalid, match=r"pages/empty/__init__\.py: must define page"):
        pages.__wrapped__()


@pytest.mark.parametrize(
    "path", ["/", "/symbol", "/symbol/BTC/USD", "/symbol/BTC%2FUSD?tf=1h", "/portfolio", "/system", "/settings", "/help"]
)
def test_every_address_gives_the_shell(dashboard, path):
    answer = dashboard.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert 'id="boot"' in answer.get_data(as_text=True)


def test_scripts_run_only_from_our_own_files_and_the_nonce(dashboard):
    answer = dashboard.get("/")
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)[1]
    text = answer.get_data(as_text=True)
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
    assert inline
    assert all(f'nonce="{nonce}"' in tag for tag in inline)
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"\son\w+=|javascript:|\sstyle=", text)
    assert nonce != re.search(r"'nonce-([^']+)'", dashboard.get("/").headers["Content-Security-Policy"])[1]


def test_nothing_is_loaded_from_elsewhere(dashboard):
    text = dashboard.get("/").get_data(as_text=True)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)


def test_the_theme_is_served_with_the_page_and_nothing_else_is(dashboard):
    dashboard.browser.set_cookie("theme", "dark")
    assert 'data-theme="dark"' in dashboard.get("/").get_data(as_text=True)
    dashboard.browser.set_cookie("theme", '"><script>alert(1)</script>')
    text = dashboard.get("/").get_data(as_text=True)
    assert 'data-theme="auto"' in text
    assert "alert(1)" not in text


def test_the_page_knows_its_navigation_and_its_token(dashboard):
    text = dashboard.get("/portfolio").get_data(as_text=True)
    boot = json.loads(re.search(r'id="boot"[^>]*>(.*?)</script>', text)[1])
    assert boot["page"] == "portfolio"
    assert [one["href"] for one in boot["navigation"]] == [page.path for page in pages()]
    assert dashboard.post("/api/v1/halt", x_csrf_token=boot["csrf_token"]).status_code == 202


def test_answers_are_never_kept_and_never_framed(dashboard):
    for path in ("/", "/api/v1/snapshot", "/login", "/nowhere"):
        headers = dashboard.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


# ---- files ---------------------------------------------------------------------------------------------------------------------
def test_files_are_checked_for_changes_and_compressed(dashboard):
    answer = dashboard.get("/static/js/main.mjs", accept_encoding="gzip")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert gzip.decompress(answer.data) == (ROOT.parent / "static" / "js" / "main.mjs").read_bytes()
    assert dashboard.get("/static/js/main.mjs", if_none_match=answer.headers["ETag"]).status_code == 304
    assert dashboard.get("/static/js/main.mjs").data == gzip.decompress(answer.data)


def test_a_page_s_view_is_served_from_its_folder(dashboard):
    assert dashboard.get("/static/pages/overview/view.mjs").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/pages/overview/__init__.py", "/static/../app.py", "/static/%2e%2e/app.py", "/static/js/../../app.py",
        "/static/pages/../app.py", "/static/js", "/static/nowhere.mjs", "/static//etc/passwd", "/static/js/main.mjs%00.py",
        "/static/pages/overview/../../settings.py",
    ],
)  # fmt: skip
def test_nothing_but_what_a_browser_uses_is_given_out(dashboard, path):
    assert dashboard.get(path).status_code in {404, 308}


def test_long_answers_are_compressed_for_those_who_can(dashboard):
    packed = dashboard.get("/api/v1/openapi.json", accept_encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(dashboard.get("/api/v1/openapi.json").data) / 4


# ---- probes --------------------------------------------------------------------------------------------------------------------
def test_probes_say_what_is_true(dashboard, make_dashboard):
    assert dashboard.get("/livez").status_code == 200
    assert dashboard.get("/healthz").status_code == 200
    assert dashboard.get("/readyz").json == {"status": "ready"}
    idle = make_dashboard(started=False)
    assert idle.get("/livez").status_code == 200
    assert idle.get("/healthz").status_code == 503
    assert idle.get("/readyz").status_code == 503
    assert idle.get("/").status_code == 200


def test_what_is_counted_can_be_scraped(dashboard):
    dashboard.wait_for(lambda: b'tradermagic_process_up{process="dashboard"' in dashboard.get("/metrics").data)
    text = dashboard.get("/metrics").get_data(as_text=True)
    assert "tradermagic_redis_reachable 1.0" in text
    assert "tradermagic_dashboard_clients 0.0" in text
