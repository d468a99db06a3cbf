// How the language model has been answering: counted by the server, asked for again when it has answered.

import { effect, signal } from "@preact/signals";
import { get } from "./api.mjs";
import { connection } from "./socket.mjs";
import { onFact } from "./store.mjs";

const APART_MS = 15_000;

/** @typedef {{calls: number, failed: number, median_ms: number | null, p95_ms: number | null, since: string | null}} Calls */

/** Null until it has been read. */
export const modelCalls = signal(/** @type {Calls | null} */ (null));

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

async function read() {
  timer = undefined;
  modelCalls.value = await get("model-calls").catch(() => modelCalls.peek());
}

let started = false;

/** Begins when a page first needs it. */
export function startModelCalls() {
  if (started) return;
  started = true;
  onFact((topic, fact) => {
    const called = topic === "signal" && (fact.inputs ?? []).some((/** @type {string} */ id) => id.startsWith("prompt|"));
    if (called) timer ??= setTimeout(read, APART_MS);
  });
  effect(() => {
    if (connection.value.state === "open") read();
  });
}
