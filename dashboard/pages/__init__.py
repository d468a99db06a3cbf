"""The pages: every folder here is one, found by its name. A folder's `__init__.py` says where it stands, its `view.mjs` what it shows.

All of them are the same shell; the browser loads the view that belongs to the address.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from dashboard.desk import desk
from dashboard.statics import modules_of
from dashboard.wire import quoted
from shared.domain.errors import ConfigurationInvalid
from shared.runtime import plugins

THEMES = ("auto", "light", "dark")
# The first of each is the default; a cookie names the others, joined by dots.
LOOKS = {"palette": ("standard", "blind"), "up": ("green", "red"), "density": ("comfortable", "compact")}
VENDOR = Path(__file__).parents[1] / "static" / "vendor"


@dataclass(frozen=True)
class Page:
    """title in the navigation · path its address · deep whether more may follow the path (`/symbol/BTC/USD`) · key pressed after `g` ·
    order in the navigation · blueprint further routes of its own · name the folder's, filled in when it is found
    """

    title: str
    path: str
    key: str
    order: int
    deep: bool = False
    blueprint: Blueprint | None = None
    name: str = ""


@cache
def pages() -> tuple[Page, ...]:
    """In the order of the navigation. Raises ConfigurationInvalid for a folder without a `page`."""
    import dashboard.pages as folder

    found = []
    for name in plugins.names(folder):
        page = getattr(importlib.import_module(f"{folder.__name__}.{name}"), "page", None)
        if not isinstance(page, Page):
            raise ConfigurationInvalid(f"dashboard/pages/{name}/__init__.py: must define page = Page(…)")
        found.append(replace(page, name=name))
    return tuple(sorted(found, key=lambda one: (one.order, one.name)))


def register(app: Flask) -> None:
    for page in pages():
        app.add_url_rule(page.path, f"page.{page.name}", _shell_of(page))
        if page.deep:
            app.add_url_rule(f"{page.path.rstrip('/')}/<path:rest>", f"page.{page.name}.deep", _shell_of(page))
        if page.blueprint:
            app.register_blueprint(page.blueprint)


def _shell_of(page: Page) -> Any:
    def shell(rest: str = "") -> ResponseReturnValue:  # noqa: ARG001 (the browser reads it from the address)
        from dashboard.auth import identity

        who = identity()
        if who is None:
            return redirect("/login" if request.path == "/" else f"/login?next={request.path}")
        return render_template(
            "shell.html", user=None if who.kind == "local" else who.name, scopes=sorted(who.scopes), **context_of(page.name)
        )

    return shell


def context_of(page: str) -> dict[str, Any]:
    """What the templates are given."""
    theme = request.cookies.get("theme", "auto")
    return {
        "nonce": request.csp_nonce,  # type: ignore[attr-defined]
        "csrf_token": generate_csrf(),
        "theme": theme if theme in THEMES else "auto",
        "look": look_of(request.cookies.get("look", "")),
        "page": page,
        "navigation": [{"name": one.name, "title": one.title, "href": one.path, "key": one.key} for one in pages()],
        "login_required": desk().doorman.login_required,
        "import_map": _import_map(),
        "modules": modules_of("" if page == "login" else page),
    }


def look_of(cookie: str) -> dict[str, str]:
    """The page is drawn right at once; what is not known counts for nothing."""
    chosen = cookie.split(".")
    return {name: next((one for one in values if one in chosen), values[0]) for name, values in LOOKS.items()}


@cache
def _import_map() -> Markup:
    """The libraries' names and files; empty, and the page says so, where they were not put there."""
    try:
        found = json.loads((VENDOR / "importmap.json").read_text(encoding="utf-8"))
    except OSError:
        found = {"imports": {}}
    return Markup(quoted(found))  # noqa: S704 (our own file, `<` written as an escape)
