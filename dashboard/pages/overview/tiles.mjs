// The account in twelve figures.

import { computed } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Change, Gain, Skeleton } from "#app/components/figures.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Used } from "#app/components/meters.mjs";
import { milliseconds } from "#app/components/reasons.mjs";
import { settingsOf } from "#app/components/turn_on.mjs";
import { startEquity, weekAgo } from "#app/equity.mjs";
import { exposureOf } from "#app/exposure.mjs";
import { money, percent, plural, signedMoney, time } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { modelCalls, startModelCalls } from "#app/model_calls.mjs";
import { results, startResults } from "#app/results.mjs";
import { all, latest } from "#app/store.mjs";

const WEEK_MS = 6.9 * 86_400_000;
const MONTH_MS = 30 * 86_400_000;

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
  const of = percent(most / 100, most % 1 ? 1 : 0);
  return html`<${Used} value=${share * 100} limit=${most} label=${label} /><span>${percent(share)} of ${of}</span>`;
}

/** Positions change with every price; the sums are looked at once for all tiles. */
const exposure = computed(() => exposureOf(all("position")));

/** Closing orders with a gain, of those of the last thirty days. @param {import("#app/results.mjs").Row[]} rows @param {number} now */
export function winRate(rows, now) {
  const recent = rows.filter(({ day }) => now - Date.parse(day) < MONTH_MS);
  const closed = recent.reduce((sum, row) => sum + row.closed, 0);
  const wins = recent.reduce((sum, row) => sum + row.wins, 0);
  return { closed, wins, rate: closed ? wins / closed : null };
}

/** @param {{account: any}} props */
function Week({ account }) {
  const before = weekAgo.value;
  if (!before) return html`<${Tile} label="7 days" foot=${html`<span>nothing to compare with</span>`}>–<//>`;
  const young = Date.now() - before.at < WEEK_MS;
  const change = Number(account.equity) - before.equity;
  return html`<${Tile} label=${young ? "Since the start" : "7 days"} title=${`Since ${time(before.at)}. Deposits and withdrawals count.`}
    foot=${html`<${Change} value=${change / before.equity} arrow=${false} />`}>
    <${Gain} value=${change} currency=${account.currency} />
  <//>`;
}

/** @param {{account: any}} props */
function Exposures({ account }) {
  const { currency, equity } = account;
  const { long, short, net, risk, unprotected } = exposure.value;
  const limits = settingsOf("execution");
  const share = (/** @type {number} */ amount) => (Number(equity) ? amount / Number(equity) : 0);
  const both = `long ${money(long, currency)}, short ${money(short, currency)}`;
  return html`
    <${Tile} label="Exposure" title=${both}
      foot=${againstLimit(share(long + short), limits.max_exposure_percent, "Exposure against its limit")}>
      ${money(long + short, currency)}
    <//>
    <${Tile} label="Net exposure" title=${both}
      foot=${html`<span>long ${percent(share(long), 0)}, short ${percent(share(short), 0)}</span>`}>
      ${net ? signedMoney(net, currency) : money(0, currency)}
    <//>
    <${Tile} label="Open risk" title="What is lost if every stop is filled at its price; without a stop, all of it"
      foot=${html`<span class=${unprotected ? "bad" : ""}>
        ${unprotected ? `${plural(unprotected, "position")} without a stop` : `${percent(share(risk), 2)} of equity`}
      </span>`}>
      ${money(risk, currency)}
    <//>
  `;
}

function WinRate() {
  const { value } = results;
  const { closed, wins, rate } = winRate(value?.days ?? [], Date.now());
  const foot = closed ? `${wins} of ${plural(closed, "trade")}` : value ? "no trade closed yet" : "";
  const title = value?.since ? `Of the fills since ${time(value.since)}` : "";
  return html`<${Tile} label="Win rate, 30 days" title=${title} foot=${html`<span>${foot}</span>`}>
    ${value ? (rate === null ? "–" : percent(rate, 0)) : html`<${Skeleton} width="4ch" />`}
  <//>`;
}

function Latency() {
  const calls = modelCalls.value;
  const model = latest("model").value;
  const off = !model || model.phase === "off";
  const bad = calls?.failed ? `, ${calls.failed} of ${calls.calls} failed` : "";
  const foot = calls?.calls ? `median ${milliseconds(calls.median_ms)}${bad}` : off ? "no model" : "no call yet";
  const title = calls?.calls ? `Of the newest ${plural(calls.calls, "call")}` : "";
  return html`<${Tile} label="Model latency, p95" title=${title} foot=${html`<span>${foot}</span>`}>
    ${calls ? milliseconds(calls.p95_ms) : html`<${Skeleton} width="5ch" />`}
  <//>`;
}

const LABELS = [
  ...["Equity", "Day", "7 days", "Drawdown", "Cash", "Buying power"],
  ...["Exposure", "Net", "Open risk", "Win rate", "Latency", "Orders"],
];

export function Tiles() {
  const account = latest("account").value;
  useEffect(() => {
    startEquity();
    startResults();
    startModelCalls();
  }, []);
  if (!account)
    return html`<dl class="tiles">
      ${LABELS.map((label) => html`<${Tile} key=${label} label=${label}><${Skeleton} width="7ch" /><//>`)}
    </dl>`;
  const { currency, equity } = account;
  const limits = settingsOf("execution");
  const fall = drawdown(account) ?? 0;
  const open = account.orders_open ?? 0;
  const peak = html`<span>peak ${money(account.peak_equity, currency)}</span>`;
  return html`<dl class="tiles" data-testid="tiles">
    <${Tile} label="Equity" foot=${html`<span>start ${money(account.day_start_equity, currency)}</span>`}>${money(equity, currency)}<//>
    <${Tile} label="Day" title="Deposits and withdrawals do not count"
      foot=${html`<${Change} value=${dayFraction(account)} arrow=${false} />`}>
      <${Gain} value=${account.day_change} currency=${currency} />
    <//>
    <${Week} account=${account} />
    <${Tile} label="Drawdown" title=${`From the peak of ${money(account.peak_equity, currency)}`}
      foot=${againstLimit(fall, limits.max_drawdown_percent, "Drawdown against its limit") ?? peak}>
      ${percent(fall, 2)}
    <//>
    <${Tile} label="Cash" foot=${html`<span>${percent(Number(equity) ? Number(account.cash) / Number(equity) : 0)} of equity</span>`}>
      ${money(account.cash, currency)}
    <//>
    <${Tile} label="Buying power" foot=${account.blocked ? html`<span class="bad">${account.blocked}</span>` : null}>
      ${money(account.buying_power, currency)}
    <//>
    <${Exposures} account=${account} />
    <${WinRate} />
    <${Latency} />
    <${Tile} label="Working orders" foot=${html`<span>entries ${money(account.working ?? 0, currency)}</span>`}>${open || "none"}<//>
  </dl>`;
}
