// What the chart draws: bars, indicators, fills and decisions of one symbol, read once and carried on by what arrives.

import { get } from "#app/api.mjs";
import { onFact, system } from "#app/store.mjs";

const BARS = 500;

/** @typedef {{bars: any[], indicators: Map<string, any>, fills: any[], decisions: any[]}} ChartData */

/** Seconds since 1970, as the chart counts. @param {string} at */
export const seconds = (at) => Math.floor(Date.parse(at) / 1_000);

/** @param {string} symbol @param {string} timeframe @returns {Promise<ChartData>} */
export async function load(symbol, timeframe) {
  const [bars, indicators, fills, decisions] = await Promise.all([
    get("bars", { symbol, timeframe, limit: BARS }),
    get("facts/indicators", { symbol, limit: BARS }),
    get("facts/fill", { symbol, limit: 200 }),
    get("facts/decision", { symbol, limit: 300 }),
  ]);
  const own = indicators.facts.filter((/** @type {any} */ fact) => fact.timeframe === timeframe);
  return {
    bars: bars.bars,
    indicators: new Map(own.map((/** @type {any} */ fact) => [fact.at, fact.values])),
    fills: fills.facts,
    decisions: decisions.facts.reverse(),
  };
}

/**
 * Calls back with the data whenever it has grown.
 * @param {ChartData} data
 * @param {string} symbol
 * @param {(what: string, fact: any) => void} grown
 */
export function follow(data, symbol, grown) {
  return onFact((topic, fact) => {
    if (fact.symbol !== symbol) return;
    const timeframe = system.peek().timeframe;
    if (topic === "bar" && fact.timeframe === timeframe && fact.at > (data.bars.at(-1)?.at ?? "")) data.bars.push(fact);
    else if (topic === "indicators" && fact.timeframe === timeframe) data.indicators.set(fact.at, fact.values);
    else if (topic === "fill" && !data.fills.some(({ id }) => id === fact.id)) data.fills.push(fact);
    else if (topic === "decision") data.decisions.push(fact);
    else return;
    grown(topic, fact);
  });
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

/** Decisions to buy or sell that differ from the one before. @param {any[]} decisions oldest first */
export const turns = (decisions) => decisions.filter(({ action }, at) => action !== "hold" && action !== decisions[at - 1]?.action);

/**
 * Marks on the candles: fills as arrows, decisions as dots.
 * @param {ChartData} data
 * @param {{up: string, down: string, quiet: string}} colours
 */
export function marks({ bars, fills, decisions }, colours) {
  const filled = fills.map((fill) => ({
    bar: barOf(bars, fill.at),
    position: fill.side === "buy" ? "belowBar" : "aboveBar",
    shape: fill.side === "buy" ? "arrowUp" : "arrowDown",
    color: fill.side === "buy" ? colours.up : colours.down,
    text: fill.side === "buy" ? "Buy" : "Sell",
    size: 1.2,
  }));
  const decided = turns(decisions).map((decision) => ({
    bar: bars.find(({ at }) => at === decision.at) ?? null,
    position: decision.action === "buy" ? "belowBar" : "aboveBar",
    shape: "circle",
    color: colours.quiet,
    text: "",
    size: 0.4,
  }));
  return [...decided, ...filled]
    .filter(({ bar }) => bar)
    .map(({ bar, ...mark }) => ({ ...mark, time: seconds(bar.at) }))
    .sort((a, b) => a.time - b.time);
}
