// The audit trail: who changed what, from where and why, newest first; read from the histories, carried on by what arrives.

import { signal } from "@preact/signals";
import { take } from "./activity.mjs";
import { get } from "./api.mjs";
import { onFact } from "./store.mjs";
import { words } from "./words.mjs";

const PAGE = 100;
const MOST = 2_000;
const CHANGES = new Set(["trading", "halt", "pause", "trade_settings", "command", "command_result", "config"]);

/** @typedef {{state: "loading" | "ready" | "error", entries: import("./activity.mjs").Entry[], next: string, detail: string}} Trail */
export const trail = signal(/** @type {Trail} */ ({ state: "loading", entries: [], next: "", detail: "" }));

let following = false;

/** @param {string} [before] where an earlier page ended */
export async function loadTrail(before = "") {
  if (!following) onFact((topic, fact) => CHANGES.has(topic) && add([{ topic, fact }]));
  following = true;
  try {
    const answer = await get("audit", { limit: PAGE, before });
    add(answer.entries);
    trail.value = { ...trail.peek(), state: "ready", next: answer.next ?? "", detail: "" };
  } catch (error) {
    const { entries } = trail.peek();
    trail.value = { ...trail.peek(), state: entries.length ? "ready" : "error", detail: /** @type {Error} */ (error).message };
  }
}

/** @param {{topic: string, fact: any}[]} arrived */
function add(arrived) {
  const entries = take(trail.peek().entries, arrived, MOST);
  if (entries !== trail.peek().entries) trail.value = { ...trail.peek(), entries };
}

/** `anna@192.168.1.7` → name and address; what a process did has no address. @param {string | undefined} by */
export function whoOf(by) {
  const [name, ...address] = (by ?? "").split("@");
  return { name: name || "nobody", address: address.join("@") };
}

export const KINDS = /** @type {[string, string][]} */ ([
  ["all", "Everything"],
  ["trading", "Switch"],
  ["halt", "Halts"],
  ["pause", "Pauses"],
  ["trade_settings", "Sizing"],
  ["command", "Commands"],
  ["accounts", "Users and tokens"],
  ["starts", "Starts of processes"],
]);

/**
 * A line of the trail; null for what says nothing to anybody.
 * @param {import("./activity.mjs").Entry} entry
 * @returns {null | {kind: string, at: string, name: string, address: string, what: string, why: string, became: string, ok: boolean,
 *   symbol: string}}
 */
export function lineOf({ topic, fact, result, at, symbol }) {
  const told = /** @type {any} */ (fact ?? result);
  if (!told) return null;
  const said = words(fact ? topic : "command_result", told);
  const line = { at, symbol, what: said.title, why: "", became: "", ok: true };
  if (topic === "config") {
    const { changed, changed_by: by } = told.settings ?? {};
    if (changed) return { ...line, kind: "accounts", ...whoOf(by) };
    return { ...line, kind: "starts", name: told.process, address: "", why: said.text };
  }
  const by = told.lifted_by ?? told.ended_by ?? told.by;
  const why = told.lifted_by ? told.lifted_reason : topic === "trade_settings" ? said.text.split(". By ")[0] : told.reason;
  const kind = topic === "command_result" ? "command" : topic;
  const became = /** @type {any} */ (result);
  return {
    ...line,
    kind,
    ...whoOf(by ?? told.service),
    why: why ?? "",
    became: became ? became.detail || (became.ok ? "done" : "not done") : "",
    ok: became?.ok ?? true,
  };
}
