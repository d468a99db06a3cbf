// Orders, intents and fills of this account: read from the histories, kept current by what arrives. Every state is kept, so that an order's
// life can be told.

import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "#app/api.mjs";
import { csv as csvOf } from "#app/saving.mjs";
import { connection } from "#app/socket.mjs";
import { all, onFact, supersedes } from "#app/store.mjs";
import { OPEN_ORDER } from "#app/words.mjs";

const PAGE = 200;
const STATES = 2_000;

/** By order id, the newest state of each. @type {import("@preact/signals").Signal<Map<string, any>>} */
const known = signal(new Map());
/** Every state of orders and intents that is at hand, by id of the fact. @type {import("@preact/signals").Signal<Map<string, any>>} */
const states = signal(new Map());
/** Newest first. @type {import("@preact/signals").Signal<any[]>} */
export const fills = signal([]);
export const loaded = signal({ state: /** @type {"loading" | "ready" | "error"} */ ("loading"), detail: "" });

/** @param {Map<string, any>} orders @param {any[]} facts */
export function withOrders(orders, facts) {
  const next = new Map(orders);
  for (const fact of facts) if (supersedes(next.get(fact.order_id) ?? null, fact)) next.set(fact.order_id, fact);
  return next;
}

/** @param {Map<string, any>} before @param {any[]} facts */
function withStates(before, facts) {
  const next = new Map(before);
  for (const fact of facts) next.set(fact.id, fact);
  // Map keeps the order of insertion: the oldest go first.
  for (const id of next.keys()) {
    if (next.size <= STATES) break;
    next.delete(id);
  }
  return next;
}

/** @param {any[]} list @param {any[]} more */
function withFills(list, more) {
  const unique = new Map([...list, ...more].map((fill) => [fill.id, fill]));
  return [...unique.values()].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, PAGE * 2);
}

export async function load() {
  try {
    const [orders, intents, filled] = await Promise.all([
      get("facts/order", { limit: PAGE * 3 }),
      get("facts/intent", { limit: PAGE * 3 }),
      get("facts/fill", { limit: PAGE }),
    ]);
    known.value = withOrders(known.peek(), orders.facts);
    states.value = withStates(states.peek(), [...orders.facts, ...intents.facts].reverse());
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
      if (topic === "order" || topic === "intent") states.value = withStates(states.peek(), [fact]);
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

/**
 * Everything told of one order, ours before it was sent and the broker's since.
 * @param {any} order
 * @param {Map<string, any>} [from]
 */
export function lifeOf(order, from = states.value) {
  const own = [...from.values()].filter((fact) => fact.client_order_id === order.client_order_id || fact.order_id === order.order_id);
  return { intents: own.filter((fact) => fact.intent_id), orders: own.filter((fact) => !fact.intent_id) };
}

export const FILL_COLUMNS = ["at", "symbol", "side", "quantity", "price", "fee", "fee_asset", "order_id", "client_order_id", "id"];
export const ORDER_COLUMNS = [
  ...["submitted_at", "symbol", "side", "type", "quantity", "limit_price", "stop_price", "time_in_force", "status", "filled_quantity"],
  ...["average_price", "reason", "order_id", "client_order_id"],
];

/** @param {any[]} orders */
export const orderRows = (orders) => orders.map((order) => ({ ...order.terms, ...order }));

/** Fills, newest first. @param {any[]} list */
export const csv = (list) => csvOf(FILL_COLUMNS, list);
