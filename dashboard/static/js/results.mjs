// What closed trades brought, by day and symbol: counted by the server, asked for again when something has been filled.

import { effect, signal } from "@preact/signals";
import { get } from "./api.mjs";
import { connection } from "./socket.mjs";
import { onFact } from "./store.mjs";

/** Many fills come together; one question answers for all of them. */
const TOGETHER_MS = 2_000;

/**
 * @typedef {{day: string, symbol: string, realized: string, fees: string, volume: string, closed: number, wins: number,
 *   unknown: number}} Row
 * @typedef {{since: string | null, complete: boolean, days: Row[]}} Results
 */
/** Null until it has been read. @type {import("@preact/signals").Signal<Results | null>} */
export const results = signal(null);
export const failed = signal("");

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

export async function readResults() {
  clearTimeout(timer);
  timer = undefined;
  try {
    results.value = await get("results");
    failed.value = "";
  } catch (error) {
    failed.value = /** @type {Error} */ (error).message;
  }
}

let started = false;

/** Begins when a page first needs it; read again after every reconnect. */
export function startResults() {
  if (started) return;
  started = true;
  onFact((topic) => {
    if (topic === "fill") timer ??= setTimeout(readResults, TOGETHER_MS);
  });
  effect(() => {
    if (connection.value.state === "open") readResults();
  });
}

/** Rows with one value of a field together. @param {Row[]} rows @param {"day" | "symbol"} field */
export function summed(rows, field) {
  /** @type {Map<string, {name: string, realized: number, fees: number, volume: number, closed: number, wins: number, unknown: number}>} */
  const found = new Map();
  for (const row of rows) {
    const sum = found.get(row[field]) ?? { name: row[field], realized: 0, fees: 0, volume: 0, closed: 0, wins: 0, unknown: 0 };
    sum.realized += Number(row.realized);
    sum.fees += Number(row.fees);
    sum.volume += Number(row.volume);
    sum.closed += row.closed;
    sum.wins += row.wins;
    sum.unknown += row.unknown;
    found.set(row[field], sum);
  }
  return [...found.values()];
}
