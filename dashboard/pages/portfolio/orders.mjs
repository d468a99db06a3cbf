// Orders and fills: what works at the broker now, and what became of the others.

import { useEffect, useState } from "preact/hooks";
import { computed, signal } from "@preact/signals";
import { get } from "#app/api.mjs";
import { Confirm } from "#app/components/dialog.mjs";
import { Badge, Empty, Moment } from "#app/components/figures.mjs";
import { WhyButton } from "#app/components/why.mjs";
import { cancelOrder } from "#app/controls.mjs";
import { capital, money, price, quantity } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { running } from "#app/requests.mjs";
import { symbolPath } from "#app/router.mjs";
import { connection, online } from "#app/socket.mjs";
import { all, onFact, supersedes } from "#app/store.mjs";
import { OPEN_ORDER, orderStatus, termsWords } from "#app/words.mjs";

const PAGE = 200;

/** By order id, the newest state of each. @type {import("@preact/signals").Signal<Map<string, any>>} */
const known = signal(new Map());
/** @type {import("@preact/signals").Signal<any[]>} */
const fills = signal([]);
const loaded = signal({ state: "loading", detail: "" });

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

async function load() {
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

const newestFirst = computed(() => [...withOrders(known.value, all("order")).values()].sort((a, b) => ((a.submitted_at ?? a.at) < (b.submitted_at ?? b.at) ? 1 : -1)));
const working = computed(() => newestFirst.value.filter(({ status }) => OPEN_ORDER.has(status)));
const done = computed(() => newestFirst.value.filter(({ status }) => !OPEN_ORDER.has(status)).slice(0, PAGE));

/** @param {{order: any}} props */
function Cancel({ order }) {
  const [asked, setAsked] = useState(false);
  const busy = running(`cancel ${order.order_id}`);
  return html`<button type="button" class="button button-small" disabled=${!online.value || Boolean(busy)} aria-label=${`Cancel the order of ${order.symbol}`} onClick=${() => setAsked(true)}>${busy ? "Cancelling…" : "Cancel"}</button>
    ${asked && html`<${Confirm} title=${`Cancel this order of ${order.symbol}?`} confirm="Cancel the order" onClose=${() => setAsked(false)} onConfirm=${() => cancelOrder(order.symbol, order.order_id)}>
      <p>${capital(termsWords(order.terms, order.symbol))}. What has filled stays filled.</p><//>`}`;
}

/** @param {{order: any}} props */
function Row({ order }) {
  const [status, tone] = orderStatus(order.status);
  const filled = Number(order.filled_quantity ?? 0);
  return html`<tr><th scope="row"><a href=${symbolPath(order.symbol)}>${order.symbol}</a></th>
    <td data-label="Order">${capital(termsWords(order.terms, order.symbol))}</td>
    <td data-label="State"><${Badge} tone=${tone} title=${order.broker_status}>${status}<//>${order.ours === false && html` <${Badge} tone="quiet">not ours<//>`}${order.reason && html`<span class="cell-note">${order.reason}</span>`}</td>
    <td class="num" data-label="Filled">${filled ? `${quantity(order.filled_quantity)} of ${quantity(order.terms.quantity)}` : "–"}</td>
    <td class="num" data-label="Average price">${price(order.average_price, order.symbol)}</td>
    <td class="num" data-label="Submitted"><${Moment} at=${order.submitted_at ?? order.at} /></td>
    <td class="row-actions">${OPEN_ORDER.has(order.status) ? html`<${Cancel} order=${order} />` : html`<${WhyButton} id=${order.id} />`}</td></tr>`;
}

/** @param {{orders: any[], label: string}} props */
const Table = ({ orders, label }) => html`<div class="table-scroll" tabindex="0" role="group" aria-label=${label}><table class="table table-cards"><thead><tr><th scope="col">Symbol</th><th scope="col">Order</th><th scope="col">State</th>
  <th scope="col" class="num">Filled</th><th scope="col" class="num">Average price</th><th scope="col" class="num">Submitted</th><th scope="col"><span class="sr-only">Actions</span></th></tr></thead>
  <tbody>${orders.map((order) => html`<${Row} key=${order.order_id} order=${order} />`)}</tbody></table></div>`;

export function WorkingOrders() {
  if (!working.value.length) return html`<${Empty} title="No working orders" />`;
  return html`<${Table} orders=${working.value} label="Working orders" />`;
}

export function DoneOrders() {
  const { state, detail } = loaded.value;
  if (state === "error" && !done.value.length) return html`<${Empty} title="Orders could not be loaded">${detail} <button type="button" class="link" onClick=${load}>Try again</button><//>`;
  if (!done.value.length) return html`<${Empty} title=${state === "loading" ? "Loading orders…" : "No orders yet"} />`;
  return html`<${Table} orders=${done.value} label="Orders that are done" />`;
}

export function Fills() {
  if (!fills.value.length) return html`<${Empty} title=${loaded.value.state === "loading" ? "Loading fills…" : "No fills yet"} />`;
  return html`<div class="table-scroll" tabindex="0" role="group" aria-label="Fills"><table class="table table-cards"><thead><tr><th scope="col">Symbol</th><th scope="col">Side</th><th scope="col" class="num">Quantity</th><th scope="col" class="num">Price</th>
    <th scope="col" class="num">Value</th><th scope="col" class="num">Fee</th><th scope="col" class="num">Time</th><th scope="col"><span class="sr-only">Actions</span></th></tr></thead>
    <tbody>${fills.value.map(
      (fill) => html`<tr key=${fill.id}><th scope="row"><a href=${symbolPath(fill.symbol)}>${fill.symbol}</a></th><td data-label="Side"><span class=${`action action-${fill.side}`}>${capital(fill.side)}</span></td>
        <td class="num" data-label="Quantity">${quantity(fill.quantity)}</td><td class="num" data-label="Price">${price(fill.price, fill.symbol)}</td>
        <td class="num" data-label="Value">${money(Number(fill.quantity) * Number(fill.price))}</td>
        <td class="num" data-label="Fee">${fill.fee ? (fill.fee_asset && fill.fee_asset !== "USD" ? `${quantity(fill.fee)} ${fill.fee_asset}` : money(fill.fee)) : "–"}</td>
        <td class="num" data-label="Time"><${Moment} at=${fill.at} /></td><td class="row-actions"><${WhyButton} id=${fill.id} /></td></tr>`,
    )}</tbody></table></div>`;
}

/** @returns {string} fills as CSV, newest first */
export function fillsAsCsv() {
  const columns = ["at", "symbol", "side", "quantity", "price", "fee", "fee_asset", "order_id", "client_order_id", "id"];
  const cell = (/** @type {any} */ value) => `"${String(value ?? "").replaceAll('"', '""').replace(/^([=+@-])(?!\d)/, "'$1")}"`;
  return [columns.join(","), ...fills.peek().map((fill) => columns.map((name) => cell(fill[name])).join(","))].join("\r\n");
}
