// Tables of orders and fills: what works at the broker now, and what became of the others, each with its life from wish to end.

import { useState } from "preact/hooks";
import { Confirm } from "#app/components/dialog.mjs";
import { Badge, Empty, Moment } from "#app/components/figures.mjs";
import { Icon } from "#app/components/icon.mjs";
import { Table } from "#app/components/panel.mjs";
import { Life, milliseconds } from "#app/components/reasons.mjs";
import { SaveButton } from "#app/components/save_button.mjs";
import { life } from "#app/components/story.mjs";
import { WhyButton } from "#app/components/why.mjs";
import { cancelOrder } from "#app/controls.mjs";
import { capital, money, price, quantity } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { changing } from "#app/may.mjs";
import { running } from "#app/requests.mjs";
import { symbolPath } from "#app/router.mjs";
import { isForeign, OPEN_ORDER, orderStatus, termsWords } from "#app/words.mjs";
import { done, FILL_COLUMNS, fills, lifeOf, load, loaded, ORDER_COLUMNS, orderRows, working } from "./order_book.mjs";

const ORDER_HEADS = ["Symbol", "Order", "State", "#Filled", "#Average price", "#Submitted", "#Took", ""];
const FILL_HEADS = ["Symbol", "Side", "#Quantity", "#Price", "#Value", "#Fee", "#Time", ""];
const SHOWN_AT_FIRST = 25;

/** @param {{order: any}} props */
function Cancel({ order }) {
  const [asked, setAsked] = useState(false);
  const busy = Boolean(running(`cancel ${order.order_id}`));
  return html`
    <button type="button" class="button button-small" ...${changing({ disabled: busy })} aria-label=${`Cancel the order of ${order.symbol}`}
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

/** From the recorded wish to the last state, null where only one is at hand. @param {any} order */
function took(order) {
  const { intents, orders } = lifeOf(order);
  const all = life([...intents, ...orders]);
  return all.length > 1 ? Date.parse(all[all.length - 1].at) - Date.parse(all[0].at) : null;
}

/** @param {string} state */
const intentWord = (state) => (state === "intent" ? "recorded" : state.replaceAll("_", " "));
/** @param {string} state */
const orderWord = (state) => orderStatus(state)[0];

/** @param {{order: any, id: string}} props */
function Cycle({ order, id }) {
  const { intents, orders } = lifeOf(order);
  return html`<tr class="cycle" id=${id}>
    <td colspan=${ORDER_HEADS.length}>
      <div class="cycle-lines">
        ${intents.length > 0 && html`<div><span class="label">Ours</span><${Life} facts=${intents} words=${intentWord} /></div>`}
        ${orders.length > 0 && html`<div>
          <span class="label">At the broker</span><${Life} facts=${orders} words=${orderWord} />
        </div>`}
        ${!intents.length && !orders.length && html`<p class="hint">Its earlier states are older than what is at hand here.</p>`}
        <p class="hint">
          <code>${order.client_order_id}</code> · <code>${order.order_id}</code>${order.broker_status && ` · ${order.broker_status}`}
        </p>
      </div>
    </td>
  </tr>`;
}

/** @param {{order: any}} props */
function OrderRow({ order }) {
  const [open, setOpen] = useState(false);
  const [status, tone] = orderStatus(order.status);
  const filled = Number(order.filled_quantity ?? 0) ? `${quantity(order.filled_quantity)} of ${quantity(order.terms.quantity)}` : "–";
  const id = `life-${order.order_id}`;
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
      <td class="num" data-label="Took">${milliseconds(took(order))}</td>
      <td class="row-actions">
        ${OPEN_ORDER.has(order.status) && html`<${Cancel} order=${order} />`}
        <button type="button" class="button button-small" aria-expanded=${open} aria-controls=${id}
          aria-label=${`Life of the order of ${order.symbol}`} onClick=${() => setOpen(!open)}>Life</button>
        <${WhyButton} id=${order.id} label=${`Why this order of ${order.symbol}`} />
      </td>
    </tr>
    ${open && html`<${Cycle} order=${order} id=${id} />`}`;
}

/**
 * The first few, the others when asked for.
 * @param {{list: any[], label: string, heads: string[], row: any, of: (one: any) => string, wide?: boolean}} props
 */
function Some({ list, label, heads, row, of, wide = false }) {
  const [all, setAll] = useState(false);
  const shown = all ? list : list.slice(0, SHOWN_AT_FIRST);
  const more = html`<button type="button" class="button button-small" onClick=${() => setAll(true)}>Show all ${list.length}</button>`;
  return html`<${Table} label=${label} heads=${heads} wide=${wide}>
      ${shown.map((one) => html`<${row} key=${of(one)} order=${one} fill=${one} />`)}
    <//>
    ${shown.length < list.length && html`<p class="table-more">${more}</p>`}`;
}

/** @param {any} one */
const orderName = (one) => one.order_id;

export function WorkingOrders() {
  if (!working.value.length) return html`<${Empty} title="No working orders" />`;
  return html`<${Some} list=${working.value} label="Working orders" heads=${ORDER_HEADS} row=${OrderRow} of=${orderName} wide />`;
}

/** What a table says while it has nothing. @param {{what: string}} props */
function Nothing({ what }) {
  const { state, detail } = loaded.value;
  if (state !== "error") return html`<${Empty} title=${state === "loading" ? `Loading ${what}…` : `No ${what} yet`} />`;
  const again = html`<button type="button" class="link" onClick=${load}>Try again</button>`;
  return html`<${Empty} title=${`${capital(what)} could not be loaded`}>${detail} ${again}<//>`;
}

export function DoneOrders() {
  if (!done.value.length) return html`<${Nothing} what="orders" />`;
  return html`<${Some} list=${done.value} label="Orders that are done" heads=${ORDER_HEADS} row=${OrderRow} of=${orderName} wide />`;
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
    <td data-label="Side">
      <span class=${`action action-${fill.side}`}><${Icon} name=${fill.side} size=${12} />${capital(fill.side)}</span>
    </td>
    <td class="num" data-label="Quantity">${quantity(fill.quantity)}</td>
    <td class="num" data-label="Price">${price(fill.price, fill.symbol)}</td>
    <td class="num" data-label="Value">${money(Number(fill.quantity) * Number(fill.price))}</td>
    <td class="num" data-label="Fee">${fee(fill)}</td>
    <td class="num" data-label="Time"><${Moment} at=${fill.at} /></td>
    <td class="row-actions"><${WhyButton} id=${fill.id} label=${`Why this fill of ${fill.symbol}`} /></td>
  </tr>`;

export function Fills() {
  if (!fills.value.length) return html`<${Nothing} what="fills" />`;
  return html`<${Some} list=${fills.value} label="Fills" heads=${FILL_HEADS} row=${FillRow} of=${(/** @type {any} */ one) => one.id} />`;
}

export const SaveFills = () => html`<${SaveButton} what="fills" columns=${FILL_COLUMNS} rows=${() => fills.peek()} />`;

export const SaveOrders = () =>
  html`<${SaveButton} what="orders" columns=${ORDER_COLUMNS} rows=${() => orderRows([...working.peek(), ...done.peek()])} />`;
