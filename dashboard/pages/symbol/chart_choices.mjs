// What is chosen to be seen in a chart, remembered by the browser: the interval of its bars, and the indicators.

import { html } from "#app/html.mjs";
import { preference } from "#app/preferences.mjs";
import { keysOf, system } from "#app/store.mjs";
import { sessionsOf } from "./chart_data.mjs";
import { byLength, madeOf, offered } from "./intervals.mjs";

export const shown = preference("chart", /** @type {Record<string, boolean>} */ ({ ema: true, rsi: true, hours: true }));
/** Empty: the trading timeframe, whatever it is. */
const interval = preference("interval", "");
const CHOICES = [
  ["ema", "EMA"],
  ["sma", "SMA"],
  ["bollinger", "Bollinger"],
  ["rsi", "RSI"],
  ["macd", "MACD"],
  ["stochastic", "Stochastic"],
  ["adx", "ADX"],
  ["atr", "ATR"],
];
const TITLES = /** @type {Record<string, string>} */ ({ ema: "Averages of 20 and 50 bars", sma: "Plain averages of 50 and 200 bars" });
const KEYS = /** @type {Record<string, string>} */ ({ "1m": "1", "5m": "5", "1h": "h", "4h": "4", "1d": "d" });

/** Coins trade round the clock: the exchange's hours are shown with them when asked for. @param {string} symbol */
export const hoursKey = (symbol) => (symbol.includes("/") ? "hours_crypto" : "hours");

/** Timeframes that Redis has bars of; the trading one always. @param {string} symbol */
function storedOf(symbol) {
  const found = keysOf("bar").filter((key) => key.startsWith(`${symbol}|`)).map((key) => key.slice(symbol.length + 1));
  return [...new Set([system.value.timeframe, ...found])];
}

/** The interval that is shown and of which bars it is made: the chosen one, where it can be had. @param {string} symbol */
export function intervalOf(symbol) {
  const { timeframe } = system.value;
  const part = interval.value && madeOf(interval.value, storedOf(symbol), sessionsOf(symbol));
  return part ? { interval: interval.value, part } : { interval: timeframe, part: timeframe };
}

/** @param {{symbol: string, data: any, version: number}} props `version` grows with the data */
export function Intervals({ symbol, data }) {
  const { timeframe } = system.value;
  const stored = storedOf(symbol);
  const now = intervalOf(symbol).interval;
  const bars = data?.base ?? data?.bars ?? [];
  const list = [...new Set([...offered(stored, bars, sessionsOf(symbol)), now])].sort(byLength);
  if (list.length < 2) return null;
  return html`<div class="chips" role="group" aria-label="Interval">
    ${list.map((one) => html`<button key=${one} type="button" class="chip" aria-pressed=${one === now} data-key=${KEYS[one]}
      title=${stored.includes(one) ? undefined : `Made of bars of ${madeOf(one, stored, sessionsOf(symbol))}`}
      onClick=${() => (interval.value = one === timeframe ? "" : one)}>${one}</button>`)}
  </div>`;
}

/** @param {{symbol: string, data: any}} props */
export function Choices({ symbol, data }) {
  const chosen = shown.value;
  const hours = hoursKey(symbol);
  const none = data?.base ? `Indicators are of bars of ${data.base[0]?.timeframe}; of ${data.timeframe} there are none` : "";
  const list = [...CHOICES, [hours, "NYSE hours"]];
  return html`<div class="chips chips-wrap" role="group" aria-label="Shown in the chart">
    ${list.map(([name, text]) => html`<button key=${name} type="button" class="chip" aria-pressed=${Boolean(chosen[name])}
      disabled=${none !== "" && name !== hours} title=${(name !== hours && none) || TITLES[name]}
      onClick=${() => (shown.value = { ...chosen, [name]: !chosen[name] })}>
      ${text}
    </button>`)}
  </div>`;
}

/** What stands under a chart of bars that were made here. @param {{data: any}} props */
export function MadeOf({ data }) {
  if (!data?.base) return null;
  const part = data.base[0]?.timeframe ?? "";
  return html`<p class="hint" data-testid="made-of">
    Bars of ${data.timeframe} are made of those of ${part}, the newest of what there is so far. Indicators are of bars of ${part} and are
    not shown here; where several decisions fell into one bar, its column tells of the newest.
  </p>`;
}
