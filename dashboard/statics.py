"""Files for the browser: our own are checked for changes at each load, libraries carry their version in their name and are kept for ever.

Read once, compressed once, served from memory: all of them together are smaller than one photograph.
"""

from __future__ import annotations

import gzip
import hashlib
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
blueprint = Blueprint("statics", __name__)


@dataclass(frozen=True)
class File:
    changed: int
    content: bytes
    packed: bytes | None
    etag: str


_files: dict[str, File] = {}
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
