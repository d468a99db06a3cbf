// The activity of this account: loaded from the server's history, kept current by what arrives, loaded again after every reconnect.

import { signal } from "@preact/signals";
import { take } from "./activity.mjs";
import { get } from "./api.mjs";
import { onFact } from "./store.mjs";

const PAGE = 100;
const KEPT = 400;
const MOST_PAGES = 5;

/** @type {import("@preact/signals").Signal<import("./activity.mjs").Entry[]>} */
export const entries = signal([]);
/**
 * Of all symbols together under the empty name, else of one: `next` is where older entries go on, empty at the end.
 * @typedef {{state: "loading" | "ready" | "error", next: string, detail: string}} Reading
 */
const UNREAD = /** @type {Reading} */ ({ state: "loading", next: "", detail: "" });
/** @type {import("@preact/signals").Signal<Record<string, Reading>>} */
const readings = signal({});

/** How far the history of a symbol, or of all, has been read. */
export const reading = (symbol = "") => readings.value[symbol] ?? UNREAD;

/** @param {string} symbol @param {Reading} now */
function become(symbol, now) {
  readings.value = { ...readings.peek(), [symbol]: now };
}

let limit = KEPT;
/** @type {{topic: string, fact: any}[]} */
let arrived = [];

/** @param {string} topic @param {any} fact */
function gather(topic, fact) {
  if (!arrived.length) queueMicrotask(apply);
  arrived.push({ topic, fact });
}

function apply() {
  const now = arrived;
  arrived = [];
  entries.value = take(entries.peek(), now, limit);
}

/** Reads the newest page and joins it to what is there. */
export async function loadFeed(symbol = "") {
  const before = readings.peek()[symbol];
  try {
    const answer = await get("activity", { limit: PAGE, symbol });
    entries.value = take(entries.peek(), answer.entries, limit);
    // After a reconnect what was read before stays read.
    become(symbol, { state: "ready", next: before?.state === "ready" ? before.next : (answer.next ?? ""), detail: "" });
  } catch (error) {
    if (before?.state !== "ready") become(symbol, { state: "error", next: "", detail: /** @type {Error} */ (error).message });
  }
}

let busy = false;

/** Reads on where the oldest page ended. */
export async function loadOlder(symbol = "") {
  const before = readings.peek()[symbol] ?? UNREAD;
  if (!before.next || busy) return;
  busy = true;
  try {
    const answer = await get("activity", { limit: PAGE, symbol, before: before.next });
    limit += PAGE * 2;
    entries.value = take(entries.peek(), answer.entries, limit);
    become(symbol, { state: "ready", next: answer.next ?? "", detail: "" });
  } catch (error) {
    become(symbol, { ...before, detail: /** @type {Error} */ (error).message });
  } finally {
    busy = false;
  }
}

const ENOUGH = 20;
/** @type {Map<string, number>} */
const filled = new Map();

/**
 * Most of a page may be hidden by the filter: reads a few more until there is something to see.
 * @param {number} visible
 * @param {string} symbol
 */
export function fill(visible, symbol) {
  const { state, next, detail } = readings.peek()[symbol] ?? UNREAD;
  const pages = filled.get(symbol) ?? 0;
  if (visible >= ENOUGH || state !== "ready" || !next || detail || pages >= MOST_PAGES) return;
  filled.set(symbol, pages + 1);
  loadOlder(symbol);
}

export const startFeed = () => onFact(gather);
