// Closes of the last bars by symbol, for small charts: asked for when first looked at, carried on by the bars that arrive.

import { signal } from "@preact/signals";
import { get } from "./api.mjs";
import { onFact, system } from "./store.mjs";

const KEPT = 90;
const AT_ONCE = 3;
/** Between two questions of one worker, so that many symbols do not use up the server's patience. */
const APART_MS = 60;

/** @typedef {{at: string, close: number}} Point */
/** @type {Map<string, import("@preact/signals").Signal<Point[] | null>>} */
const known = new Map();
/** @type {string[]} */
const waiting = [];
let asking = 0;

/** Null until loaded. @param {string} symbol */
export function seriesOf(symbol) {
  const there = known.get(symbol);
  if (there) return there;
  const made = signal(/** @type {Point[] | null} */ (null));
  known.set(symbol, made);
  waiting.push(symbol);
  work();
  return made;
}

function work() {
  while (asking < AT_ONCE && waiting.length) {
    const symbol = /** @type {string} */ (waiting.shift());
    asking += 1;
    load(symbol).finally(() => setTimeout(next, APART_MS));
  }
}

function next() {
  asking -= 1;
  work();
}

/** @param {string} symbol */
async function load(symbol) {
  const place = known.get(symbol);
  if (!place) return;
  try {
    const answer = await get("bars", { symbol, timeframe: system.peek().timeframe, limit: KEPT });
    place.value = join(answer.bars, place.peek() ?? []);
  } catch {
    // Without its history the chart begins with the next bar; the card shows all else.
    place.value = place.peek() ?? [];
  }
}

/** @param {Point[]} bars @param {Point[]} more */
function join(bars, more) {
  const last = bars.at(-1)?.at ?? "";
  return [...bars, ...more.filter(({ at }) => at > last)].slice(-KEPT).map(({ at, close }) => ({ at, close }));
}

/** After a reconnect some bars may be missing in the middle. */
export function reloadSeries() {
  for (const symbol of known.keys()) if (!waiting.includes(symbol)) waiting.push(symbol);
  work();
}

/** Change from the first to the last of the shown closes, as a fraction; null where there is none. @param {Point[] | null} points */
export function changeOf(points) {
  if (!points || points.length < 2 || !points[0].close) return null;
  return points[points.length - 1].close / points[0].close - 1;
}

export function startSeries() {
  onFact((topic, fact) => {
    if (topic !== "bar" || fact.timeframe !== system.peek().timeframe) return;
    const place = known.get(fact.symbol ?? "");
    const points = place?.peek();
    if (!place || !points || fact.at <= (points.at(-1)?.at ?? "")) return;
    place.value = [...points.slice(1 - KEPT), { at: fact.at, close: fact.close }];
  });
}
