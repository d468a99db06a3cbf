// Candles with all that belongs to them, and under them, to the same scale of time, the lanes of what each bar led to.

import { effect, signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Empty } from "#app/components/figures.mjs";
import { number, price, time, timeframeSeconds, timeInFull } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { Unfolding } from "#app/components/unfolding.mjs";
import { connection } from "#app/socket.mjs";
import { latest, system } from "#app/store.mjs";
import { colours } from "#app/theme.mjs";
import { zone } from "#app/zone.mjs";
import { Choices, hoursKey, intervalOf, Intervals, MadeOf, shown } from "./chart_choices.mjs";
import { follow, load, marks, seconds } from "./chart_data.mjs";
import { candles, frame, indicators, palette, priceLines } from "./chart_series.mjs";
import { AsTable } from "./chart_table.mjs";
import { LaneLabels, Timeline } from "./decision_lanes.mjs";
import { lanes } from "./lanes.mjs";
import { SESSION_WORDS, sessionOfBar } from "./sessions.mjs";
import { shading } from "./shading.mjs";
import { moments } from "./timeline.mjs";

const DEFAULT_BARS = 160;
/** Of fewer each would be as wide as a brick. */
const FEWEST_BARS = 36;
const BAR_PIXELS = 7;
/**
 * What the parts of one chart share: the bar that is pointed at, a number that grows with the data, and what each bar led to.
 * @typedef {{pointed: import("@preact/signals").Signal<string>, version: import("@preact/signals").Signal<number>,
 *   moments: Map<string, import("./timeline.mjs").Moment>}} Shared
 */

/** @param {any} data @param {any} shade @param {boolean} hours */
function shadeHours(data, shade, hours) {
  const days = latest("calendar").peek()?.days ?? [];
  shade.set(hours ? data.bars.map((/** @type {any} */ bar) => seconds(bar.at)) : [], days);
}

/**
 * @param {HTMLElement} box
 * @param {HTMLCanvasElement} canvas
 * @param {any} data
 * @param {Shared} shared
 * @param {{current: any}} view what of it is shown, kept when it is drawn anew
 */
async function draw(box, canvas, data, shared, view) {
  const library = await import("lightweight-charts");
  const { symbol, timeframe } = data;
  const chosen = shown.peek();
  const tones = palette(symbol, data);
  const chart = frame(library, box, tones, timeframe.endsWith("s"));
  const { series, draw: drawCandles } = candles(library, chart, data, tones);
  const shade = shading(timeframeSeconds(timeframe));
  series.attachPrimitive(/** @type {any} */ (shade));
  const drawIndicators = indicators(library, chart, data, tones, data.base ? {} : chosen);
  const marked = library.createSeriesMarkers(series, /** @type {any} */ (marks(data, tones)));
  const under = lanes(canvas, chart, () => ({ bars: data.bars, moments: shared.moments, pointed: shared.pointed.peek() }));
  const scale = chart.timeScale();
  const wide = Math.min(DEFAULT_BARS, Math.max(40, Math.floor(box.clientWidth / BAR_PIXELS)));
  const many = Math.max(FEWEST_BARS, Math.min(wide, data.bars.length));
  scale.setVisibleLogicalRange(view.current ?? { from: data.bars.length - many, to: data.bars.length + 4 });
  const stops = [priceLines(series, symbol, tones)];
  stops.push(effect(() => void (latest("calendar").value, shadeHours(data, shade, Boolean(chosen[hoursKey(symbol)])))));
  stops.push(effect(() => void (shared.pointed.value, shared.version.value, under.draw())));
  scale.subscribeVisibleLogicalRangeChange((/** @type {any} */ range) => {
    view.current = range;
    under.draw();
  });
  scale.subscribeSizeChange(under.draw);
  stops.push(
    follow(data, (topics) => {
      if (topics.has("bar")) drawCandles();
      if (topics.has("indicators") || topics.has("bar")) drawIndicators();
      if (topics.has("bar")) shadeHours(data, shade, Boolean(chosen[hoursKey(symbol)]));
      shared.moments = moments(data);
      marked.setMarkers(/** @type {any} */ (marks(data, tones)));
      shared.version.value += 1;
    }),
  );
  chart.subscribeCrosshairMove((/** @type {any} */ event) => {
    if (!event.sourceEvent) return; // moved by the lanes
    shared.pointed.value = data.bars.find((/** @type {any} */ bar) => seconds(bar.at) === event.time)?.at ?? "";
  });
  return {
    /** The bar under a place of the canvas. @param {number} x */
    at(x) {
      const place = scale.coordinateToLogical(x);
      return place === null ? "" : (data.bars[Math.round(place)]?.at ?? "");
    },
    /** Points the crosshair at a bar, and brings it into view. @param {string} at */
    point(at) {
      const place = data.bars.findIndex((/** @type {any} */ bar) => bar.at === at);
      shared.pointed.value = place < 0 ? "" : at;
      if (place < 0) return chart.clearCrosshairPosition();
      const range = scale.getVisibleLogicalRange();
      const step = range ? Math.min(0, place - range.from - 2) || Math.max(0, place - range.to + 2) : 0;
      if (range && step) scale.setVisibleLogicalRange({ from: range.from + step, to: range.to + step });
      chart.setCrosshairPosition(data.bars[place].close, /** @type {any} */ (seconds(at)), series);
    },
    stop() {
      for (const one of stops) one();
      under.stop();
      chart.remove();
    },
  };
}

/** @param {{shared: Shared, data: any, symbol: string}} props */
function Legend({ shared, data, symbol }) {
  void shared.version.value;
  const last = data?.bars?.at(-1) ?? latest("bar", symbol, system.value.timeframe).value;
  const at = shared.pointed.value;
  const bar = (at && data?.bars?.find((/** @type {any} */ one) => one.at === at)) || last;
  if (!bar) return null;
  const figure = (/** @type {string} */ name, /** @type {number} */ value) =>
    html`<span><span class="label">${name}</span> ${price(value, symbol)}</span>`;
  const days = latest("calendar").value?.days;
  const session = days && !symbol.includes("/") ? sessionOfBar(days, seconds(bar.at), timeframeSeconds(bar.timeframe)) : null;
  return html`<span class="chart-legend figure">
    <time datetime=${bar.at} title=${timeInFull(bar.at)}>${time(bar.at)}</time>
    ${figure("O", bar.open)} ${figure("H", bar.high)} ${figure("L", bar.low)} ${figure("C", bar.close)}
    <span><span class="label">Vol</span> ${number(bar.volume, 2)}</span>
    ${session && html`<span class="label">${SESSION_WORDS[session]}</span>`}
    ${bar.parts < bar.whole && html`<span class="label">
      ${bar === data.bars.at(-1) ? "so far " : ""}${bar.parts} of ${bar.whole} bars
    </span>`}
  </span>`;
}

const WASHED = /** @type {("pre" | "after" | "closed")[]} */ (["pre", "after", "closed"]);

/** What the washes mean, where there are some. @param {{symbol: string}} props */
function Hours({ symbol }) {
  if (!shown.value[hoursKey(symbol)] || !latest("calendar").value) return null;
  const always = symbol.includes("/") || system.value.simulated;
  return html`<p class="session-key hint">
    ${WASHED.map((one) => html`<span key=${one}><i class=${`session-${one}`} aria-hidden="true"></i>${SESSION_WORDS[one]}</span>`)}
    <span>New York${always ? `; ${symbol.includes("/") ? "coins trade" : "the simulated market trades"} through them` : ""}</span>
  </p>`;
}

/** @param {{symbol: string}} props */
export function Chart({ symbol }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const controls = useRef(/** @type {any} */ (null));
  const view = useRef(/** @type {any} */ (null));
  const drawn = useRef("");
  const shared = useMemo(() => /** @type {Shared} */ ({ pointed: signal(""), version: signal(0), moments: new Map() }), [symbol]);
  const [data, setData] = useState(/** @type {any} */ (null));
  const { ready } = system.value;
  const { interval, part } = intervalOf(symbol);
  const open = connection.value.state === "open";
  // Read anew after every reconnect: what happened meanwhile is in the histories.
  useEffect(() => {
    if (!ready || !open) return undefined;
    let gone = false;
    const take = (/** @type {any} */ given) => {
      if (!gone) setData((/** @type {any} */ old) => (given instanceof Error && old?.bars && old.timeframe === interval ? old : given));
    };
    load(symbol, interval, part).then(take, take);
    return () => {
      gone = true;
    };
  }, [symbol, ready, interval, part, open]);
  const chosen = shown.value;
  const generation = colours.value;
  useEffect(() => {
    if (!box.current || !canvas.current || !data?.bars?.length) return undefined;
    let gone = false;
    if (drawn.current !== data.timeframe) {
      view.current = null;
      shared.pointed.value = "";
    }
    drawn.current = data.timeframe;
    shared.moments = moments(data);
    shared.version.value += 1;
    draw(box.current, canvas.current, data, shared, view).then((made) => {
      if (gone) made.stop();
      else controls.current = made;
    }, setData);
    return () => {
      gone = true;
      controls.current?.stop();
      controls.current = null;
    };
  }, [data, generation, chosen, zone.value]);
  return html`<section class="panel chart-panel" aria-label=${`Chart of ${symbol}`}>
    <div class="panel-head"><${Legend} shared=${shared} data=${data} symbol=${symbol} />
      <${Tools} shared=${shared} data=${data} symbol=${symbol} />
    </div>
    <div class="chart-box" ref=${box} role="group" data-loading=${!data}
      aria-label=${`${symbol}, bars of ${interval}: candles, volume and indicators. The same as a table below.`} data-testid="chart"></div>
    ${data instanceof Error && html`<${Empty} title="The chart could not be loaded">${data.message}<//>`}
    ${data && !(data instanceof Error) && !data.bars.length && html`<${Empty} title="No bars yet">
      ${data.base?.length ? `The history begins within the first bar of ${interval}.` : "The chart begins with the first closed bar."}
    <//>`}
    <div class="lanes"><canvas ref=${canvas} aria-hidden="true"></canvas><${LaneLabels} />
      <${Timeline} shared=${shared} data=${data} symbol=${symbol} controls=${controls} />
    </div>
    <${Hours} symbol=${symbol} />
    <${MadeOf} data=${data} />
    ${data?.bars?.length > 0 && html`<${Table} data=${data} symbol=${symbol} shared=${shared} />`}
  </section>`;
}

/** @param {{shared: Shared, data: any, symbol: string}} props */
const Tools = ({ shared, data, symbol }) =>
  html`<div class="chart-tools">
    <${Intervals} symbol=${symbol} data=${data} version=${shared.version.value} /><${Choices} symbol=${symbol} data=${data} />
  </div>`;

/** @param {{data: any, symbol: string, shared: Shared}} props */
const Table = ({ data, symbol, shared }) =>
  html`<${Unfolding} summary="Show as table"
    inside=${() => html`<${AsTable} data=${data} symbol=${symbol} version=${shared.version.value} />`} />`;
