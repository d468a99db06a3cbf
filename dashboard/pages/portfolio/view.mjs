// What the account holds, what was ordered and what it brought: as the broker says, with the last time both books were compared.

import { EquityChart } from "#app/components/equity_chart.mjs";
import { Change, Empty, Gain } from "#app/components/figures.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Panel, Values } from "#app/components/panel.mjs";
import { Positions } from "#app/components/positions.mjs";
import { SaveButton } from "#app/components/save_button.mjs";
import { LiquidateButton } from "#app/components/symbol_actions.mjs";
import { money } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { held } from "#app/standing.mjs";
import { all, latest } from "#app/store.mjs";
import { useOrders } from "./order_book.mjs";
import { DoneOrders, Fills, SaveFills, SaveOrders, WorkingOrders } from "./orders.mjs";
import { CompareButton, Reconciliation } from "./reconciliation.mjs";
import { Exposure, Results, SaveResults } from "./trades.mjs";

const POSITION_COLUMNS = [
  ...["at", "symbol", "quantity", "available", "average_price", "last_price", "value", "unrealized", "realized_today"],
  ...["stop_price", "target_price"],
];

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
    ["Deposits today", cash(account.deposits)],
    ["Working entries", cash(account.working)],
    ["Peak equity", cash(account.peak_equity)],
  ];
  return html`
    <${Values} rows=${rows} />
    ${account.blocked && html`<p class="notice notice-bad"><span>The broker refuses trading: ${account.blocked}</span></p>`}
  `;
}

const PositionTools = () => html`<span class="section-tools">
  <${SaveButton} what="positions" columns=${POSITION_COLUMNS} rows=${() => all("position").filter(held)} />
  <${LiquidateButton} />
</span>`;

export default function Portfolio() {
  useOrders();
  return html`<div class="stack">
    <h1 class="sr-only">Portfolio and orders</h1>
    <div class="side-by-side">
      <section class="panel account-panel" aria-label="Equity"><${EquityChart} /></section>
      <${Panel} title="Account" name="account-title"><${Account} /><//>
    </div>
    <${Panel} title="Open positions" name="positions-title" tools=${html`<${PositionTools} />`}><${Positions} /><//>
    <${Panel} title="Working orders" name="working-title"><${WorkingOrders} /><//>
    <div class="side-by-side">
      <${Panel} title="Realised" name="results-title" tools=${html`<${SaveResults} />`}><${Results} /><//>
      <${Panel} title="Exposure" name="exposure-title"><${Exposure} /><//>
    </div>
    <${Panel} title="Our books and the broker's" name="books-title" tools=${html`<${CompareButton} />`}><${Reconciliation} /><//>
    <${Panel} title="Orders" name="orders-title" tools=${html`<${SaveOrders} />`}><${DoneOrders} /><//>
    <${Panel} title="Fills" name="fills-title" tools=${html`<${SaveFills} />`}><${Fills} /><//>
  </div>`;
}
