// The account in six figures.

import { Change, Gain, Skeleton } from "#app/components/figures.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Used } from "#app/components/meters.mjs";
import { settingsOf } from "#app/components/turn_on.mjs";
import { money, percent, plural } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { latest } from "#app/store.mjs";

/** @param {{label: string, children: any, foot?: any, title?: string}} props */
const Tile = ({ label, children, foot, title }) =>
  html`<div class="tile" title=${title}>
    <dt class="label">${label}</dt>
    <dd class="tile-value figure">${children}</dd>
    <dd class="tile-foot">${foot}</dd>
  </div>`;

/** Fall from the highest equity, as a fraction not below zero. @param {any} account */
export function drawdown(account) {
  const peak = Number(account?.peak_equity);
  return peak > 0 ? Math.max(0, 1 - Number(account.equity) / peak) : null;
}

/** @param {number} share @param {any} limit percent @param {string} label */
function againstLimit(share, limit, label) {
  const most = Number(limit);
  if (!most) return null;
  return html`<${Used} value=${share * 100} limit=${most} label=${label} /><span>limit ${percent(most / 100, most % 1 ? 1 : 0)}</span>`;
}

const LABELS = ["Equity", "Day", "Cash", "Buying power", "Exposure", "Drawdown"];

export function Tiles() {
  const account = latest("account").value;
  if (!account)
    return html`<dl class="tiles">
      ${LABELS.map((label) => html`<${Tile} key=${label} label=${label}><${Skeleton} width="7ch" /><//>`)}
    </dl>`;
  const { currency, equity } = account;
  const limits = settingsOf("execution");
  const exposure = Number(account.exposure_long ?? 0) + Math.abs(Number(account.exposure_short ?? 0));
  const share = Number(equity) ? exposure / Number(equity) : 0;
  const fall = drawdown(account) ?? 0;
  const open = account.orders_open ?? 0;
  return html`<dl class="tiles" data-testid="tiles">
    <${Tile} label="Equity" foot=${html`<span>day start ${money(account.day_start_equity, currency)}</span>`}>${money(equity, currency)}<//>
    <${Tile} label="Day" title="Deposits and withdrawals do not count"
      foot=${html`<${Change} value=${dayFraction(account)} arrow=${false} />`}>
      <${Gain} value=${account.day_change} currency=${currency} />
    <//>
    <${Tile} label="Cash" foot=${html`<span>${open ? `${plural(open, "working order")}` : "no working orders"}</span>`}>
      ${money(account.cash, currency)}
    <//>
    <${Tile} label="Buying power" foot=${account.blocked ? html`<span class="down">${account.blocked}</span>` : null}>
      ${money(account.buying_power, currency)}
    <//>
    <${Tile} label="Exposure" foot=${againstLimit(share, limits.max_exposure_percent, "Exposure against its limit")}>
      ${money(exposure, currency)} <span class="tile-part">${percent(share)}</span>
    <//>
    <${Tile} label="Drawdown" title=${`From the peak of ${money(account.peak_equity, currency)}`}
      foot=${againstLimit(fall, limits.max_drawdown_percent, "Drawdown against its limit") ?? html`<span>
        peak ${money(account.peak_equity, currency)}
      </span>`}>
      ${percent(fall, 2)}
    <//>
  </dl>`;
}
