from __future__ import annotations

import re

import pytest

from dashboard import statics
from dashboard.pages import pages

LIBRARIES = statics.ROOT / "static" / "vendor" / "importmap.json"


def preloaded(dashboard, path):
    return re.findall(r'<link rel="modulepreload" href="([^"]+)">', dashboard.get(path).get_data(as_text=True))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_page_names_every_script_it_needs_and_each_is_there(dashboard, page):
    found = preloaded(dashboard, page.path)
    assert {"/static/js/main.mjs", "/static/js/store.mjs", f"/static/pages/{page.name}/view.mjs"} <= set(found)
    assert len(found) == len(set(found))
    assert {dashboard.get(path).status_code for path in found} == {200}


@pytest.mark.skipif(not LIBRARIES.exists(), reason="the page's libraries are not there: npm ci && node vendor.mjs in dashboard/")
def test_libraries_that_a_script_names_are_among_them_and_what_is_loaded_later_is_not(dashboard):
    found = " ".join(preloaded(dashboard, "/"))
    assert all(f"/static/vendor/{name}" in found for name in ("preact-", "preact-signals-", "preact-signals-core-", "socket.io-client-"))
    assert "lightweight-charts" not in found


def test_a_script_that_changes_is_read_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(statics, "ROOT", tmp_path)
    monkeypatch.setattr(statics, "_modules", {})
    folder = tmp_path / "static" / "js"
    folder.mkdir(parents=True)
    main, one = folder / "main.mjs", folder / "one.mjs"
    one.write_text('import { a } from "./nowhere.mjs";\nexport const said = "./one.mjs";\n')
    main.write_text('import {\n  one,\n} from "./one.mjs";\n')
    assert statics.modules_of("") == ("/static/js/main.mjs", "/static/js/one.mjs")
    (folder / "two.mjs").write_text("")
    main.write_text('import "./two.mjs";\nimport { one } from "./one.mjs";\nconst later = () => import("./later.mjs");\n')
    (folder / "later.mjs").write_text("")
    assert statics.modules_of("") == ("/static/js/main.mjs", "/static/js/two.mjs", "/static/js/one.mjs")


@pytest.mark.parametrize("path", ["pages/overview/__init__.py", "../app.py", "pages/../app.py", "js/", "js/%2e%2e/%2e%2e/app.py"])
def test_nothing_but_what_a_browser_uses_is_given_out(dashboard, path):
    assert dashboard.get(f"/static/{path}").status_code == 404
