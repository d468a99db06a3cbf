"""From a write to Redis to the pixel: the real dashboard, a real Redis, one Chromium and 19 protocol clients beside it.

    python bench/page.py [--rates 10,100,1000] [--seconds 20] [--symbols 100] [--clients 19] [--minutes 15]

A quote's price and a decision's score are found again in the page by what they say. `dom` is from the fact's made_at to the text in the
document, `pixel` to the frame after it (that frame begins when the one with the text is done), both by the page's own clock, which is this
machine's. `client` is the same until a protocol client has it in hand. Facts that were replaced before a frame came are nobody's pixel.

With `--minutes` the last rate goes on for that long while the memory of server and tab is looked at: resident, and in the page's heap after
everything that can be collected was.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import sync_playwright

from bench.crowd import crowd, median, percentile, storm, warm_up
from tests.browser.conftest import FLAGS, chromium_binary
from tests.browser.world import symbols_of
from tests.dashboard_server import RunningDashboard, running_dashboard
from tests.redis_server import RedisServer

WATCH = """() => {
    window.seen = [];
    const waiting = [];
    const look = () => {
        const painted = performance.now();
        for (const one of waiting.splice(0)) window.seen.push([...one, performance.timeOrigin + painted]);
    };
    new MutationObserver((records) => {
        const now = performance.timeOrigin + performance.now();
        for (const { target } of records) {
            const element = target.nodeType === 3 ? target.parentElement : target;
            const place = element?.closest("[data-testid=price],[data-testid=score]");
            const card = place?.closest("[data-symbol]");
            if (!card) continue;
            if (!waiting.length) requestAnimationFrame(look);
            waiting.push([card.dataset.symbol, place.dataset.testid, place.textContent, now]);
        }
    }).observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true });
    window.frames_seen = 0;
    const count = () => { window.frames_seen += 1; requestAnimationFrame(count); };
    requestAnimationFrame(count);
}"""
READY = """() => {
    const look = () => {
        const main = document.querySelector("main[data-ready=true]");
        if (main?.querySelector("[data-testid=price]")) window.first_view ??= performance.now();
        else requestAnimationFrame(look);
    };
    look();
}"""
WORK = {"script": "ScriptDuration", "style": "RecalcStyleDuration", "layout": "LayoutDuration", "task": "TaskDuration"}
SETTLE = 3.0  # seconds of a rate before it is measured


class Tab:
    """A Chromium with the page in it, and what it costs."""

    def __init__(self, chromium: Any, url: str) -> None:
        self.page = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US").new_page()
        self.foreign: list[str] = []
        self.bytes: dict[str, int] = defaultdict(int)
        self.kinds: dict[str, str] = {}
        self.page.on("request", lambda one: None if one.url.startswith((url, url.replace("http", "ws"))) else self.foreign.append(one.url))
        self.session = self.page.context.new_cdp_session(self.page)
        self.browser = chromium.new_browser_cdp_session()
        self.session.on("Network.responseReceived", lambda one: self.kinds.update({one["requestId"]: one["type"]}))
        self.session.on("Network.loadingFinished", self._loaded)
        for domain in ("Network", "Performance", "HeapProfiler"):
            self.session.send(f"{domain}.enable")
        self.page.add_init_script(f"({READY})()")
        self.page.goto(url)
        self.page.locator("[data-testid=price]").first.wait_for()
        self.page.wait_for_timeout(500)

    def _loaded(self, one: Any) -> None:
        self.bytes[self.kinds.get(one["requestId"], "?")] += int(one["encodedDataLength"])

    def frames(self) -> int:
        return int(self.page.evaluate("window.frames_seen"))

    @property
    def first_view_ms(self) -> float:
        return float(self.page.evaluate("window.first_view"))

    def metrics(self) -> dict[str, float]:
        return {one["name"]: one["value"] for one in self.session.send("Performance.getMetrics")["metrics"]}

    def drain(self) -> list[tuple[str, str, str, float, float]]:
        """(symbol, kind, text, in the document, painted), milliseconds since 1970."""
        return [tuple(one) for one in self.page.evaluate("window.seen.splice(0)")]

    def renderer(self) -> int:
        found = [one for one in self.browser.send("SystemInfo.getProcessInfo")["processInfo"] if one["type"] == "renderer"]
        return int(max(found, key=lambda one: one["cpuTime"])["id"])

    def processor_seconds(self) -> float:
        return float(sum(one["cpuTime"] for one in self.browser.send("SystemInfo.getProcessInfo")["processInfo"]))

    def memory(self) -> dict[str, float]:
        for _ in range(2):
            self.session.send("HeapProfiler.collectGarbage")
        known = self.metrics()
        heap = known["JSHeapUsedSize"] / 2**20
        return {"heap_mib": heap, "nodes": known["Nodes"], "listeners": known["JSEventListeners"], "tab_mib": resident_mib(self.renderer())}


def resident_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1_024


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def idle_seconds() -> float:
    """Of the whole machine, over all its cores."""
    return int(Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[4]) / float(os.sysconf("SC_CLK_TCK"))


@dataclass
class Scene:
    """worker is the process that serves · clients how many watch beside the page"""

    url: str
    dashboard: RunningDashboard
    tab: Tab
    symbols: list[str]
    clients: int

    @property
    def worker(self) -> int:
        pid = self.dashboard.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])

    @contextmanager
    def busy(self, rate: float) -> Iterator[tuple[list[Any], list[Any]]]:
        """Facts and clients for as long as the block; afterwards what the clients saw and what was written."""
        with crowd(self.dashboard.url, self.clients) as seen, storm(self.url, self.symbols, rate) as written:
            time.sleep(SETTLE)
            self.tab.drain()
            yield seen, written


@contextmanager
def scene(symbols: list[str], clients: int) -> Iterator[Scene]:
    """Redis, the dashboard as the launcher starts it, and the page."""
    binary = chromium_binary()
    if not binary:
        raise SystemExit("no chromium on this machine; CHROMIUM names one")
    with RedisServer() as redis:
        warm_up(redis.url(), symbols)
        settings = {"TIMEFRAME": "5s", "LOG_LEVEL": "warning"}
        with running_dashboard(redis.url(), symbols=",".join(symbols), **settings) as dashboard, sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=binary, args=FLAGS)
            yield Scene(redis.url(), dashboard, Tab(chromium, dashboard.url), symbols, clients)
            chromium.close()


def lags(shown: list[tuple[str, str, str, float, float]], written: list[tuple[str, str, float, float]]) -> tuple[list[float], list[float]]:
    """Milliseconds to the document and to the pixel, of everything shown that was written."""
    made: dict[tuple[str, str, float], list[float]] = defaultdict(list)
    for symbol, kind, figure, at in written:
        made[(symbol, kind, figure)].append(at * 1_000)
    dom, pixel = [], []
    for symbol, kind, text, at, painted in shown:
        try:
            moments = made[(symbol, kind, float(text.replace(",", "")))]
        except ValueError:
            continue
        place = bisect.bisect_right(moments, at)
        if place:
            dom.append(at - moments[place - 1])
            pixel.append(painted - moments[place - 1])
    return dom, pixel


def measure(scene: Scene, rate: float, seconds: float) -> dict[str, Any]:
    """One rate. Times in milliseconds; processor time in percent of one core."""
    tab, worker = scene.tab, scene.worker
    with scene.busy(rate) as (seen, written):
        before, frames, started = tab.metrics(), tab.frames(), time.monotonic()
        costs = processor_seconds(worker), tab.processor_seconds(), idle_seconds()
        shown = []
        while time.monotonic() - started < seconds:
            tab.page.wait_for_timeout(1_000)
            shown += tab.drain()
        took, after, frames = time.monotonic() - started, tab.metrics(), tab.frames() - frames
        server, browser, idle = processor_seconds(worker) - costs[0], tab.processor_seconds() - costs[1], idle_seconds() - costs[2]
    dom, pixel = lags(shown, written[0].shown)
    watched, whole = seen[0], took + SETTLE
    heard = [lag for one in watched for lag in one.lags]
    return {
        "rate": rate, "written_per_second": written[0].count / whole, "writer_late_ms": written[0].late_ms, "shown": len(pixel),
        "pixel_p50_ms": median(pixel), "pixel_p99_ms": percentile(pixel, 0.99), "pixel_max_ms": max(pixel, default=0.0),
        "dom_p50_ms": median(dom), "dom_p99_ms": percentile(dom, 0.99),
        "client_p50_ms": median(heard), "client_p99_ms": percentile(heard, 0.99),
        "client_facts_per_second": sum(one.facts for one in watched) / max(len(watched), 1) / whole,
        **{name: sum(getattr(one, name) for one in watched) for name in ("gaps", "resyncs", "closed")},
        **{f"{name}_ms_per_frame": (after[of] - before[of]) * 1_000 / max(frames, 1) for name, of in WORK.items()},
        "frames_per_second": frames / took, "server_percent": server / took * 100, "browser_percent": browser / took * 100,
        "idle_percent": idle / took * 100, "server_mib": resident_mib(worker),
    }  # fmt: skip


def remember(scene: Scene, rate: float, minutes: float) -> dict[str, Any]:
    """Memory over time: a look every five seconds. The first fifth of them is getting warm; growth is the slope of all others."""
    looks: list[dict[str, float]] = []
    with scene.busy(rate) as (_seen, written):
        started = time.monotonic()
        while (now := time.monotonic() - started) < minutes * 60:
            scene.tab.page.wait_for_timeout(5_000)
            scene.tab.drain()
            looks.append({"at": now, "server_mib": resident_mib(scene.worker), **scene.tab.memory()})
    found: dict[str, Any] = {"minutes": minutes, "rate": rate, "written_per_second": written[0].count / (minutes * 60), "looks": looks}
    later = looks[len(looks) // 5 :]
    for name in ("server_mib", "heap_mib", "tab_mib", "nodes", "listeners"):
        few = max(len(later) // 5, 1)
        found[name] = {
            "first": median([one[name] for one in later[:few]]),
            "last": median([one[name] for one in later[-few:]]),
            "per_minute": slope([(one["at"] / 60, one[name]) for one in later]),
        }
    return found


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line that fits best."""
    mean_x, mean_y = sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="10,100,1000", help="facts a second")
    parser.add_argument("--seconds", type=float, default=20, help="of each rate")
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--clients", type=int, default=19)
    parser.add_argument("--minutes", type=float, default=0, help="of the last rate, for memory; 0: none")
    given = parser.parse_args()
    rates = [float(rate) for rate in given.rates.split(",") if rate]
    with scene(symbols_of(given.symbols), given.clients) as here:
        tab = here.tab
        loaded = tab.bytes["Script"] + tab.bytes["Stylesheet"]
        first = {"first_view_ms": tab.first_view_ms, "script_and_style_bytes": loaded, "bytes": dict(tab.bytes)}
        print(f"first view {first['first_view_ms']:.0f} ms, script and style {loaded / 1_000:.0f} kB compressed")
        tab.page.evaluate(WATCH)
        print(f"{'facts/s':>8} {'shown':>7} {'pixel p50':>10} {'p99':>7} {'max':>7} {'dom p50':>8} {'client p50':>11} {'p99':>7}"
              f" {'gaps':>5} {'script/frame':>13} {'frames/s':>9} {'server':>7} {'browser':>8} {'idle':>6}")  # fmt: skip
        found = []
        for rate in rates if given.seconds else []:
            one = measure(here, rate, given.seconds)
            found.append(one)
            print(f"{one['written_per_second']:8.0f} {one['shown']:7} {one['pixel_p50_ms']:7.1f} ms {one['pixel_p99_ms']:7.1f}"
                  f" {one['pixel_max_ms']:7.1f} {one['dom_p50_ms']:8.1f} {one['client_p50_ms']:8.1f} ms {one['client_p99_ms']:7.1f}"
                  f" {one['gaps']:5} {one['script_ms_per_frame']:10.1f} ms {one['frames_per_second']:9.1f}"
                  f" {one['server_percent']:6.0f}% {one['browser_percent']:7.0f}% {one['idle_percent']:5.0f}%", flush=True)  # fmt: skip
        memory = remember(here, rates[-1], given.minutes) if given.minutes else None
        if memory:
            for name in ("server_mib", "heap_mib", "tab_mib", "nodes", "listeners"):
                one = memory[name]
                print(f"{name:12} {one['first']:9.1f} → {one['last']:9.1f}   {one['per_minute']:+8.3f} a minute")
        foreign = sorted(set(tab.foreign))
        print(f"requests that left the host: {len(foreign)} {foreign[:3] or ''}")
    print(json.dumps({"bench": "page", "clients": given.clients, "symbols": given.symbols, **first, "rates": found, "memory": memory,
                      "foreign_requests": foreign}))  # fmt: skip


if __name__ == "__main__":
    main()
