// What the account holds and what was ordered: as the broker says, with the last time both books were compared.

import { EquityChart } from "#app/components/equity_chart.mjs";
import { Change, Empty, Gain, Moment } from "#app/components/figures.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Positions } from "#app/components/positions.mjs";
import { LiquidateButton } from "#app/components/symbol_actions.mjs";
import { money, plural } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { latest } from "#app/store.mjs";
import { DoneOrders, Fills, fillsAsCsv, useOrders, WorkingOrders } from "./orders.mjs";

function Account() {
  const account = latest("account").value;
  if (!account) return html`<${Empty} title="The account has not been read yet" />`;
  const { currency } = account;
  const rows = [
    ["Account", account.account], ["Broker", `${account.broker}, ${account.mode}`], ["Equity", money(account.equity, currency)], ["Cash", money(account.cash, currency)],
    ["Buying power", money(account.buying_power, currency)], ["Day", html`<${Gain} value=${account.day_change} currency=${currency} /> <${Change} value=${dayFraction(account)} arrow=${false} />`],
    ["Long", money(account.exposure_long ?? 0, currency)], ["Short", money(account.exposure_short ?? 0, currency)], ["Working entries", money(account.working ?? 0, currency)],
    ["Peak equity", money(account.peak_equity, currency)],
  ];
  return html`<dl class="values values-wide">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class="figure">${value}</dd></div>`)}</dl>
    ${account.blocked && html`<p class="notice notice-bad"><span>The broker refuses trading: ${account.blocked}</span></p>`}`;
}

function Reconciliation() {
  const account = latest("account").value;
  if (!account) return null;
  const differences = account.differences ?? 0;
  return html`<p class=${`notice ${differences ? "notice-warn" : ""}`}><span>${
    account.reconciled_at ? html`Compared with the broker's books <${Moment} at=${account.reconciled_at} />: ${differences ? `${plural(differences, "difference")} repaired since the start` : "no differences"}.` : "Not compared with the broker's books yet."
  }</span></p>`;
}

function saveFills() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([fillsAsCsv()], { type: "text/csv" }));
  link.download = "fills.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
}

/** @param {{title: string, name: string, tools?: any, children: any}} props */
const Panel = ({ title, name, tools, children }) =>
  html`<section class="panel" aria-labelledby=${name}><div class="panel-head"><h2 id=${name}>${title}</h2>${tools}</div>${children}</section>`;

export default function Portfolio() {
  useOrders();
  return html`<div class="stack"><h1 class="sr-only">Portfolio and orders</h1>
    <div class="side-by-side"><${Panel} title="Account" name="account-title"><${Account} /><${Reconciliation} /><//>
      <section class="panel account-panel" aria-label="Equity"><${EquityChart} /></section></div>
    <${Panel} title="Open positions" name="positions-title" tools=${html`<${LiquidateButton} />`}><${Positions} /><//>
    <${Panel} title="Working orders" name="working-title"><${WorkingOrders} /><//>
    <${Panel} title="Orders" name="orders-title"><${DoneOrders} /><//>
    <${Panel} title="Fills" name="fills-title" tools=${html`<button type="button" class="button button-small" onClick=${saveFills}>Save as CSV</button>`}><${Fills} /><//></div>`;
}
