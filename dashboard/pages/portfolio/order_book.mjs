// Orders and fills of this account: read from the histories, kept current by what arrives.

import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "#app/api.mjs";
import { connection } from "#app/socket.mjs";
import { all, onFact, supersedes } from "#app/store.mjs";
import { OPEN_ORDER } from "#app/words.mjs";

const PAGE = 200;

/** By order id, the newest state of each. @type {import("@preact/signals").Signal<Map<string, any>>} */
const known = signal(new Map());
/** Newest first. @type {import("@preact/signals").Signal<any[]>} */
export const fills = signal([]);
export const loaded = signal({ state: /** @type {"loading" | "ready" | "error"} */ ("loading"), detail: "" });

/** @param {Map<string, any>} orders @param {any[]} facts */
export function withOrders(orders, facts) {
  const next = new Map(orders);
  for (const fact of facts) if (supersedes(next.get(fact.order_id) ?? null, fact)) next.set(fact.order_id, fact);
  return next;
}

/** @param {any[]} list @param {any[]} more */
function withFills(list, more) {
  const unique = new Map([...list, ...more].map((fill) => [fill.id, fill]));
  return [...unique.values()].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, PAGE * 2);
}

export async function load() {
  try {
    const [orders, filled] = await Promise.all([get("facts/order", { limit: PAGE * 2 }), get("facts/fill", { limit: PAGE })]);
    known.value = withOrders(known.peek(), orders.facts);
    fills.value = withFills(fills.peek(), filled.facts);
    loaded.value = { state: "ready", detail: "" };
  } catch (error) {
    loaded.value = { state: "error", detail: /** @type {Error} */ (error).message };
  }
}

/** Reads the histories at the start and after every reconnect, and follows what arrives while the page is open. */
export function useOrders() {
  const { state } = connection.value;
  useEffect(() => {
    if (state === "open") load();
  }, [state]);
  useEffect(() => {
    const stop = onFact((topic, fact) => {
      if (topic === "order") known.value = withOrders(known.peek(), [fact]);
      if (topic === "fill") fills.value = withFills(fills.peek(), [fact]);
    });
    return () => void stop();
  }, []);
}

/** @param {any} order */
const began = (order) => order.submitted_at ?? order.at;
const newestFirst = computed(() =>
  [...withOrders(known.value, all("order")).values()].sort((a, b) => (began(a) < began(b) ? 1 : -1)),
);
export const working = computed(() => newestFirst.value.filter(({ status }) => OPEN_ORDER.has(status)));
export const done = computed(() => newestFirst.value.filter(({ status }) => !OPEN_ORDER.has(status)).slice(0, PAGE));

const COLUMNS = ["at", "symbol", "side", "quantity", "price", "fee", "fee_asset", "order_id", "client_order_id", "id"];

/** A spreadsheet must not take a text for a formula. @param {any} value */
function cell(value) {
  const text = String(value ?? "").replaceAll('"', '""');
  return `"${text.replace(/^([=+@-])(?!\d)/, "'$1")}"`;
}

/** Fills, newest first. @param {any[]} list */
export const csv = (list) => [COLUMNS.join(","), ...list.map((fill) => COLUMNS.map((name) => cell(fill[name])).join(","))].join("\r\n");

export const fillsAsCsv = () => csv(fills.peek());
