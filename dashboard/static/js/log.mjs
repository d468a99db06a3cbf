// What the processes tell as they tell it: their errors, and what went wrong or changed, each with its level and where it comes from. Made
// of facts; the whole logs stay with the processes.

import { signal } from "@preact/signals";
import { entries } from "./feed.mjs";
import { onFact } from "./store.mjs";
import { outcomeWords, words } from "./words.mjs";

/** @typedef {"error" | "warning" | "info"} Level */
/** @typedef {{key: string, at: string, level: Level, service: string, symbol: string, text: string}} Line */

const KEPT = 300;
const SERVICE = /** @type {Record<string, string>} */ ({
  decision: "decision",
  outcome: "execution",
  order: "execution",
  fill: "execution",
});

/** Errors of heartbeats and states of the model, which have no place in the activity. */
const told = signal(/** @type {Line[]} */ ([]));

/** @param {Line} line */
function keep(line) {
  if (!told.peek().some(({ key }) => key === line.key)) told.value = [line, ...told.peek()].slice(0, KEPT);
}

/** @param {any} beat @returns {Line | null} */
export function errorOf(beat) {
  if (!beat.last_error) return null;
  const at = beat.last_error_at ?? beat.made_at;
  return { key: `${beat.process} ${at}`, at, level: "warning", service: beat.process, symbol: "", text: beat.last_error };
}

const BAD_MODEL = new Set(["unreachable", "missing", "degraded"]);
let phase = "";

/** @param {string} topic @param {any} fact */
function hear(topic, fact) {
  if (topic === "heartbeat") {
    const line = errorOf(fact);
    if (line) keep(line);
  } else if (topic === "model" && fact.phase !== phase) {
    phase = fact.phase;
    const level = BAD_MODEL.has(phase) ? "warning" : "info";
    const text = `${fact.model}: ${phase}${fact.detail ? `, ${fact.detail}` : ""}`;
    keep({ key: fact.id, at: fact.made_at, level, service: "decision", symbol: "", text });
  } else if (topic === "trading_effective") {
    const said = words(topic, fact);
    const text = `${said.title}${said.text ? `. ${said.text}` : ""}`;
    keep({ key: fact.id, at: fact.made_at, level: fact.state === "halted" ? "error" : "info", service: "execution", symbol: "", text });
  }
}

const LEVELS = /** @type {Record<string, Level>} */ ({ bad: "error", warn: "warning" });

/** @param {import("./activity.mjs").Entry} entry @returns {Line | null} */
export function lineOfEntry({ key, topic, fact, outcome, result, at, symbol }) {
  const what = /** @type {any} */ (outcome ?? result ?? fact);
  // A decision that changed nothing is no event.
  if (!what || (topic === "decision" && !outcome) || what.outcome === "skipped") return null;
  const said = outcome ? outcomeWords(outcome) : words(result && !fact ? "command_result" : topic, /** @type {any} */ (fact ?? what));
  const failed = /** @type {any} */ (result)?.ok === false;
  const level = failed ? "warning" : (LEVELS[said.tone] ?? "info");
  const head = "title" in said && said.title ? `${said.title}. ` : "";
  const text = `${head}${said.text}${failed ? ` ${/** @type {any} */ (result).detail}` : ""}`;
  const service = outcome ? "execution" : topic === "config" ? what.process : (SERVICE[topic] ?? "people");
  return { key, at, level, service, symbol, text };
}

/** Newest first. @param {number} most */
export function logLines(most = KEPT) {
  const lines = entries.value.map(lineOfEntry).filter((line) => line !== null);
  return [...told.value, ...lines].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)).slice(0, most);
}

export const startLog = () => onFact(hear);
