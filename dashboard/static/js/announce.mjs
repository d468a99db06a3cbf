// What a screen reader is told: a quiet summary now and then, and at once only what cannot wait.

import { effect, signal } from "@preact/signals";
import { unread } from "./alerts.mjs";
import { plural } from "./format.mjs";
import { requests } from "./requests.mjs";
import { connection } from "./socket.mjs";
import { halt, onFact, system } from "./store.mjs";

const QUIET_MS = 20_000;
const ENDS = { done: "confirmed", refused: "refused", lost: "nobody knows whether it arrived" };
export const polite = signal("");
export const assertive = signal("");

/** Alerts that were there already. @type {Set<string> | null} */
let told = null;
let counts = { fill: 0, decision: 0 };
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

function tell() {
  timer = undefined;
  const parts = [counts.fill && plural(counts.fill, "fill"), counts.decision && `${plural(counts.decision, "buy or sell decision")}`];
  polite.value = parts.filter(Boolean).join(" and ");
  counts = { fill: 0, decision: 0 };
}

/** @param {string} topic @param {any} fact */
function count(topic, fact) {
  if (topic !== "fill" && !(topic === "decision" && fact.action !== "hold")) return;
  counts[/** @type {"fill" | "decision"} */ (topic)] += 1;
  timer ??= setTimeout(tell, QUIET_MS);
}

/** What was asked for, once it is known what became of it. */
function tellRequests() {
  const told = requests.value.filter(({ state }) => state === "done" || state === "refused" || state === "lost").at(-1);
  if (told) polite.value = `${told.label}: ${told.detail || ENDS[/** @type {"done"} */ (told.state)]}`;
}

/** Matters that are new since the page was opened; a halt is told at once anyway. */
function tellAlerts() {
  const keys = unread.value.map(({ key }) => key);
  const news = unread.value.find(({ key }) => told && !told.has(key) && key !== "halt");
  if (system.value.ready) told = new Set(keys);
  if (news) polite.value = `Alert: ${news.title}. ${news.text}`;
}

export function startAnnouncing() {
  effect(tellAlerts);
  onFact(count);
  effect(tellRequests);
  effect(() => {
    if (!system.value.ready) return;
    const halted = halt.value;
    if (halted) assertive.value = `Trading halted: ${halted.reason || halted.code}`;
    else if (connection.value.state === "closed") assertive.value = "Disconnected from the server. What is shown may be old.";
    else assertive.value = "";
  });
}
