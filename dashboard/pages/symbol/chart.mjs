// Candles with volume, indicators over and under them, fills and decisions marked, the position's prices as lines.

import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { Empty } from "#app/components/figures.mjs";
import { number, price, priceDecimals, time, timeInFull } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { preference } from "#app/preferences.mjs";
import { held } from "#app/standing.mjs";
import { latest, system } from "#app/store.mjs";
import { colour, colours } from "#app/theme.mjs";
import { follow, load, marks, seconds } from "./chart_data.mjs";

const shown = preference("chart", { ema: true, bollinger: false, rsi: true, macd: false });
const CHOICES = /** @type {[keyof typeof shown.value, string][]} */ ([
  ["ema", "EMA 20 · 50"],
  ["bollinger", "Bollinger"],
  ["rsi", "RSI"],
  ["macd", "MACD"],
]);
const DEFAULT_BARS = 120;

/** Lines by group: name of the value, colour token, pane. @type {Record<string, [string, string, number][]>} */
const LINES = {
  ema: [
    ["ema_20", "--chart-1", 0],
    ["ema_50", "--chart-2", 0],
  ],
  bollinger: [
    ["bollinger_upper", "--chart-3", 0],
    ["bollinger_middle", "--chart-3", 0],
    ["bollinger_lower", "--chart-3", 0],
  ],
};

/** @param {string} symbol @param {any} data */
function palette(symbol, data) {
  const text = colour("--text-3");
  const line = colour("--line");
  const decimals = priceDecimals(data.bars.at(-1)?.close ?? 1, symbol);
  return { symbol, text, line, up: colour("--up-solid"), down: colour("--down-solid"), quiet: colour("--control"), decimals };
}

/** @param {any} library @param {HTMLElement} box @param {any} tones */
function frame(library, box, tones) {
  return library.createChart(box, {
    autoSize: true,
    layout: {
      background: { color: "transparent" },
      textColor: tones.text,
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
      attributionLogo: false,
      panes: { separatorColor: tones.line },
    },
    grid: { vertLines: { color: tones.line }, horzLines: { color: tones.line } },
    rightPriceScale: { borderColor: tones.line },
    timeScale: {
      borderColor: tones.line,
      timeVisible: true,
      secondsVisible: system.peek().timeframe.endsWith("s"),
      rightOffset: 4,
      tickMarkFormatter: (/** @type {number} */ at, /** @type {number} */ kind) =>
        kind < 3
          ? new Date(at * 1_000).toLocaleDateString(undefined, { day: "numeric", month: "short" })
          : time(at * 1_000)
              .replace(/^.*? (?=\d\d:)/, "")
              .replace(kind === 3 ? /:\d\d$/ : /^$/, ""),
    },
    localization: { timeFormatter: (/** @type {number} */ at) => timeInFull(at * 1_000).split(" · ")[0] },
    crosshair: { mode: 0 },
  });
}

/** @param {any} library @param {any} chart @param {any} data @param {any} tones */
function candles(library, chart, data, tones) {
  const { up, down, decimals } = tones;
  const series = chart.addSeries(library.CandlestickSeries, {
    upColor: up,
    downColor: down,
    borderVisible: false,
    wickUpColor: up,
    wickDownColor: down,
    priceFormat: { type: "custom", minMove: 10 ** -decimals, formatter: (/** @type {number} */ value) => price(value, tones.symbol) },
  });
  const volume = chart.addSeries(library.HistogramSeries, {
    priceFormat: { type: "volume" },
    priceScaleId: "volume",
    lastValueVisible: false,
    priceLineVisible: false,
  });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  const draw = () => {
    series.setData(
      data.bars.map((/** @type {any} */ bar) => ({
        time: seconds(bar.at),
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
      })),
    );
    volume.setData(
      data.bars.map((/** @type {any} */ bar) => ({
        time: seconds(bar.at),
        value: bar.volume,
        color: `${bar.close >= bar.open ? up : down}`.replace("rgb(", "rgba(").replace(")", ", 0.28)"),
      })),
    );
  };
  draw();
  return { series, draw };
}

/** @param {any} data @param {string} name */
const valuesOf = (data, name) =>
  data.bars.flatMap((/** @type {any} */ bar) => {
    const value = data.indicators.get(bar.at)?.[name];
    return value === undefined ? [] : [{ time: seconds(bar.at), value }];
  });

/** @param {any} library @param {any} chart @param {any} data @param {any} tones @returns {() => void} draws the values anew */
function indicators(library, chart, data, tones) {
  const chosen = shown.peek();
  /** @type {[any, string][]} */
  const lines = [];
  const add = (/** @type {string} */ name, /** @type {string} */ token, /** @type {number} */ pane, more = {}) => {
    const series = chart.addSeries(
      library.LineSeries,
      { color: colour(token), lineWidth: 1, priceLineVisible: false, lastValueVisible: pane > 0, crosshairMarkerVisible: false, ...more },
      pane,
    );
    lines.push([series, name]);
    return series;
  };
  for (const group of ["ema", "bollinger"])
    if (chosen[/** @type {"ema"} */ (group)]) for (const [name, token, pane] of LINES[group]) add(name, token, pane);
  let pane = 1;
  if (chosen.rsi) {
    const rsi = add("rsi", "--chart-1", pane, {
      lineWidth: 1.5,
      autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 100 } }),
    });
    rsi.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.06 } });
    for (const level of [30, 70])
      rsi.createPriceLine({ price: level, color: tones.text, lineWidth: 1, lineStyle: 2, axisLabelVisible: false });
    pane += 1;
  }
  if (chosen.macd) {
    lines.push([
      chart.addSeries(library.HistogramSeries, { color: colour("--chart-3"), priceLineVisible: false, lastValueVisible: false }, pane),
      "macd_histogram",
    ]);
    add("macd", "--chart-1", pane);
    add("macd_signal", "--chart-2", pane);
    pane += 1;
  }
  chart.panes().forEach((/** @type {any} */ one, /** @type {number} */ at) => one.setStretchFactor(at ? 1 : 3.4));
  const draw = () => {
    for (const [series, name] of lines) series.setData(valuesOf(data, name));
  };
  draw();
  return draw;
}

/** Average, stop and target of the position as lines. @param {any} series @param {string} symbol @param {any} tones */
function positionLines(series, symbol, tones) {
  /** @type {any[]} */
  let lines = [];
  return effect(() => {
    const position = latest("position", symbol).value;
    for (const line of lines) series.removePriceLine(line);
    const wanted = held(position)
      ? [
          ["average", position.average_price, colour("--accent")],
          ["stop", position.stop_price, tones.down],
          ["target", position.target_price, tones.up],
        ]
      : [];
    lines = wanted
      .filter(([, at]) => at)
      .map(([title, at, color]) => series.createPriceLine({ price: Number(at), title, color, lineWidth: 1, lineStyle: 2 }));
  });
}

/** @param {HTMLElement} box @param {string} symbol @param {any} data @param {(bar: any) => void} point */
async function draw(box, symbol, data, point) {
  const library = await import("lightweight-charts");
  const tones = palette(symbol, data);
  const chart = frame(library, box, tones);
  const { series, draw: drawCandles } = candles(library, chart, data, tones);
  const drawIndicators = indicators(library, chart, data, tones);
  const marked = library.createSeriesMarkers(series, /** @type {any} */ (marks(data, tones)));
  chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, data.bars.length - DEFAULT_BARS), to: data.bars.length + 4 });
  const stopLines = positionLines(series, symbol, tones);
  const stopFollowing = follow(data, symbol, (topic) => {
    if (topic === "bar") drawCandles();
    if (topic === "indicators") drawIndicators();
    marked.setMarkers(/** @type {any} */ (marks(data, tones)));
  });
  chart.subscribeCrosshairMove((/** @type {any} */ event) =>
    point(data.bars.find((/** @type {any} */ bar) => seconds(bar.at) === event.time) ?? null),
  );
  return () => {
    stopFollowing();
    stopLines();
    chart.remove();
  };
}

/** @param {{bar: any, symbol: string}} props */
function Legend({ bar, symbol }) {
  if (!bar) return null;
  const figure = (/** @type {string} */ name, /** @type {number} */ value) =>
    html`<span><span class="label">${name}</span> ${price(value, symbol)}</span>`;
  return html`<span class="chart-legend figure">
    ${figure("O", bar.open)}
    ${figure("H", bar.high)}
    ${figure("L", bar.low)}
    ${figure("C", bar.close)}
    <span><span class="label">Vol</span> ${number(bar.volume, 2)}</span>
  </span>`;
}

/** @param {{data: any, symbol: string}} props */
function AsTable({ data, symbol }) {
  const bars = data.bars.slice(-40).reverse();
  return html`<details class="as-table">
    <summary>Show as table</summary>
    <div class="table-scroll" tabindex="0" role="group" aria-label="Bars">
      <table class="table table-tight">
        <thead>
          <tr>
            <th scope="col">Close at</th>
            ${["Open", "High", "Low", "Close", "Volume", "RSI"].map((name) => html`<th key=${name} scope="col" class="num">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${bars.map((/** @type {any} */ bar) => html`<tr key=${bar.at}>
            <th scope="row"><time datetime=${bar.at} title=${timeInFull(bar.at)}>${time(bar.at)}</time></th>
            ${["open", "high", "low", "close"].map((name) => html`<td key=${name} class="num">${price(bar[name], symbol)}</td>`)}
            <td class="num">${number(bar.volume, 2)}</td>
            <td class="num">${number(data.indicators.get(bar.at)?.rsi, 1)}</td>
          </tr>`)}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** @param {{symbol: string}} props */
export function Chart({ symbol }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [data, setData] = useState(/** @type {any} */ (null));
  const [bar, setBar] = useState(/** @type {any} */ (null));
  const { ready, timeframe } = system.value;
  const chosen = shown.value;
  const generation = colours.value;
  useEffect(() => {
    if (ready) load(symbol, timeframe).then(setData, setData);
  }, [symbol, ready, timeframe]);
  useEffect(() => {
    if (!box.current || !data?.bars?.length) return undefined;
    let gone = false;
    /** @type {(() => void) | undefined} */
    let stop;
    draw(box.current, symbol, data, setBar).then((made) => {
      if (gone) made();
      else stop = made;
    }, setData);
    return () => {
      gone = true;
      stop?.();
    };
  }, [data, generation, chosen]);
  const last = latest("bar", symbol, timeframe).value;
  return html`<section class="panel chart-panel" aria-label=${`Chart of ${symbol}`}>
    <div class="panel-head">
      <${Legend} bar=${bar ?? last} symbol=${symbol} />
      <div class="chips" role="group" aria-label="Indicators">
        ${CHOICES.map(([name, text]) => html`<button key=${name} type="button" class="chip" aria-pressed=${chosen[name]}
          onClick=${() => (shown.value = { ...chosen, [name]: !chosen[name] })}>
          ${text}
        </button>`)}
      </div>
    </div>
    <div class="chart-box" ref=${box} role="group"
      aria-label=${`${symbol}, bars of ${timeframe}: candles, volume and indicators. The same as a table below.`} data-testid="chart"></div>
    ${data instanceof Error && html`<${Empty} title="The chart could not be loaded">${data.message}<//>`}
    ${data && !(data instanceof Error) && !data.bars.length && html`<${Empty} title="No bars yet">
      The chart begins with the first closed bar.
    <//>`}
    ${data?.bars?.length > 0 && html`<${AsTable} data=${data} symbol=${symbol} />`}
  </section>`;
}
