// What the chart draws: bars, indicators, and everything that was thought and done about one symbol; read once and carried on by what
// arrives.

import { get } from "#app/api.mjs";
import { latest, onFact, system } from "#app/store.mjs";
import { OPEN_ORDER } from "#app/words.mjs";
import { longer } from "./intervals.mjs";

const BARS = 500;
const MOST_BARS = 2_000;
const KEPT = 1_500;

/**
 * `columns` are the indicators as read, by bar; `indicators` those that came since. Lists are oldest first. `base` are the bars that those
 * shown are made of, null where they are shown as they are.
 * @typedef {{symbol: string, timeframe: string, bars: any[], base: null | any[],
 *   columns: {at: Map<string, number>, values: Record<string, (number | null)[]>}, indicators: Map<string, any>,
 *   fills: any[], decisions: any[], signals: any[], outcomes: any[], orders: any[]}} ChartData
 */

/** Seconds since 1970, as the chart counts. @param {string} at */
export const seconds = (at) => Math.floor(Date.parse(at) / 1_000);

/** @param {string} topic @param {string} symbol @param {number} limit */
const history = async (topic, symbol, limit) => (await get(`facts/${topic}`, { symbol, limit })).facts.reverse();

/** Where a stock's sessions begin and end; null for what trades round the clock, as all that is simulated does. @param {string} symbol */
export const sessionsOf = (symbol) =>
  symbol.includes("/") || system.peek().simulated ? null : (latest("calendar").peek()?.days ?? null);

const NO_LINES = { at: [], values: {} };

/** @param {string} symbol @param {string} interval @param {string} part of which bars it is made @returns {Promise<ChartData>} */
export async function load(symbol, interval, part) {
  const made = part !== interval;
  const [{ bars }, lines, fills, decisions, signals, outcomes, orders] = await Promise.all([
    get("bars", { symbol, timeframe: part, limit: made ? MOST_BARS : BARS }),
    // Candles without lines are still candles.
    made ? NO_LINES : get("lines", { symbol, timeframe: part, limit: BARS }).catch(() => NO_LINES),
    history("fill", symbol, 200),
    history("decision", symbol, 300),
    history("signal", symbol, 600),
    history("outcome", symbol, 400),
    history("order", symbol, 400),
  ]);
  const at = new Map(lines.at.map((/** @type {string} */ one, /** @type {number} */ place) => [one, place]));
  const columns = { at, values: lines.values };
  const shown = made ? { bars: longer(bars, interval, sessionsOf(symbol)), base: bars } : { bars, base: null };
  return { symbol, timeframe: interval, ...shown, columns, indicators: new Map(), fills, decisions, signals, outcomes, orders };
}

/** Null where the bar has no such value. @param {ChartData} data @param {string} at @param {string} name @returns {number | null} */
export function valueAt({ columns, indicators }, at, name) {
  const live = indicators.get(at);
  if (live) return live[name] ?? null;
  const place = columns.at.get(at);
  return place === undefined ? null : (columns.values[name]?.[place] ?? null);
}

/** @param {any[]} list @param {any} fact */
function append(list, fact) {
  if (list.some(({ id }) => id === fact.id)) return false;
  list.push(fact);
  if (list.length > MOST_BARS) list.splice(0, list.length - KEPT);
  return true;
}

/** Takes one fact in. False where it changes nothing. @param {ChartData} data @param {string} topic @param {any} fact */
export function grow(data, topic, fact) {
  if (fact.symbol !== data.symbol) return false;
  if (topic === "bar" && data.base) {
    const last = data.base.at(-1);
    if (fact.timeframe !== last?.timeframe || fact.at <= last.at || !append(data.base, fact)) return false;
    data.bars = longer(data.base, data.timeframe, sessionsOf(data.symbol));
    return true;
  }
  if (topic === "bar" || topic === "indicators") {
    if (data.base || fact.timeframe !== data.timeframe) return false;
    if (topic === "indicators") return Boolean(data.indicators.set(fact.at, fact.values));
    return fact.at > (data.bars.at(-1)?.at ?? "") && append(data.bars, fact);
  }
  const list = { fill: data.fills, decision: data.decisions, signal: data.signals, outcome: data.outcomes, order: data.orders }[topic];
  return list ? append(list, fact) : false;
}

/**
 * Calls back when the data has grown, once for all that came together, with the topics that it was.
 * @param {ChartData} data
 * @param {(topics: Set<string>) => void} grown
 */
export function follow(data, grown) {
  let topics = new Set();
  let over = false;
  const tell = () => {
    const now = topics;
    topics = new Set();
    if (!over) grown(now);
  };
  const stop = onFact((topic, fact) => {
    if (!grow(data, topic, fact)) return;
    if (!topics.size) queueMicrotask(tell);
    topics.add(topic);
  });
  return () => {
    over = true;
    stop();
  };
}

/** The bar during which something happened; null before the first. Bars are named by their close. @param {any[]} bars @param {string} at */
export function barOf(bars, at) {
  if (!bars.length) return null;
  let low = 0;
  let high = bars.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Date.parse(bars[middle].at) < Date.parse(at)) low = middle + 1;
    else high = middle;
  }
  return low === 0 && Date.parse(at) < Date.parse(bars[0].at) - 86_400_000 ? null : bars[low];
}

/**
 * By which bar that is shown something stands that is named by the close of its own; null before the first.
 * @param {Pick<ChartData, "bars" | "base">} data @returns {(at: string) => string | null}
 */
export function shownAt({ bars, base }) {
  if (!base) return (at) => at;
  return (at) => {
    const bar = barOf(bars, at);
    return bar && Date.parse(at) / 1_000 > bar.begins ? bar.at : null;
  };
}

/** Decisions to buy or sell that differ from the one before. @param {any[]} decisions oldest first */
export const turns = (decisions) => decisions.filter(({ action }, at) => action !== "hold" && action !== decisions[at - 1]?.action);

/** The newest state of each order. @param {any[]} orders oldest first */
export const newestStates = (orders) => [...new Map(orders.map((order) => [order.order_id, order])).values()];

/** Orders that ended with nothing done. @param {any[]} orders */
const idle = (orders) =>
  newestStates(orders).filter(({ status, filled_quantity: filled }) => !OPEN_ORDER.has(status) && status !== "filled" && !Number(filled));

/**
 * Marks on the candles: fills as arrows, decisions as dots, orders that were refused or withdrawn as squares.
 * @param {Pick<ChartData, "bars" | "base" | "fills" | "decisions" | "orders">} data
 * @param {{up: string, down: string, quiet: string}} colours
 */
export function marks({ bars, base, fills, decisions, orders }, colours) {
  const place = shownAt({ bars, base });
  const filled = fills.map((fill) => ({
    bar: barOf(bars, fill.at),
    position: fill.side === "buy" ? "belowBar" : "aboveBar",
    shape: fill.side === "buy" ? "arrowUp" : "arrowDown",
    color: fill.side === "buy" ? colours.up : colours.down,
    text: fill.side === "buy" ? "Buy" : "Sell",
    size: 1.2,
  }));
  const decided = turns(decisions).map((decision) => ({
    bar: bars.find(({ at }) => at === place(decision.at)) ?? null,
    position: decision.action === "buy" ? "belowBar" : "aboveBar",
    shape: "circle",
    color: colours.quiet,
    text: "",
    size: 0.4,
  }));
  const withdrawn = idle(orders).map((order) => ({
    bar: barOf(bars, order.submitted_at ?? order.at),
    position: order.terms.side === "buy" ? "belowBar" : "aboveBar",
    shape: "square",
    color: order.status === "rejected" ? colours.down : colours.quiet,
    text: order.status === "rejected" ? "Rejected" : "",
    size: 0.5,
  }));
  return [...decided, ...withdrawn, ...filled]
    .filter(({ bar }) => bar)
    .map(({ bar, ...mark }) => ({ ...mark, time: seconds(bar.at) }))
    .sort((a, b) => a.time - b.time);
}

/**
 * Prices that stand in the market for us: working orders that are not the position's own stop and target.
 * @param {any[]} orders newest states
 * @param {any} position
 */
export function workingPrices(orders, position) {
  const known = new Set([position?.stop_price, position?.target_price].filter(Boolean).map(Number));
  return orders
    .filter(({ status }) => OPEN_ORDER.has(status))
    .flatMap(({ terms }) =>
      [
        [terms.limit_price, "limit"],
        [terms.stop_price, "stop"],
      ]
        .filter(([at]) => at && !known.has(Number(at)))
        .map(([at, kind]) => ({ price: Number(at), title: `${terms.side} ${kind}`, side: terms.side })),
    );
}
