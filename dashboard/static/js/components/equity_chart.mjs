// Equity over a day, a week, a month or all that is kept, as a line; as a table and a file as well. The chart's code is fetched when first
// needed.

import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { changes, curve, failed, range, RANGES, startEquity } from "../equity.mjs";
import { day, money, signedMoney, time, timeInFull } from "../format.mjs";
import { html } from "../html.mjs";
import { system } from "../store.mjs";
import { colour, colours } from "../theme.mjs";
import { zone } from "../zone.mjs";
import { Change, Empty, Gain } from "./figures.mjs";
import { SaveButton } from "./save_button.mjs";
import { Unfolding } from "./unfolding.mjs";

export { withPoint } from "../equity.mjs";

const REDRAW_MS = 400;
const LEAST_SHARE = 0.0005;
const NEAR_SECONDS = 600;
const FAR_SECONDS = 86_400 * 3;
const ROWS = 60;
const MARK_TONES = /** @type {Record<string, string>} */ ({ halt: "--halt-solid", on: "--good-solid", off: "--text-3" });

/**
 * At least a twentieth of a percent tall, so that a quiet account does not look wild.
 * @param {any} _chart
 * @param {number} low
 * @param {number} high
 */
function scale(_chart, low, high) {
  const least = Math.abs(high) * LEAST_SHARE;
  const pad = Math.max((high - low) * 0.12, (least - (high - low)) / 2);
  return /** @type {[number, number]} */ ([low - pad, high + pad]);
}

/** Seconds only where a line covers minutes, days where it covers weeks. @param {any} _chart @param {number[]} splits */
function times(_chart, splits) {
  const length = (splits.at(-1) ?? 0) - splits[0];
  if (length > FAR_SECONDS) return splits.map((at) => day(at * 1_000));
  return splits.map((at) => (length < NEAR_SECONDS ? time(at * 1_000) : time(at * 1_000).replace(/:\d\d$/, "")));
}

/** Lines where trading was halted, turned on or off. @param {any} plot */
function drawMarks(plot) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  ctx.font = `${10 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  let free = 0;
  for (const { at, text, kind } of changes.peek()) {
    const x = plot.valToPos(at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(MARK_TONES[kind]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (x < free) continue;
    ctx.fillText(text, x + 3 * ratio, bbox.top + 10 * ratio);
    free = x + ctx.measureText(text).width + 8 * ratio;
  }
  ctx.restore();
}

/** @param {HTMLElement} box @param {(moment: Date, zone: string) => Date} inZone */
function options(box, inZone) {
  const quiet = colour("--text-3");
  const grid = { stroke: colour("--line"), width: 1 };
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    legend: { show: false },
    padding: [8, 26, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    hooks: { draw: [drawMarks] },
    tzDate: (/** @type {number} */ at) => inZone(new Date(at * 1_000), zone.peek()),
    scales: { x: { time: true }, y: { range: scale } },
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
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const make = () => {
    plot?.destroy();
    plot = new Plot(/** @type {any} */ (options(box, Plot.tzDate)), /** @type {any} */ (curve.peek()), box);
  };
  const redraw = () => {
    timer = undefined;
    plot?.setData(curve.peek());
  };
  const stopLook = effect(() => {
    void [colours.value, zone.value];
    if ((curve.peek()?.[0].length ?? 0) > 1) make();
  });
  const stopCurve = effect(() => {
    void changes.value;
    if ((curve.value?.[0].length ?? 0) < 2) return;
    if (!plot) make();
    else timer ??= setTimeout(redraw, REDRAW_MS);
  });
  const watch = new ResizeObserver(() => plot?.setSize({ width: box.clientWidth, height: box.clientHeight }));
  watch.observe(box);
  return () => {
    watch.disconnect();
    clearTimeout(timer);
    stopLook();
    stopCurve();
    plot?.destroy();
  };
}

function Ranges() {
  return html`<div class="chips" role="group" aria-label="Range of the curve">
    ${RANGES.map(([name, text]) => html`<button key=${name} type="button" class="chip" aria-pressed=${range.value === name}
      onClick=${() => (range.value = name)}>${text}</button>`)}
  </div>`;
}

const rows = () => {
  const [ats, values] = curve.peek() ?? [[], []];
  return ats.map((at, place) => ({ at: new Date(at * 1_000).toISOString(), equity: values[place] }));
};

/** @param {{points: [number[], number[]]}} props */
function AsTable({ points: [ats, values] }) {
  const first = values[0];
  const list = ats.map((at, place) => [at * 1_000, values[place]]).slice(-ROWS).reverse();
  return html`<div class="table-tools">
      <span class="hint">The newest ${list.length} of ${ats.length} readings.</span>
      <${SaveButton} what=${`equity ${range.value}`} columns=${["at", "equity"]} rows=${rows} />
    </div>
    <div class="table-scroll table-short" tabindex="0" role="group" aria-label="Equity readings">
      <table class="table table-tight">
        <thead>
          <tr><th scope="col">Time</th><th scope="col" class="num">Equity</th><th scope="col" class="num">Since the start</th></tr>
        </thead>
        <tbody>
          ${list.map(([at, value]) => html`<tr key=${at}>
            <th scope="row"><time datetime=${new Date(at).toISOString()} title=${timeInFull(at)}>${time(at)}</time></th>
            <td class="num">${money(value)}</td>
            <td class="num">${signedMoney(value - first)}</td>
          </tr>`)}
        </tbody>
      </table>
    </div>`;
}

/** @param {{table?: boolean}} props */
export function EquityChart({ table = true }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const ready = system.value.ready;
  useEffect(() => {
    if (!ready || !box.current) return undefined;
    startEquity();
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
      <span class="equity-since">
        ${points && !few && first && last !== undefined && html`since ${time((points[0][0] ?? 0) * 1_000)}:${" "}
          <${Gain} value=${last - first} /> <${Change} value=${last / first - 1} arrow=${false} />`}
      </span>
      <${Ranges} />
    </figcaption>
    <div class="equity-box" ref=${box} data-empty=${Boolean(few)} role="img" aria-label=${last ? `Equity now ${money(last)}` : "Equity"}>
    </div>
    ${few && html`<${Empty} title=${failed.value ? "The curve could not be read" : "The curve begins with the account's second reading."}>
      ${failed.value}
    <//>`}
    ${table && points && !few && html`<${Unfolding} summary="Show as table" inside=${() => html`<${AsTable} points=${points} />`} />`}
  </figure>`;
}
