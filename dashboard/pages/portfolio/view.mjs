// What the account holds and what was ordered: as the broker says, with the last time both books were compared.

import { EquityChart } from "#app/components/equity_chart.mjs";
import { Change, Empty, Gain, Moment } from "#app/components/figures.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Panel, Values } from "#app/components/panel.mjs";
import { Positions } from "#app/components/positions.mjs";
import { LiquidateButton } from "#app/components/symbol_actions.mjs";
import { money, plural } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { latest } from "#app/store.mjs";
import { fillsAsCsv, useOrders } from "./order_book.mjs";
import { DoneOrders, Fills, WorkingOrders } from "./orders.mjs";

function Account() {
  const account = latest("account").value;
  if (!account) return html`<${Empty} title="The account has not been read yet" />`;
  const cash = (/** @type {any} */ amount) => money(amount ?? 0, account.currency);
  const share = html`<${Change} value=${dayFraction(account)} arrow=${false} />`;
  const rows = [
    ["Account", account.account],
    ["Broker", `${account.broker}, ${account.mode}`],
    ["Equity", cash(account.equity)],
    ["Cash", cash(account.cash)],
    ["Buying power", cash(account.buying_power)],
    ["Day", html`<${Gain} value=${account.day_change} currency=${account.currency} /> ${share}`],
    ["Long", cash(account.exposure_long)],
    ["Short", cash(account.exposure_short)],
    ["Working entries", cash(account.working)],
    ["Peak equity", cash(account.peak_equity)],
  ];
  return html`
    <${Values} rows=${rows} />
    ${account.blocked && html`<p class="notice notice-bad"><span>The broker refuses trading: ${account.blocked}</span></p>`}
  `;
}

/** Whether our books and the broker's say the same. */
function Reconciliation() {
  const account = latest("account").value;
  if (!account) return null;
  const { reconciled_at: at, differences = 0 } = account;
  const found = differences ? `${plural(differences, "difference")} repaired since the start` : "no differences";
  return html`<p class=${differences ? "notice notice-warn" : "notice"}>
    ${at ? html`<span>Compared with the broker's books <${Moment} at=${at} />: ${found}.</span>` : "Not compared with the broker's yet."}
  </p>`;
}

function saveFills() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([fillsAsCsv()], { type: "text/csv" }));
  link.download = "fills.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
}

const SaveFills = () => html`<button type="button" class="button button-small" onClick=${saveFills}>Save as CSV</button>`;

export default function Portfolio() {
  useOrders();
  return html`<div class="stack">
    <h1 class="sr-only">Portfolio and orders</h1>
    <div class="side-by-side">
      <${Panel} title="Account" name="account-title"><${Account} /><${Reconciliation} /><//>
      <section class="panel account-panel" aria-label="Equity"><${EquityChart} /></section>
    </div>
    <${Panel} title="Open positions" name="positions-title" tools=${html`<${LiquidateButton} />`}><${Positions} /><//>
    <${Panel} title="Working orders" name="working-title"><${WorkingOrders} /><//>
    <${Panel} title="Orders" name="orders-title"><${DoneOrders} /><//>
    <${Panel} title="Fills" name="fills-title" tools=${html`<${SaveFills} />`}><${Fills} /><//>
  </div>`;
}
