// What needs a person, read out of the facts: nothing is kept but which of it has been seen.

import { computed, effect } from "@preact/signals";
import { serverNow, tenSeconds } from "./clock.mjs";
import { NEEDED, processes } from "./components/services.mjs";
import { view } from "./components/state_pill.mjs";
import { entries } from "./feed.mjs";
import { duration, plural } from "./format.mjs";
import { freshness, summary } from "./freshness.mjs";
import { preference } from "./preferences.mjs";
import { bus, connection } from "./socket.mjs";
import { all, halt, latest, system } from "./store.mjs";
import { outcomeWords, processName, termsWords } from "./words.mjs";

/**
 * `key` names the matter, `at` its newest occurrence (empty while nobody knows), `standing` whether it is so now.
 * @typedef {{key: string, tone: "bad" | "warn", title: string, text: string, at: string, href: string, standing: boolean}} Alert
 */

const DAY_MS = 86_400_000;
const WORRYING = new Set(["refused", "failed"]);
const MODEL = /** @type {Record<string, string>} */ ({
  unreachable: "The language model is unreachable",
  missing: "The language model is not pulled",
});

/** @param {string} key @param {"bad" | "warn"} tone @param {string} title @param {string} text @param {string} at @param {string} href */
const standing = (key, tone, title, text, at, href) => /** @type {Alert} */ ({ key, tone, title, text, at, href, standing: true });

/**
 * What is wrong now.
 * @param {{halt: any, account: any, model: any, waiting: null | {text: string, late: boolean}, missing: [string, string][],
 *   lost: string[], stale: {symbol: string, age: number | null}[], bus: {reachable: boolean, since: string, detail: string}}} facts
 * @returns {Alert[]}
 */
export function troubles({ halt: halted, account, model, waiting, missing, lost, stale, bus: redis }) {
  const found = [];
  if (!redis.reachable) found.push(standing("redis", "bad", "Redis does not answer", redis.detail, redis.since, "/system"));
  if (halted) found.push(standing("halt", "bad", "Trading is halted", halted.reason || halted.code, halted.made_at, "/risk"));
  for (const name of lost)
    found.push(standing(`process ${name}`, "bad", `${processName(name)} is not running`, "No heartbeat for 15 seconds.", "", "/system"));
  if (account?.blocked) found.push(standing("blocked", "bad", "The broker refuses trading", account.blocked, account.made_at, "/risk"));
  if (stale.length) {
    const text = stale.map(({ symbol, age }) => `${symbol} ${duration(age)}`).join(", ");
    const title = `Data of ${plural(stale.length, "symbol")} is stale`;
    found.push(standing("stale", "warn", title, `${text}. Nothing is decided on it.`, "", "/system"));
  }
  if (waiting?.late && !lost.includes("execution")) found.push(standing("unconfirmed", "warn", "Not confirmed", waiting.text, "", "/risk"));
  if (missing.length)
    found.push(standing("missing", "warn", "Trading was asked for and is not on", missing.map(([, text]) => text).join(" "), "", "/risk"));
  if (MODEL[model?.phase]) found.push(standing("model", "warn", MODEL[model.phase], model.detail ?? "", "", "/system"));
  return found;
}

/** @param {string} at @param {number} now */
const recent = (at, now) => now - Date.parse(at) < DAY_MS;

/**
 * What went wrong in the last day: refusals and failures of one kind are one matter.
 * @param {import("./activity.mjs").Entry[]} list newest first @param {any[]} orders @param {number} now @returns {Alert[]}
 */
export function mishaps(list, orders, now) {
  /** @type {Map<string, {newest: any, at: string, count: number}>} */
  const kinds = new Map();
  for (const { outcome, fact, at } of list) {
    const found = /** @type {any} */ (outcome ?? fact);
    if (!WORRYING.has(found?.outcome) || !recent(at, now)) continue;
    const key = `${found.outcome} ${found.code}`;
    const known = kinds.get(key);
    kinds.set(key, { newest: known?.newest ?? found, at: known?.at ?? at, count: (known?.count ?? 0) + 1 });
  }
  const told = [...kinds].map(([key, { newest, at, count }]) => {
    const tone = /** @type {"bad" | "warn"} */ (newest.outcome === "failed" ? "bad" : "warn");
    const text = `${newest.symbol ? `${newest.symbol}: ` : ""}${outcomeWords(newest).text}`;
    const title = newest.outcome === "failed" ? "Something failed" : "Refused by a limit";
    return { key, tone, title: count > 1 ? `${title}, ${count} times` : title, text, at, href: "/risk", standing: false };
  });
  const rejected = orders.filter((order) => order.status === "rejected" && recent(order.made_at, now));
  return [...told, ...rejected.map(rejection)];
}

/** @param {any} order @returns {Alert} */
const rejection = (order) => ({
  key: `order ${order.order_id}`,
  tone: "bad",
  title: "The broker rejected an order",
  text: `${order.symbol}: ${termsWords(order.terms, order.symbol)}. ${order.reason ?? ""}`,
  at: order.made_at,
  href: "/portfolio",
  standing: false,
});

/** When a trouble without a date was first noticed here. @type {Map<string, string>} */
const noticed = new Map();

/** @param {Alert} alert @returns {Alert} */
function dated(alert) {
  if (alert.at) return alert;
  const at = noticed.get(alert.key) ?? new Date(serverNow()).toISOString();
  noticed.set(alert.key, at);
  return { ...alert, at };
}

/** Of the matters that stand first the grave ones, then what happened, newest first. */
export const alerts = computed(() => {
  if (!system.value.ready || connection.value.state !== "open") return [];
  const now = troubles({
    halt: halt.value,
    account: latest("account").value,
    model: latest("model").value,
    waiting: view.value.waiting,
    missing: view.value.missing,
    lost: processes.value.filter(({ name, alive }) => NEEDED.includes(name) && !alive.length).map(({ name }) => name),
    stale: summary(freshness.value).stale,
    bus: bus.value,
  });
  for (const key of noticed.keys()) if (!now.some((one) => one.key === key)) noticed.delete(key);
  const happened = mishaps(entries.value, all("order"), tenSeconds.value);
  happened.sort((a, b) => (a.at < b.at ? 1 : -1));
  return [...now.map(dated), ...happened];
});

/** By matter: the newest occurrence that was seen. */
const seen = preference("alerts", /** @type {Record<string, string>} */ ({}));

/** @param {Alert} alert A trouble without a date of its own was seen when its matter was: until it ends. */
const isSeen = ({ key, at }) => (noticed.has(key) ? key in seen.value : (seen.value[key] ?? "") >= at);

export const unread = computed(() => alerts.value.filter((one) => !isSeen(one)));

/** @param {Alert[]} list */
export function markRead(list = alerts.peek()) {
  seen.value = { ...seen.peek(), ...Object.fromEntries(list.map(({ key, at }) => [key, at])) };
}

/** What is over is forgotten: when it comes back it is news. */
export function startAlerts() {
  effect(() => {
    if (!system.value.ready || connection.value.state !== "open" || !entries.value.length) return;
    const keys = new Set(alerts.value.map(({ key }) => key));
    const kept = Object.entries(seen.peek()).filter(([key]) => keys.has(key));
    if (kept.length !== Object.keys(seen.peek()).length) seen.value = Object.fromEntries(kept);
  });
}
