// Equity over the time the account's facts reach back, as a line. The chart's code is fetched when first needed.

import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get } from "../api.mjs";
import { money, time } from "../format.mjs";
import { html } from "../html.mjs";
import { latest, onFact, system } from "../store.mjs";
import { colour, colours } from "../theme.mjs";
import { Change, Empty, Gain } from "./figures.mjs";

const KEPT = 1_500;
/** Points closer than this are one. */
const APART_SECONDS = 1;
const REDRAW_MS = 400;
const LEAST_SHARE = 0.0005;
const NEAR_SECONDS = 600;

/** Times in seconds since 1970, and equity. @type {import("@preact/signals").Signal<[number[], number[]] | null>} */
const curve = signal(null);
let asked = false;

/** @param {[number[], number[]]} points @param {any} account */
export function withPoint([times, values], account) {
  const at = Date.parse(account.at) / 1_000;
  const last = times.at(-1) ?? 0;
  if (at < last || !Number.isFinite(at)) return /** @type {[number[], number[]]} */ ([times, values]);
  const drop = at - last < APART_SECONDS && times.length ? 1 : 0;
  return /** @type {[number[], number[]]} */ ([
    [...times.slice(0, times.length - drop), at].slice(-KEPT),
    [...values.slice(0, values.length - drop), Number(account.equity)].slice(-KEPT),
  ]);
}

async function load() {
  if (asked) return;
  asked = true;
  onFact((topic, fact) => {
    if (topic === "account" && curve.peek()) curve.value = withPoint(/** @type {[number[], number[]]} */ (curve.peek()), fact);
  });
  const now = latest("account").peek();
  try {
    const { facts } = await get("facts/account", { limit: 1_000 });
    const inOrder = [...facts, ...(now ? [now] : [])].sort((a, b) => (a.at < b.at ? -1 : 1));
    curve.value = inOrder.reduce(withPoint, /** @type {[number[], number[]]} */ ([[], []]));
  } catch {
    curve.value = now ? withPoint([[], []], now) : [[], []];
  }
}

/**
 * At least a twentieth of a percent tall, so that a quiet account does not look wild.
 * @param {any} _chart
 * @param {number} low
 * @param {number} high
 */
function range(_chart, low, high) {
  const least = Math.abs(high) * LEAST_SHARE;
  const pad = Math.max((high - low) * 0.12, (least - (high - low)) / 2);
  return /** @type {[number, number]} */ ([low - pad, high + pad]);
}

/** Seconds only where a line covers minutes. @param {any} _chart @param {number[]} splits */
function times(_chart, splits) {
  const near = (splits.at(-1) ?? 0) - splits[0] < NEAR_SECONDS;
  return splits.map((at) => (near ? time(at * 1_000) : time(at * 1_000).replace(/:\d\d$/, "")));
}

/** @param {HTMLElement} box */
function options(box) {
  const quiet = colour("--text-3");
  const grid = { stroke: colour("--line"), width: 1 };
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    legend: { show: false },
    padding: [8, 26, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range } },
    series: [{}, { stroke: colour("--accent"), width: 1.75, fill: colour("--accent-wash"), points: { show: false } }],
    axes: [
      { stroke: quiet, font, grid: { show: false }, ticks: { show: false }, size: 24, space: 90, values: times },
      {
        stroke: quiet,
        font,
        grid,
        ticks: { show: false },
        size: 74,
        space: 34,
        values: (/** @type {any} */ _chart, /** @type {number[]} */ splits) => splits.map((value) => money(value)),
      },
    ],
  };
}

/** @param {HTMLElement} box @returns {Promise<() => void>} what takes it away */
async function draw(box) {
  const { default: Plot } = await import("uplot");
  /** @type {any} */
  let plot = null;
  const make = () => {
    plot?.destroy();
    plot = new Plot(/** @type {any} */ (options(box)), /** @type {any} */ (curve.peek()), box);
  };
  const redraw = () => {
    timer = undefined;
    plot?.setData(curve.peek());
  };
  const stopColours = effect(() => {
    void colours.value;
    if ((curve.peek()?.[0].length ?? 0) > 1) make();
  });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const stopCurve = effect(() => {
    if ((curve.value?.[0].length ?? 0) < 2) return;
    if (!plot) make();
    else timer ??= setTimeout(redraw, REDRAW_MS);
  });
  const watch = new ResizeObserver(() => plot?.setSize({ width: box.clientWidth, height: box.clientHeight }));
  watch.observe(box);
  return () => {
    watch.disconnect();
    clearTimeout(timer);
    stopColours();
    stopCurve();
    plot?.destroy();
  };
}

export function EquityChart() {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const ready = system.value.ready;
  useEffect(() => {
    if (!ready || !box.current) return undefined;
    load();
    let gone = false;
    /** @type {(() => void) | undefined} */
    let stop;
    // Without the chart's code there is no curve; the figures say the same, and the next visit tries again.
    draw(box.current).then(
      (made) => {
        if (gone) made();
        else stop = made;
      },
      () => {},
    );
    return () => {
      gone = true;
      stop?.();
    };
  }, [ready]);
  const points = curve.value;
  const [first, last] = [points?.[1][0], points?.[1].at(-1)];
  const few = points && points[0].length < 2;
  return html`<figure class="equity" aria-label="Equity over time">
    <figcaption class="equity-caption">
      <span class="label">Equity curve</span>
      ${points && !few && first && last !== undefined && html`<span>
        since ${time((points[0][0] ?? 0) * 1_000)}: <${Gain} value=${last - first} /> <${Change} value=${last / first - 1} arrow=${false} />
      </span>`}
    </figcaption>
    <div class="equity-box" ref=${box} data-empty=${Boolean(few)} role="img" aria-label=${last ? `Equity now ${money(last)}` : "Equity"}>
    </div>
    ${few && html`<${Empty} title="The curve begins with the account's second reading." />`}
  </figure>`;
}
