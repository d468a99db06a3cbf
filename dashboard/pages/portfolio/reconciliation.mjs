// Whether our books and the broker's say the same: when they were last compared, what our fills add up to beside what the broker holds, and
// every difference that was found.

import { computed } from "@preact/signals";
import { Badge, Empty, Moment } from "#app/components/figures.mjs";
import { Table } from "#app/components/panel.mjs";
import { compareBooks } from "#app/controls.mjs";
import { plural, signedQuantity } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { changing } from "#app/may.mjs";
import { running } from "#app/requests.mjs";
import { symbolPath } from "#app/router.mjs";
import { held } from "#app/standing.mjs";
import { all, latest } from "#app/store.mjs";
import { fills, working } from "./order_book.mjs";

const HEADS = ["Symbol", "#Our books", "The broker's", "#Reserved by orders", "Stop", "Target", "Working orders"];
const FOUND_HEADS = ["Symbol", "What", "Ours", "Broker's", "#Found"];

const positions = computed(() => all("position").filter(held).sort((a, b) => (a.symbol < b.symbol ? -1 : 1)));

/**
 * Whether an order that works at the broker stands for a price that we say protects.
 * @param {any} position
 * @param {"stop_price" | "target_price"} field
 */
function protection(position, field) {
  const wanted = position[field];
  if (!wanted) return html`<span class="quiet">none</span>`;
  const name = field === "stop_price" ? "stop_price" : "limit_price";
  const there = working.value.some(({ symbol, terms }) => symbol === position.symbol && Number(terms[name]) === Number(wanted));
  return there ? html`<${Badge} tone="good">order at the broker<//>` : html`<${Badge} tone="info">watched here<//>`;
}

/** Both books are made one at every comparison: since then only a fill can have moved ours. @param {string} symbol */
function agreement(symbol) {
  const at = latest("account").value?.reconciled_at;
  if (!at) return html`<${Badge} tone="warn">not compared yet<//>`;
  const since = fills.value.filter((fill) => fill.symbol === symbol && fill.made_at > at).length;
  if (since) return html`<${Badge} tone="info">${plural(since, "fill")} since the comparison<//>`;
  return html`<${Badge} tone="good">the same<//>`;
}

/** @param {{position: any}} props */
function Row({ position }) {
  const { symbol, quantity, available } = position;
  const reserved = available === undefined ? null : Math.abs(Number(quantity)) - Math.abs(Number(available));
  return html`<tr>
    <th scope="row"><a href=${symbolPath(symbol)}>${symbol}</a></th>
    <td class="num" data-label="Our books">${signedQuantity(quantity)}</td>
    <td data-label="The broker's">${agreement(symbol)}</td>
    <td class="num" data-label="Reserved by orders">${reserved === null ? "–" : signedQuantity(reserved.toFixed(9))}</td>
    <td data-label="Stop">${protection(position, "stop_price")}</td>
    <td data-label="Target">${protection(position, "target_price")}</td>
    <td data-label="Working orders">${working.value.filter((order) => order.symbol === symbol).length || "none"}</td>
  </tr>`;
}

/** @param {{list: any[]}} props */
const Found = ({ list }) =>
  html`<${Table} label="Differences that were found" heads=${FOUND_HEADS}>
    ${list.map((one, at) => html`<tr key=${at}>
      <th scope="row"><a href=${symbolPath(one.symbol)}>${one.symbol}</a></th>
      <td data-label="What">${one.what}</td>
      <td data-label="Ours">${one.ours}</td>
      <td data-label="Broker's">${one.broker}</td>
      <td class="num" data-label="Found"><${Moment} at=${one.at} /></td>
    </tr>`)}
  <//>`;

export function CompareButton() {
  const busy = Boolean(running("reconcile"));
  return html`<button type="button" class="button button-small" ...${changing({ disabled: busy })} onClick=${compareBooks}>
    ${busy ? "Comparing…" : "Compare now"}
  </button>`;
}

export function Reconciliation() {
  const account = latest("account").value;
  if (!account) return html`<${Empty} title="The account has not been read yet" />`;
  const { reconciled_at: at, differences = 0, mismatches = [] } = account;
  const found = differences ? `${plural(differences, "difference")} since the start, the broker's side taken over` : "no differences";
  return html`
    <p class=${differences ? "notice notice-warn" : "notice"} data-testid="reconciled">
      <span>
        ${at ? html`Compared with the broker's books <${Moment} at=${at} />: ${found}.` : "Not compared with the broker's books yet."}
      </span>
    </p>
    ${mismatches.length > 0 && html`<${Found} list=${mismatches} />`}
    ${positions.value.length > 0 && html`<${Table} label="Positions and what protects them" heads=${HEADS} wide>
      ${positions.value.map((position) => html`<${Row} key=${position.symbol} position=${position} />`)}
    <//>`}
  `;
}
