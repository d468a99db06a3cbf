// Every fact the page knows, newest by topic, symbol and part, each in its own signal: a component that reads one is drawn again when
// that one changes. What arrives is gathered and applied once a frame.

import { batch, computed, signal } from "@preact/signals";
import { setServerTime } from "./clock.mjs";

/** @typedef {import("./facts.d.ts").Fact} Fact */
/** @typedef {import("./facts.d.ts").Snapshot} Snapshot */
/** @template T @typedef {import("@preact/signals").Signal<T>} Signal */

/** Read losslessly; of all others only the newest of a frame matters. */
const EVERY = new Set([
  "signal",
  "decision",
  "intent",
  "outcome",
  "order",
  "fill",
  "trading",
  "halt",
  "trading_effective",
  "pause",
  "trade_settings",
  "command",
  "command_result",
  "config",
]);
const NEWEST = ["bar", "indicators", "quote", "market", "calendar", "position", "account", "equity", "instrument", "model", "heartbeat"];
export const TOPICS = [...EVERY, ...NEWEST];

const OPEN = new Set(["pending", "working", "partially_filled", "held"]);
/** A hidden page gets no frames; it applies this often, so that what waits stays small. */
const HIDDEN_MS = 1_000;

/** What the snapshot says of the system as a whole. */
export const system = signal(
  /** @type {{ready: boolean, symbols: string[], timeframe: string, mode: "paper" | "live", simulated: boolean, version: string}} */ ({
    ready: false,
    symbols: [],
    timeframe: "",
    mode: "paper",
    simulated: false,
    version: "",
  }),
);

/** @type {Map<string, Map<string, Signal<any>>>} */
const shelves = new Map();
/** Which keys a topic has: changes only when one is added. @type {Map<string, Signal<string[]>>} */
const memberships = new Map();
/** @type {Set<(topic: string, fact: Fact) => void>} */
const listeners = new Set();

/** @param {string} topic */
function shelf(topic) {
  const known = shelves.get(topic);
  if (known) return known;
  const made = new Map();
  shelves.set(topic, made);
  memberships.set(topic, signal([]));
  return made;
}

/** @param {string} topic @param {string} key @returns {Signal<any>} */
function slot(topic, key) {
  const slots = shelf(topic);
  const known = slots.get(key);
  if (known) return known;
  const made = signal(null);
  slots.set(key, made);
  return made;
}

/**
 * What tells facts of one topic and symbol apart: an engine, a timeframe, a process, an order, an origin.
 * @param {string} topic
 * @param {Fact} fact
 */
export function partOf(topic, fact) {
  if (topic === "signal") return fact.engine;
  if (topic === "bar" || topic === "indicators") return fact.timeframe;
  if (topic === "config") return fact.process;
  if (topic === "order") return fact.order_id;
  // A stop that is put in place must not hide what became of the decision.
  if (topic === "outcome") return fact.origin;
  return topic === "heartbeat" ? `${fact.process}:${fact.replica}` : "";
}

/** The newest fact of a topic, as a signal that may hold null. @param {string} topic @returns {Signal<any>} */
export const latest = (topic, symbol = "", part = "") => slot(topic, `${symbol}|${part}`);

/** Bars and indicators of the trading timeframe. @param {"bar" | "indicators"} topic @param {string} symbol */
export const trading = (topic, symbol) => latest(topic, symbol, system.value.timeframe);

/** All newest facts of a topic; reading it follows each of them. @param {string} topic @returns {any[]} */
export function all(topic) {
  shelf(topic);
  const keys = /** @type {Signal<string[]>} */ (memberships.get(topic)).value;
  return keys.map((key) => slot(topic, key).value).filter(Boolean);
}

/** Symbols or parts that a topic has facts of, without following the facts. @param {string} topic */
export function keysOf(topic) {
  shelf(topic);
  return /** @type {Signal<string[]>} */ (memberships.get(topic)).value;
}

/** Called for every fact as it is applied, older ones too. @param {(topic: string, fact: Fact) => void} listener */
export function onFact(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Times compare as text once their fractions have one length. @param {string} at */
const even = (at) => (at.length === 20 ? `${at.slice(0, 19)}.000000Z` : at);

/** @param {Fact | null} old @param {Fact} fact */
export function supersedes(old, fact) {
  if (!old) return true;
  const [a, b] = [even(old.at), even(fact.at)];
  return a < b || (a === b && (old.revision ?? 0) <= (fact.revision ?? 0));
}

/** @param {string} topic @param {Fact} fact */
function put(topic, fact) {
  const key = `${fact.symbol ?? ""}|${partOf(topic, fact)}`;
  const place = slot(topic, key);
  if (!supersedes(place.peek(), fact)) return;
  if (place.peek() === null) {
    const keys = /** @type {Signal<string[]>} */ (memberships.get(topic));
    keys.value = [...keys.peek(), key];
  }
  place.value = fact;
}

/** @type {Map<string, [string, Fact]>} */
let newest = new Map();
/** @type {[string, Fact][]} */
let each = [];
let scheduled = false;

function schedule() {
  if (scheduled) return;
  scheduled = true;
  if (document.hidden) setTimeout(flush, HIDDEN_MS);
  else requestAnimationFrame(flush);
}

/** Applies what has gathered. */
export function flush() {
  scheduled = false;
  const arrived = [...each, ...newest.values()];
  each = [];
  newest = new Map();
  batch(() => {
    for (const [topic, fact] of arrived) {
      put(topic, fact);
      for (const listener of listeners) listener(topic, fact);
    }
    learn(arrived);
    forgetOldOrders();
  });
}

/** By which a market or an account says that it is the sandbox's. */
const TELLING = new Set(["account", "heartbeat", "bar"]);

/** Whose market and whose money it is: a snapshot taken before the first facts could not know. @param {[string, Fact][]} arrived */
function learn(arrived) {
  const known = system.peek();
  const simulated = known.simulated || arrived.some(([topic, fact]) => TELLING.has(topic) && fact.simulated === true);
  const live = known.mode === "live" || arrived.some(([topic, fact]) => topic === "account" && fact.mode === "live");
  const mode = live ? "live" : known.mode;
  if (simulated !== known.simulated || mode !== known.mode) system.value = { ...known, simulated, mode };
}

/** @param {string} topic @param {Fact[]} facts */
export function receive(topic, facts) {
  for (const fact of facts) {
    if (EVERY.has(topic)) each.push([topic, fact]);
    else newest.set(`${topic}|${fact.symbol ?? ""}|${partOf(topic, fact)}`, [topic, fact]);
  }
  schedule();
}

/** Of orders that are done the newest few are enough here; the history has the others. */
const ORDERS_KEPT = 400;

function forgetOldOrders() {
  const slots = shelf("order");
  if (slots.size <= ORDERS_KEPT) return;
  const done = [...slots]
    .filter(([, place]) => place.peek() && !OPEN.has(place.peek().status))
    .sort(([, a], [, b]) => (a.peek().at < b.peek().at ? -1 : 1));
  for (const [key] of done.slice(0, slots.size - ORDERS_KEPT / 2)) slots.delete(key);
  /** @type {Signal<string[]>} */ (memberships.get("order")).value = [...slots.keys()];
}

/** The whole truth at once: what it does not hold is gone. @param {Snapshot} snapshot */
export function replaceAll(snapshot) {
  flush();
  setServerTime(snapshot.server_time);
  batch(() => {
    const given = /** @type {Record<string, Fact[]>} */ ({
      ...snapshot.facts,
      config: Object.values(snapshot.config ?? {}),
      heartbeat: snapshot.processes ?? [],
    });
    for (const [topic, slots] of shelves) clear(topic, slots, given[topic] ?? []);
    for (const [topic, facts] of Object.entries(given)) for (const fact of facts) put(topic, fact);
    const { symbols, timeframe, mode, simulated, version = "" } = snapshot;
    // A server that has not read Redis yet knows nothing: empty is not the truth.
    system.value = { ready: snapshot.ready !== false, symbols, timeframe, mode, simulated, version };
  });
}

/** @param {string} topic @param {Map<string, Signal<any>>} slots @param {Fact[]} staying */
function clear(topic, slots, staying) {
  const keys = new Set(staying.map((fact) => `${fact.symbol ?? ""}|${partOf(topic, fact)}`));
  for (const [key, place] of slots) if (!keys.has(key) || place.peek()) place.value = null;
  /** @type {Signal<string[]>} */ (memberships.get(topic)).value = [];
}

/** The halt in force, null when there is none. */
export const halt = computed(() => {
  const fact = latest("halt").value;
  return fact && !fact.lifted_by ? fact : null;
});

/** The pause in force of one symbol. @param {string} symbol */
export function pauseOf(symbol) {
  const fact = latest("pause", symbol).value;
  return fact && !fact.ended_by ? fact : null;
}
