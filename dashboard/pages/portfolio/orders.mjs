// Tables of orders and fills: what works at the broker now, and what became of the others.

import { useState } from "preact/hooks";
import { Confirm } from "#app/components/dialog.mjs";
import { Badge, Empty, Moment } from "#app/components/figures.mjs";
import { Table } from "#app/components/panel.mjs";
import { WhyButton } from "#app/components/why.mjs";
import { cancelOrder } from "#app/controls.mjs";
import { capital, money, price, quantity } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { running } from "#app/requests.mjs";
import { symbolPath } from "#app/router.mjs";
import { online } from "#app/socket.mjs";
import { isForeign, OPEN_ORDER, orderStatus, termsWords } from "#app/words.mjs";
import { done, fills, load, loaded, working } from "./order_book.mjs";

const ORDER_HEADS = ["Symbol", "Order", "State", "#Filled", "#Average price", "#Submitted", ""];
const FILL_HEADS = ["Symbol", "Side", "#Quantity", "#Price", "#Value", "#Fee", "#Time", ""];

/** @param {{order: any}} props */
function Cancel({ order }) {
  const [asked, setAsked] = useState(false);
  const busy = Boolean(running(`cancel ${order.order_id}`));
  return html`
    <button type="button" class="button button-small" disabled=${!online.value || busy} aria-label=${`Cancel the order of ${order.symbol}`}
      onClick=${() => setAsked(true)}>${busy ? "Cancelling…" : "Cancel"}</button>
    ${asked && html`<${CancelQuestion} order=${order} onClose=${() => setAsked(false)} />`}
  `;
}

/** @param {{order: any, onClose: () => void}} props */
const CancelQuestion = ({ order, onClose }) =>
  html`<${Confirm} title=${`Cancel this order of ${order.symbol}?`} confirm="Cancel the order" onClose=${onClose}
    onConfirm=${() => cancelOrder(order.symbol, order.order_id)}>
    <p>${capital(termsWords(order.terms, order.symbol))}. What has filled stays filled.</p>
  <//>`;

/** @param {{order: any}} props */
function OrderRow({ order }) {
  const [status, tone] = orderStatus(order.status);
  const open = OPEN_ORDER.has(order.status);
  const filled = Number(order.filled_quantity ?? 0) ? `${quantity(order.filled_quantity)} of ${quantity(order.terms.quantity)}` : "–";
  return html`<tr>
    <th scope="row"><a href=${symbolPath(order.symbol)}>${order.symbol}</a></th>
    <td data-label="Order">${capital(termsWords(order.terms, order.symbol))}</td>
    <td data-label="State">
      <${Badge} tone=${tone} title=${order.broker_status}>${status}<//>
      ${isForeign(order) && html`<${Badge} tone="quiet">not ours<//>`}
      ${order.reason && html`<span class="cell-note">${order.reason}</span>`}
    </td>
    <td class="num" data-label="Filled">${filled}</td>
    <td class="num" data-label="Average price">${price(order.average_price, order.symbol)}</td>
    <td class="num" data-label="Submitted"><${Moment} at=${order.submitted_at ?? order.at} /></td>
    <td class="row-actions">${open ? html`<${Cancel} order=${order} />` : html`<${WhyButton} id=${order.id} />`}</td>
  </tr>`;
}

/** @param {{orders: any[], label: string}} props */
const Orders = ({ orders, label }) =>
  html`<${Table} label=${label} heads=${ORDER_HEADS}>
    ${orders.map((order) => html`<${OrderRow} key=${order.order_id} order=${order} />`)}
  <//>`;

export function WorkingOrders() {
  if (!working.value.length) return html`<${Empty} title="No working orders" />`;
  return html`<${Orders} orders=${working.value} label="Working orders" />`;
}

export function DoneOrders() {
  const { state, detail } = loaded.value;
  if (done.value.length) return html`<${Orders} orders=${done.value} label="Orders that are done" />`;
  if (state !== "error") return html`<${Empty} title=${state === "loading" ? "Loading orders…" : "No orders yet"} />`;
  const again = html`<button type="button" class="link" onClick=${load}>Try again</button>`;
  return html`<${Empty} title="Orders could not be loaded">${detail} ${again}<//>`;
}

/** @param {any} fill */
function fee(fill) {
  if (!fill.fee) return "–";
  return fill.fee_asset && fill.fee_asset !== "USD" ? `${quantity(fill.fee)} ${fill.fee_asset}` : money(fill.fee);
}

/** @param {{fill: any}} props */
const FillRow = ({ fill }) =>
  html`<tr>
    <th scope="row"><a href=${symbolPath(fill.symbol)}>${fill.symbol}</a></th>
    <td data-label="Side"><span class=${`action action-${fill.side}`}>${capital(fill.side)}</span></td>
    <td class="num" data-label="Quantity">${quantity(fill.quantity)}</td>
    <td class="num" data-label="Price">${price(fill.price, fill.symbol)}</td>
    <td class="num" data-label="Value">${money(Number(fill.quantity) * Number(fill.price))}</td>
    <td class="num" data-label="Fee">${fee(fill)}</td>
    <td class="num" data-label="Time"><${Moment} at=${fill.at} /></td>
    <td class="row-actions"><${WhyButton} id=${fill.id} /></td>
  </tr>`;

export function Fills() {
  if (!fills.value.length) return html`<${Empty} title=${loaded.value.state === "loading" ? "Loading fills…" : "No fills yet"} />`;
  return html`<${Table} label="Fills" heads=${FILL_HEADS}>
    ${fills.value.map((fill) => html`<${FillRow} key=${fill.id} fill=${fill} />`)}
  <//>`;
}
