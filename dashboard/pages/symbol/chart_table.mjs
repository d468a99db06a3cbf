// The chart as a table, and all of it as a file.

import { SaveButton } from "#app/components/save_button.mjs";
import { number, price, reading, time, timeInFull } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { indicatorName } from "#app/words.mjs";
import { shownAt, valueAt } from "./chart_data.mjs";

const ROWS = 60;
const PRICES = ["open", "high", "low", "close"];
const SHOWN = ["rsi", "macd", "ema_20", "ema_50"];

/** @param {import("./chart_data.mjs").ChartData} data */
export function columnsOf({ columns, indicators }) {
  const named = new Set([...Object.keys(columns.values), ...[...indicators.values()].flatMap((values) => Object.keys(values))]);
  return [...named].sort();
}

/** The newest of each bar that is shown. @param {import("./chart_data.mjs").ChartData} data */
function decisionsOf(data) {
  const place = shownAt(data);
  return new Map(data.decisions.map((one) => [place(one.at), one]));
}

/** A row a bar: prices, every indicator, and what was decided. @param {import("./chart_data.mjs").ChartData} data */
export function rowsOf(data) {
  const names = columnsOf(data);
  const decided = decisionsOf(data);
  return data.bars.map((bar) => ({
    close_at: bar.at,
    ...Object.fromEntries([...PRICES, "volume"].map((name) => [name, bar[name]])),
    ...Object.fromEntries(names.map((name) => [name, valueAt(data, bar.at, name)])),
    decision: decided.get(bar.at)?.action,
    score: decided.get(bar.at)?.score,
  }));
}

/** @param {import("./chart_data.mjs").ChartData} data */
export const columnsOfFile = (data) => ["close_at", ...PRICES, "volume", ...columnsOf(data), "decision", "score"];

/** @param {{data: import("./chart_data.mjs").ChartData, symbol: string, version: number}} props `version` grows with the data */
export function AsTable({ data, symbol }) {
  const bars = data.bars.slice(-ROWS).reverse();
  const decided = decisionsOf(data);
  return html`<div class="table-tools">
      <span class="hint">The newest ${bars.length} of ${data.bars.length} bars; the file has all of them and every indicator.</span>
      <${SaveButton} what=${`bars ${symbol} ${data.timeframe}`} columns=${columnsOfFile(data)} rows=${() => rowsOf(data)} />
    </div>
    <div class="table-scroll table-tall" tabindex="0" role="group" aria-label="Bars">
      <table class="table table-tight">
        <thead>
          <tr>
            <th scope="col">Close at</th>
            ${["Open", "High", "Low", "Close", "Volume", ...SHOWN.map(indicatorName)].map(
              (name) => html`<th key=${name} scope="col" class="num">${name}</th>`,
            )}
            <th scope="col">Decision</th>
          </tr>
        </thead>
        <tbody>
          ${bars.map((bar) => html`<tr key=${bar.at}>
            <th scope="row"><time datetime=${bar.at} title=${timeInFull(bar.at)}>${time(bar.at)}</time></th>
            ${PRICES.map((name) => html`<td key=${name} class="num">${price(bar[name], symbol)}</td>`)}
            <td class="num">${number(bar.volume, 2)}</td>
            ${SHOWN.map((name) => html`<td key=${name} class="num">${reading(valueAt(data, bar.at, name))}</td>`)}
            <td>${decided.get(bar.at)?.action ?? ""}</td>
          </tr>`)}
        </tbody>
      </table>
    </div>`;
}
