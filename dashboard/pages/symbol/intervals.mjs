// The intervals a chart can show: those that Redis has bars of, and longer ones made of them. First open, highest, lowest, last close, sum
// of the volumes; a bar never reaches over the edge of a session. Pure.

import { timeframeSeconds } from "#app/format.mjs";
import { dayOf } from "./sessions.mjs";

const DAY_SECONDS = 86_400;
const LADDER = ["1m", "5m", "15m", "1h", "4h", "1d"];
/** What a chart of one bar would tell is told beside it. */
const FEWEST = 2;

/** @typedef {[number, number, number, number][]} Days see the calendar */

/** Shortest first. @param {string} a @param {string} b */
export const byLength = (a, b) => timeframeSeconds(a) - timeframeSeconds(b);

/** @param {number} seconds since 1970 */
const iso = (seconds) => new Date(seconds * 1_000).toISOString().replace(".000Z", "Z");

/**
 * Whether bars of `base` seconds make up bars of `length` exactly. @param {number} base @param {number} length
 * @param {Days | null} days null where the market never closes
 */
export const fits = (base, length, days) =>
  length > base && length % base === 0 && (!days || days.every((edges) => edges.every((edge) => edge % base === 0)));

/**
 * Where the longer bar begins and ends in which one of `base` seconds lies, in seconds since 1970; null where it lies in none: a stock's
 * day is its regular session. Counted from where the session begins, else from midnight UTC.
 * @param {number} close @param {number} base @param {number} length @param {Days | null} days
 * @returns {[number, number] | null}
 */
export function stretchOf(close, base, length, days) {
  const opened = close - base;
  const day = days?.[dayOf(days, opened)];
  if (day && length >= DAY_SECONDS) return opened >= day[1] && opened < day[2] ? [day[1], day[2]] : null;
  const edge = day ? day.findLastIndex((one) => one <= opened) : -1;
  const from = day && edge < day.length - 1 ? day[edge] : 0;
  const begins = from + Math.floor((opened - from) / length) * length;
  return [begins, from && day ? Math.min(begins + length, day[edge + 1]) : begins + length];
}

/**
 * Longer bars, oldest first. `begins` is where one begins, `parts` of how many it is made, `whole` of how many when it is over. A first one
 * whose beginning is older than the history is left out: it would be made of less than happened.
 * @param {any[]} bars oldest first @param {string} interval @param {Days | null} days
 * @returns {any[]}
 */
export function longer(bars, interval, days) {
  const base = timeframeSeconds(bars[0]?.timeframe);
  const length = timeframeSeconds(interval);
  /** @type {any[]} */
  const found = [];
  let cut = false;
  for (const bar of bars) {
    const close = Date.parse(bar.at) / 1_000;
    const stretch = stretchOf(close, base, length, days);
    if (!stretch) continue;
    const [begins, ends] = stretch;
    cut ||= bar === bars[0] && close - base > begins;
    const last = found.at(-1);
    if (last?.begins === begins) extend(last, bar);
    else found.push({ ...bar, ...named(interval, ends), begins, parts: 1, whole: (ends - begins) / base });
  }
  return cut ? found.slice(1) : found;
}

/** By its close, as every bar. @param {string} interval @param {number} ends */
const named = (interval, ends) => ({ id: `${interval}|${ends}`, at: iso(ends), timeframe: interval });

/** @param {any} sum @param {any} bar */
function extend(sum, bar) {
  sum.high = Math.max(sum.high, bar.high);
  sum.low = Math.min(sum.low, bar.low);
  sum.close = bar.close;
  sum.volume += bar.volume;
  sum.made_at = bar.made_at;
  sum.parts += 1;
}

/**
 * Of which bars an interval is made: itself where Redis has it, else the longest that makes it up; empty where nothing does.
 * @param {string} interval @param {string[]} stored @param {Days | null} days
 */
export function madeOf(interval, stored, days) {
  if (stored.includes(interval)) return interval;
  const parts = stored.filter((one) => fits(timeframeSeconds(one), timeframeSeconds(interval), days));
  return parts.sort(byLength).at(-1) ?? "";
}

/**
 * What a chart offers, shortest first: what Redis has, and of the longer ones those that the history reaches, as far as it is known here.
 * @param {string[]} stored timeframes that there are bars of @param {any[]} bars some of them @param {Days | null} days
 */
export function offered(stored, bars, days) {
  const known = bars[0]?.timeframe;
  const made = LADDER.filter((one) => {
    const part = madeOf(one, stored, days);
    return known && part && part !== one && (part !== known || longer(bars, one, days).length >= FEWEST);
  });
  return [...new Set([...stored, ...made])].sort(byLength);
}
