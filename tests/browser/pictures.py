"""The pictures of the README, made from a running dashboard:

    ./tradermagic demo                                   (in another terminal)
    python -m tests.browser.pictures http://127.0.0.1:9753

Turns trading on when it is off, waits until there is something to see, and puts trading back as it was.
"""

from __future__ import annotations

import argparse
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.browser.conftest import FLAGS, chromium_binary

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
WATCHED_SECONDS = 75


@dataclass(frozen=True)
class Picture:
    """`path` of the page, and how it is looked at; `symbol` goes in place of {symbol}."""

    name: str
    path: str
    width: int = 1440
    height: int = 940
    dark: bool = False


PICTURES = (
    Picture("overview", "/", height=1190),
    Picture("overview-dark", "/", height=1190, dark=True),
    Picture("symbol", "/symbol/{symbol}", height=900),
    Picture("phone", "/", width=390, height=844),
)


def packed(png: bytes) -> bytes:
    """The same picture, compressed as far as deflate goes; a browser compresses for speed."""
    head, chunks, data, at = png[:8], [], b"", 8
    while at < len(png):
        (size,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        body = png[at + 8 : at + 8 + size]
        if kind == b"IDAT":
            data += body
        else:
            chunks.append((kind, body))
        at += size + 12
    chunks.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(data), 9)))
    return head + b"".join(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)


def open_page(browser: Any, url: str, picture: Picture, path: str) -> Any:
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.dark else "light",
        is_mobile=picture.width < 600,
        has_touch=picture.width < 600,
        locale="en-US",
    )
    page = context.new_page()
    page.goto(url + path)
    page.locator("main[data-ready=true]").wait_for()
    return page


def turn_on(page: Any) -> bool:
    """True when it was off before."""
    button = page.get_by_role("button", name="Turn trading on")
    if not button.count():
        return False
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Turn on", exact=True).click()
    page.get_by_test_id("switch-word").get_by_text("On", exact=True).wait_for()
    return True


def wait_for_trades(page: Any, seconds: int) -> str:
    """A symbol that is held, once some have been traded; the first one when none is."""
    page.wait_for_timeout(seconds * 1_000)
    held = page.locator("article.card:has([data-testid=position])")
    held.first.wait_for(timeout=30_000)
    return str(held.first.get_attribute("data-symbol"))


def wait_for_positions(page: Any, number: int) -> None:
    """As many as that, if they come; a picture of an idle account is still a picture."""
    with suppress(Exception):
        page.locator("[data-testid=position]").nth(number - 1).wait_for(timeout=60_000)


def make(url: str, folder: Path, seconds: int) -> list[Path]:
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_binary(), args=FLAGS)
        control = open_page(browser, url, PICTURES[0], "/")
        was_off = turn_on(control)
        symbol = wait_for_trades(control, seconds)
        for picture in PICTURES:
            page = open_page(browser, url, picture, picture.path.format(symbol=symbol))
            page.wait_for_timeout(2_500)
            if picture.name.startswith("overview"):
                wait_for_positions(page, 2)
            path = folder / f"{picture.name}.png"
            path.write_bytes(packed(page.screenshot()))
            made.append(path)
            page.context.close()
        if was_off:
            control.get_by_role("button", name="Turn trading off").click()
            control.get_by_test_id("switch-word").get_by_text("Off", exact=True).wait_for()
        browser.close()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:9753")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--seconds", type=int, default=WATCHED_SECONDS, help="how long to watch before the first picture")
    given = parser.parse_args()
    for path in make(given.url.rstrip("/"), given.folder, given.seconds):
        print(f"{path}  {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
