// Open positions: a table, on a phone a list of cards.

import { computed } from "@preact/signals";
import { money, percent, price, signedQuantity } from "../format.mjs";
import { html } from "../html.mjs";
import { symbolPath } from "../router.mjs";
import { gainFraction, held } from "../standing.mjs";
import { all, latest, system } from "../store.mjs";
import { Change, Empty, Gain } from "./figures.mjs";
import { Table } from "./panel.mjs";
import { CloseButton } from "./symbol_actions.mjs";

/** @param {{symbol: string}} props */
function Row({ symbol }) {
  const position = latest("position", symbol).value;
  const equity = Number(latest("account").value?.equity ?? 0);
  const { stop_price: stop, target_price: target } = position;
  const exits = stop || target;
  const share = equity ? Math.abs(Number(position.value)) / equity : null;
  return html`<tr data-symbol=${symbol}>
    <th scope="row"><a href=${symbolPath(symbol)}>${symbol}</a></th>
    <td class="num" data-label="Quantity">${signedQuantity(position.quantity)}</td>
    <td class="num" data-label="Average price">${price(position.average_price, symbol)}</td>
    <td class="num" data-label="Last price">${price(position.last_price, symbol)}</td>
    <td class="num" data-label="Value"><span>${money(position.value)} <span class="cell-part">${percent(share)}</span></span></td>
    <td class="num" data-label="Unrealised">
      <span>
        <${Gain} value=${position.unrealized} /> <span class="cell-part"><${Change} value=${gainFraction(position)} arrow=${false} /></span>
      </span>
    </td>
    <td class="num" data-label="Realised today">
      ${position.realized_today === undefined ? "–" : html`<${Gain} value=${position.realized_today} />`}
    </td>
    <td class="num" data-label="Stop / target">${exits ? `${price(stop, symbol)} / ${price(target, symbol)}` : "–"}</td>
    <td class="row-actions"><${CloseButton} symbol=${symbol} /></td>
  </tr>`;
}

const HEADS = ["Symbol", "#Quantity", "#Average price", "#Last price", "#Value", "#Unrealised", "#Realised today", "#Stop / target", ""];

/** One text, so that a new price does not draw the whole table. */
const open = computed(() =>
  all("position")
    .filter(held)
    .map(({ symbol }) => symbol)
    .sort()
    .join(" "),
);

export function Positions() {
  if (!system.value.ready) return html`<${Empty} title="Loading positions…" />`;
  if (!open.value)
    return html`<${Empty} title="No open positions">What the system buys appears here with its value and profit or loss.<//>`;
  return html`<${Table} label="Open positions" heads=${HEADS} wide>
    ${open.value.split(" ").map((symbol) => html`<${Row} key=${symbol} symbol=${symbol} />`)}
  <//>`;
}
