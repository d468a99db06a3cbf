"""Files for the browser: our own are checked for changes at each load, libraries carry their version in their name and are kept for ever.

Read once, compressed once, served from memory: all of them together are smaller than one photograph.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import posixpath
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from werkzeug.security import safe_join
from werkzeug.wrappers import Response

ROOT = Path(__file__).parent
KINDS = {
    ".mjs": "text/javascript; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
PACKED = frozenset({".mjs", ".js", ".css", ".svg", ".json", ".txt"})
FOREVER = "public, max-age=31536000, immutable"
CHECKED = "no-cache"
MIN_PACKED = 600
_IMPORT = re.compile(r"""(?:^|;)(?:import|export)\b[^;"'()]*["']([^"'\n]+)["']""", re.MULTILINE)
blueprint = Blueprint("statics", __name__)


@dataclass(frozen=True)
class File:
    changed: int
    content: bytes
    packed: bytes | None
    etag: str


_files: dict[str, File] = {}
_modules: dict[str, tuple[tuple[str, int], ...]] = {}
_lock = threading.Lock()


@blueprint.get("/static/pages/<page>/<path:name>")
def page_file(page: str, name: str) -> ResponseReturnValue:
    return _serve(ROOT / "pages", f"{page}/{name}")


@blueprint.get("/static/<path:name>")
def file(name: str) -> ResponseReturnValue:
    return _serve(ROOT / "static", name)


@blueprint.get("/favicon.ico")
def icon() -> ResponseReturnValue:
    return _serve(ROOT / "static", "icon.svg")


def modules_of(page: str) -> tuple[str, ...]:
    """Addresses of every script a page needs before it is drawn, so that a browser asks for all of them at once.

    It would find them one behind the other: a script's imports are known only when it is there.
    """
    known = _modules.get(page)
    if known is None or any(_changed(_path_of(url)) != changed for url, changed in known):
        entries = ["/static/js/main.mjs", *([f"/static/pages/{page}/view.mjs"] if page else [])]
        known = _modules[page] = tuple((url, _changed(_path_of(url))) for url in _reached(entries))
    return tuple(url for url, _ in known)


def _reached(entries: list[str]) -> list[str]:
    """Everything the entries import, directly or not; what cannot be read is left to the browser to find missing."""
    map_file = _read(ROOT / "static" / "vendor" / "importmap.json")
    names: dict[str, str] = json.loads(map_file.content)["imports"] if map_file else {}
    found = dict.fromkeys(entries)
    for url in (waiting := list(entries)):
        content = _read(_path_of(url))
        for name in _IMPORT.findall(content.content.decode()) if content else ():
            target = _address(name, url, names)
            if target is not None and target not in found and _changed(_path_of(target)):
                found[target] = None
                waiting.append(target)
    return list(found)


def _address(name: str, importer: str, names: dict[str, str]) -> str | None:
    if name.startswith("."):
        return posixpath.normpath(posixpath.join(posixpath.dirname(importer), name))
    if name in names:
        return names[name]
    prefix = next((known for known in names if known.endswith("/") and name.startswith(known)), None)
    return names[prefix] + name.removeprefix(prefix) if prefix else None


def _path_of(url: str) -> Path:
    return ROOT / url.removeprefix("/static/") if url.startswith("/static/pages/") else ROOT / url.lstrip("/")


def _changed(path: Path) -> int:
    """When, in nanoseconds; 0 for a file that is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _serve(folder: Path, name: str) -> Response:
    # Source and templates stand beside the views: only what a browser can use is given out.
    joined = safe_join(str(folder), name)
    kind = KINDS.get(Path(name).suffix)
    if joined is None or kind is None:
        abort(404)
    found = _read(Path(joined))
    if found is None:
        abort(404)
    library = folder.name == "static" and name.startswith("vendor/") and name.endswith(".mjs")
    headers = {"Cache-Control": FOREVER if library else CHECKED, "ETag": f'"{found.etag}"', "Vary": "Accept-Encoding"}
    if request.if_none_match.contains(found.etag):
        return Response(status=304, headers=headers)
    if found.packed is not None and request.accept_encodings["gzip"] > 0:
        return Response(found.packed, headers=headers | {"Content-Encoding": "gzip"}, content_type=kind)
    return Response(found.content, headers=headers, content_type=kind)


def _read(path: Path) -> File | None:
    try:
        changed = path.stat().st_mtime_ns
        known = _files.get(str(path))
        if known and known.changed == changed:
            return known
        content = path.read_bytes()
    except OSError:
        return None
    packed = gzip.compress(content, 9, mtime=0) if path.suffix in PACKED and len(content) > MIN_PACKED else None
    found = File(changed, content, packed, hashlib.sha256(content).hexdigest()[:24])
    with _lock:
        _files[str(path)] = found
    return found
