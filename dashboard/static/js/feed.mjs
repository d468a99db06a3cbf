// The activity of this account: loaded from the server's history, kept current by what arrives, loaded again after every reconnect.

import { signal } from "@preact/signals";
import { take } from "./activity.mjs";
import { get } from "./api.mjs";
import { onFact } from "./store.mjs";

const PAGE = 100;
const KEPT = 400;

/** @type {import("@preact/signals").Signal<import("./activity.mjs").Entry[]>} */
export const entries = signal([]);
/** `next` is where older entries go on, empty at the end. */
export const feed = signal({ state: /** @type {"loading" | "ready" | "error"} */ ("loading"), next: "", detail: "" });

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
export async function loadFeed() {
  try {
    const answer = await get("activity", { limit: PAGE });
    const first = feed.peek().state !== "ready";
    entries.value = take(entries.peek(), answer.entries, limit);
    feed.value = { state: "ready", next: first ? (answer.next ?? "") : feed.peek().next, detail: "" };
  } catch (error) {
    if (feed.peek().state !== "ready") feed.value = { state: "error", next: "", detail: /** @type {Error} */ (error).message };
  }
}

/** Reads on where the oldest page ended. */
export async function loadOlder() {
  const { next } = feed.peek();
  if (!next) return;
  const answer = await get("activity", { limit: PAGE, before: next });
  limit += PAGE * 2;
  entries.value = take(entries.peek(), answer.entries, limit);
  feed.value = { ...feed.peek(), next: answer.next ?? "" };
}

export const startFeed = () => onFact(gather);
