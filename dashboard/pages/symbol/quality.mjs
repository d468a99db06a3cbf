// How good the data is: gaps between bars, bars that came late, where values come from and where two sources disagree. Pure.

import { sessionOfBar } from "./sessions.mjs";

/** Bars that were read from a provider's history all at once say nothing of how late they would have come. */
const HISTORY_SECONDS = 3_600;

/** @typedef {{after: string, missing: number}} Gap */

/**
 * Closes that should have had a bar and have none: every one where the market never closes, else those of a regular session.
 * @param {any[]} bars oldest first
 * @param {number} length seconds of a bar
 * @param {[number, number, number, number][] | null} days null where the market never closes
 * @returns {Gap[]}
 */
export function gapsOf(bars, length, days) {
  /** @type {Gap[]} */
  const found = [];
  for (let at = 1; at < bars.length; at += 1) {
    const from = Date.parse(bars[at - 1].at) / 1_000;
    const to = Date.parse(bars[at].at) / 1_000;
    let missing = 0;
    for (let close = from + length; close < to && missing < 10_000; close += length)
      if (!days || sessionOfBar(days, close, length) === "regular") missing += 1;
    if (missing) found.push({ after: bars[at - 1].at, missing });
  }
  return found;
}

/** Seconds from a bar's close until it was here, of the bars that came one by one; oldest first. @param {any[]} bars */
export const delaysOf = (bars) =>
  bars.map((bar) => (Date.parse(bar.made_at) - Date.parse(bar.at)) / 1_000).filter((delay) => delay >= 0 && delay < HISTORY_SECONDS);

/** @param {number[]} list @param {number} share */
export function quantile(list, share) {
  if (!list.length) return null;
  const inOrder = [...list].sort((a, b) => a - b);
  return inOrder[Math.min(inOrder.length - 1, Math.max(0, Math.ceil(inOrder.length * share) - 1))];
}

/** How often each origin gave a bar. @param {any[]} bars @returns {[string, number][]} */
export function originsOf(bars) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { origin } of bars) counts.set(origin, (counts.get(origin) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}
