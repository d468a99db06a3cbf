// What a move of every price at once would do to the account as it stands. Arithmetic, not a forecast.

import { Badge, Change, Empty, Gain } from "#app/components/figures.mjs";
import { Table } from "#app/components/panel.mjs";
import { settingsOf } from "#app/components/turn_on.mjs";
import { money, percent, signedPercent } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { latest } from "#app/store.mjs";

const MOVES = [0.05, -0.01, -0.02, -0.05, -0.1, -0.2];

/**
 * Before stops, fees and slippage: what is held is worth that much more or less.
 * @param {any} account @param {number} move of every price, a fraction @param {Record<string, any>} limits of execution
 */
export function after(account, move, limits) {
  const net = Number(account.exposure_long ?? 0) - Math.abs(Number(account.exposure_short ?? 0));
  const change = net * move;
  const equity = Number(account.equity) + change;
  const start = Number(account.day_start_equity);
  const day = start > 0 ? (Number(account.day_change) + change) / start : null;
  const drawdown = Math.max(0, 1 - equity / Math.max(equity, Number(account.peak_equity)));
  const [mostLost, mostDrawn] = [Number(limits.max_daily_loss_percent), Number(limits.max_drawdown_percent)];
  const halts = [];
  if (day !== null && mostLost && -day * 100 >= mostLost) halts.push("day's loss");
  if (mostDrawn && drawdown * 100 >= mostDrawn) halts.push("drawdown");
  return { change, equity, day, drawdown, halts };
}

/** @param {{account: any, move: number, limits: Record<string, any>}} props */
function Row({ account, move, limits }) {
  const { change, equity, day, drawdown, halts } = after(account, move, limits);
  return html`<tr>
    <th scope="row" class="figure">${signedPercent(move, 0)}</th>
    <td class="num" data-label="Profit and loss"><${Gain} value=${change} currency=${account.currency} /></td>
    <td class="num" data-label="Equity">${money(equity, account.currency)}</td>
    <td class="num" data-label="Day"><${Change} value=${day} /></td>
    <td class="num" data-label="Drawdown">${percent(drawdown, 2)}</td>
    <td data-label="Limits">
      ${halts.length ? html`<${Badge} tone="bad">halts: ${halts.join(" and ")}<//>` : html`<span class="quiet">none reached</span>`}
    </td>
  </tr>`;
}

const HEADS = ["Every price", "#Profit and loss", "#Equity", "#Day", "#Drawdown", "Limits"];

export function WhatIf() {
  const account = latest("account").value;
  if (!account) return html`<${Empty} title="The account has not been read yet" />`;
  const held = Number(account.exposure_long ?? 0) || Number(account.exposure_short ?? 0);
  if (!held) return html`<${Empty} title="Nothing is held">No move of any price changes the account.<//>`;
  const limits = settingsOf("execution");
  return html`
    <${Table} label="What if" heads=${HEADS}>
      ${MOVES.map((move) => html`<${Row} key=${move} account=${account} move=${move} limits=${limits} />`)}
    <//>
    <p class="hint">Arithmetic on what is held now, before stops, fees and slippage. Not a forecast, and prices rarely move together.</p>
  `;
}
