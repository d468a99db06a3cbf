// What stands in the chart: candles and volume, indicators over and under them, prices of the position and of working orders.

import { effect } from "@preact/signals";
import { price, priceDecimals } from "#app/format.mjs";
import { held } from "#app/standing.mjs";
import { all, latest } from "#app/store.mjs";
import { colour } from "#app/theme.mjs";
import { seconds, valueAt, workingPrices } from "./chart_data.mjs";
import { pointedTime, scaleOfZone, tick } from "./time_scale.mjs";

/** Lines by group: name of the value, colour token. @type {Record<string, [string, string][]>} */
const OVER = {
  ema: [
    ["ema_20", "--chart-1"],
    ["ema_50", "--chart-2"],
  ],
  sma: [
    ["sma_50", "--chart-2"],
    ["sma_200", "--chart-3"],
  ],
  bollinger: [
    ["bollinger_upper", "--chart-3"],
    ["bollinger_middle", "--chart-3"],
    ["bollinger_lower", "--chart-3"],
  ],
};
/** @type {Record<string, {lines: [string, string][], columns?: [string, string], levels?: number[], range?: [number, number]}>} */
const UNDER = {
  rsi: { lines: [["rsi", "--chart-1"]], levels: [30, 70], range: [0, 100] },
  macd: {
    lines: [
      ["macd", "--chart-1"],
      ["macd_signal", "--chart-2"],
    ],
    columns: ["macd_histogram", "--chart-3"],
  },
  stochastic: {
    lines: [
      ["stochastic_k", "--chart-1"],
      ["stochastic_d", "--chart-2"],
    ],
    levels: [20, 80],
    range: [0, 100],
  },
  adx: { lines: [["adx", "--chart-1"]], levels: [25] },
  atr: { lines: [["atr", "--chart-1"]] },
};

/** @param {string} symbol @param {any} data */
export function palette(symbol, data) {
  const decimals = priceDecimals(data.bars.at(-1)?.close ?? 1, symbol);
  const tones = { text: colour("--text-3"), line: colour("--line"), quiet: colour("--control") };
  return { symbol, decimals, ...tones, up: colour("--up-solid"), down: colour("--down-solid"), accent: colour("--accent") };
}

/** @param {any} library @param {HTMLElement} box @param {any} tones @param {boolean} fine whether bars are shorter than a minute */
export function frame(library, box, tones, fine) {
  return library.createChartEx(box, scaleOfZone(library), {
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
    rightPriceScale: { borderColor: tones.line, minimumWidth: 74 },
    timeScale: {
      borderColor: tones.line,
      timeVisible: true,
      secondsVisible: fine,
      rightOffset: 4,
      tickMarkFormatter: tick,
      // Seconds are eight letters and rare: kept room for, they would push minutes apart until odd seconds stand between them.
      tickMarkMaxCharacterLength: 6,
    },
    localization: { dateFormat: "dd MMM 'yy", timeFormatter: pointedTime },
    crosshair: { mode: 0 },
  });
}

/** @param {any} library @param {any} chart @param {any} data @param {any} tones */
export function candles(library, chart, data, tones) {
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
      data.bars.map((/** @type {any} */ { at, open, high, low, close }) => ({ time: seconds(at), open, high, low, close })),
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

/** Gaps stay gaps. @param {any} data @param {string} name */
const valuesOf = (data, name) =>
  data.bars.map((/** @type {any} */ bar) => {
    const value = valueAt(data, bar.at, name);
    return value === null ? { time: seconds(bar.at) } : { time: seconds(bar.at), value };
  });

const LINE = { lineWidth: 1, priceLineVisible: false, crosshairMarkerVisible: false };

/**
 * @param {any} library
 * @param {any} chart
 * @param {any} data
 * @param {any} tones
 * @param {Record<string, boolean>} chosen
 * @returns {() => void} draws the values anew
 */
export function indicators(library, chart, data, tones, chosen) {
  /** @type {[any, string][]} */
  const lines = [];
  const add = (/** @type {string} */ name, /** @type {string} */ token, /** @type {number} */ pane, more = {}) => {
    const series = chart.addSeries(library.LineSeries, { ...LINE, color: colour(token), lastValueVisible: pane > 0, ...more }, pane);
    lines.push([series, name]);
    return series;
  };
  for (const [group, list] of Object.entries(OVER)) if (chosen[group]) for (const [name, token] of list) add(name, token, 0);
  let pane = 0;
  for (const [group, { lines: list, columns, levels = [], range }] of Object.entries(UNDER)) {
    if (!chosen[group]) continue;
    pane += 1;
    if (columns) {
      const shape = { color: colour(columns[1]), priceLineVisible: false, lastValueVisible: false };
      lines.push([chart.addSeries(library.HistogramSeries, shape, pane), columns[0]]);
    }
    const whole = range && { autoscaleInfoProvider: () => ({ priceRange: { minValue: range[0], maxValue: range[1] } }) };
    const made = list.map(([name, token]) => add(name, token, pane, { lineWidth: 1.5, ...whole }));
    made[0].priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.08 } });
    for (const level of levels)
      made[0].createPriceLine({ price: level, color: tones.text, lineWidth: 1, lineStyle: 2, axisLabelVisible: false });
  }
  chart.panes().forEach((/** @type {any} */ one, /** @type {number} */ at) => one.setStretchFactor(at ? 1 : 3.4));
  const draw = () => {
    for (const [series, name] of lines) series.setData(valuesOf(data, name));
  };
  draw();
  return draw;
}

/**
 * The position's average, stop and target, and the prices of working orders, as lines.
 * @param {any} series
 * @param {string} symbol
 * @param {any} tones
 */
export function priceLines(series, symbol, tones) {
  /** @type {any[]} */
  let lines = [];
  let drawn = "";
  return effect(() => {
    const position = latest("position", symbol).value;
    const own = all("order").filter((order) => order.symbol === symbol);
    const standing = held(position)
      ? [
          { title: "average", price: position.average_price, color: tones.accent, lineStyle: 2 },
          { title: "stop", price: position.stop_price, color: tones.down, lineStyle: 2 },
          { title: "target", price: position.target_price, color: tones.up, lineStyle: 2 },
        ]
      : [];
    const toned = (/** @type {string} */ side) => (side === "buy" ? tones.up : tones.down);
    const working = workingPrices(own, position).map(({ side, ...one }) => ({ ...one, color: toned(side), lineStyle: 1 }));
    const wanted = [...standing, ...working].filter((one) => one.price).map((one) => ({ ...one, price: Number(one.price), lineWidth: 1 }));
    // A position is told anew with every price; its lines stay.
    const text = JSON.stringify(wanted);
    if (text === drawn) return;
    drawn = text;
    for (const line of lines) series.removePriceLine(line);
    lines = wanted.map((one) => series.createPriceLine(one));
  });
}
