// How old the data is, symbol by symbol, and which of it is older than it may be.

import { computed } from "@preact/signals";
import { ageSeconds, second } from "./clock.mjs";
import { timeframeSeconds } from "./format.mjs";
import { latest, system } from "./store.mjs";

const GRACE_SECONDS = 10;

/** @typedef {{symbol: string, session: string, age: number | null, limit: number}} Freshness */

/** In session, where prices move. @param {string} session */
export const moving = (session) => session === "regular" || session === "always";

/**
 * A bar follows a bar: older than two of them, or than two polls of the plan, is stale.
 * @param {string} symbol
 * @param {any} market
 * @param {string} timeframe
 */
export function staleAfter(symbol, market, timeframe) {
  const poll = market?.freshness?.[symbol]?.poll_seconds ?? 0;
  return 2 * Math.max(timeframeSeconds(timeframe), poll) + GRACE_SECONDS;
}

/** @param {string} symbol @param {any} market */
export const sessionOf = (symbol, market) =>
  symbol.includes("/") ? (market?.crypto?.session ?? "always") : (market?.stocks?.session ?? "always");

/** Fresh, stale or without data; outside its session a symbol may be as old as it likes. @param {Freshness} one */
export function stateOf({ session, age, limit }) {
  if (age === null) return "none";
  // A simulated market is open while the real one is closed: what comes fresh is fresh.
  if (age <= limit) return "fresh";
  return moving(session) ? "stale" : "closed";
}

/** One look a second, whatever arrives in between. */
export const freshness = computed(() => {
  const now = second.value;
  const { symbols, timeframe } = system.value;
  const market = latest("market").peek();
  return symbols.map((symbol) => {
    const bar = latest("bar", symbol, timeframe).peek() ?? latest("indicators", symbol, timeframe).peek();
    return /** @type {Freshness} */ ({
      symbol,
      session: sessionOf(symbol, market),
      age: ageSeconds(bar?.at, now),
      limit: staleAfter(symbol, market, timeframe),
    });
  });
});

/** @param {Freshness[]} list */
export function summary(list) {
  const states = list.map((one) => ({ ...one, state: stateOf(one) }));
  const stale = states.filter(({ state }) => state === "stale");
  const ages = states.filter(({ state }) => state === "fresh" || state === "stale").map(({ age }) => /** @type {number} */ (age));
  const without = states.filter(({ state }) => state === "none").length;
  const state = !list.length || without === list.length ? "none" : stale.length ? "stale" : ages.length ? "fresh" : "closed";
  return { state, stale, without, newest: ages.length ? Math.min(...ages) : null, oldest: ages.length ? Math.max(...ages) : null };
}
