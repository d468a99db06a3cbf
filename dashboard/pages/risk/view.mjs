// How much of each limit is used, and everything that stops: halt, reduce only, liquidate.

import { Change, Empty, Gain, Moment } from "#app/components/figures.mjs";
import { HaltButton } from "#app/components/halt.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Used } from "#app/components/meters.mjs";
import { LiquidateButton } from "#app/components/symbol_actions.mjs";
import { TradingPanel } from "#app/components/trading_panel.mjs";
import { limitRows, settingsOf } from "#app/components/turn_on.mjs";
import { WhyButton } from "#app/components/why.mjs";
import { entries } from "#app/feed.mjs";
import { money, number } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { symbolPath } from "#app/router.mjs";
import { held } from "#app/standing.mjs";
import { all, latest } from "#app/store.mjs";
import { outcomeWords, words } from "#app/words.mjs";

/** @param {{title: string, name: string, tools?: any, children: any}} props */
const Panel = ({ title, name, tools, children }) =>
  html`<section class="panel" aria-labelledby=${name}><div class="panel-head"><h2 id=${name}>${title}</h2>${tools}</div>${children}</section>`;

/** What is used of each limit, in percent. @param {any} account @param {any[]} positions */
export function uses(account, positions) {
  const equity = Number(account.equity);
  const largest = positions.reduce((most, one) => (Math.abs(Number(one.value)) > Math.abs(Number(most?.value ?? 0)) ? one : most), null);
  const exposure = Number(account.exposure_long ?? 0) + Math.abs(Number(account.exposure_short ?? 0)) + Number(account.working ?? 0);
  const share = (/** @type {number} */ amount) => (equity > 0 ? (amount / equity) * 100 : 0);
  return {
    max_daily_loss_percent: { value: Math.max(0, -(dayFraction(account) ?? 0) * 100), note: "lost today" },
    max_drawdown_percent: { value: Math.max(0, 1 - equity / Number(account.peak_equity)) * 100, note: `below the peak of ${money(account.peak_equity, account.currency)}` },
    max_exposure_percent: { value: share(exposure), note: `${money(exposure, account.currency)} held or being bought` },
    max_position_percent: { value: share(Math.abs(Number(largest?.value ?? 0))), note: largest ? `the largest is ${largest.symbol}` : "nothing is held" },
  };
}

function Limits() {
  const account = latest("account").value;
  const settings = settingsOf("execution");
  const rows = limitRows();
  if (!account || !rows.length) return html`<${Empty} title=${account ? "Execution has not told its limits yet" : "The account has not been read yet"} />`;
  const used = /** @type {Record<string, {value: number, note: string}>} */ (uses(account, all("position").filter(held)));
  return html`<ul class="limits">${rows.map(({ name, label, text }) => {
    const one = used[name];
    return html`<li key=${name}><span class="limit-name">${label} <strong>${text}</strong></span>
      ${one ? html`<${Used} value=${one.value} limit=${Number(settings[name])} label=${label} /><span class="figure limit-value">${number(one.value, 2)}%</span><span class="hint">${one.note}</span>` : html`<span class="hint limit-plain">checked at every order</span>`}</li>`;
  })}</ul><p class="hint">A limit can only make an order smaller or refuse it. The day is New York's; deposits and withdrawals do not count. Limits are set in <code>.env</code>.</p>`;
}

function Stops() {
  const account = latest("account").value;
  return html`<div class="stops"><${HaltButton} /><p>Ends buying at once, cancels working entries, leaves protective orders in place.</p>
    <${LiquidateButton} /><p class="quiet">${all("position").some(held) ? "Sells everything that is held, after asking." : "Nothing is held."}</p></div>
    ${account && html`<dl class="values values-wide"><div><dt>Equity</dt><dd class="figure">${money(account.equity, account.currency)}</dd></div><div><dt>Day</dt><dd><${Gain} value=${account.day_change} currency=${account.currency} /> <${Change} value=${dayFraction(account)} arrow=${false} /></dd></div>
      <div><dt>Long</dt><dd class="figure">${money(account.exposure_long ?? 0, account.currency)}</dd></div><div><dt>Short</dt><dd class="figure">${money(account.exposure_short ?? 0, account.currency)}</dd></div></dl>`}`;
}

/** Refusals and failures, halts and pauses: what the limits and people did. */
function Breaches() {
  const list = entries.value.filter(({ topic, outcome, fact }) => topic === "halt" || topic === "pause" || ["refused", "failed"].includes(/** @type {any} */ (outcome ?? fact)?.outcome)).slice(0, 60);
  if (!list.length) return html`<${Empty} title="Nothing was refused">Refusals by a limit, failures, halts and pauses appear here.<//>`;
  return html`<div class="table-scroll" tabindex="0" role="group" aria-label="Refusals and stops"><table class="table table-cards"><thead><tr><th scope="col">When</th><th scope="col">Symbol</th><th scope="col">What</th><th scope="col"><span class="sr-only">Actions</span></th></tr></thead><tbody>${list.map((entry) => {
    const fact = /** @type {any} */ (entry.outcome ?? entry.fact);
    const said = fact.outcome ? outcomeWords(fact).text : `${words(entry.topic, fact).title}. ${words(entry.topic, fact).text}`;
    return html`<tr key=${entry.key}><th scope="row"><${Moment} at=${entry.at} /></th><td data-label="Symbol">${entry.symbol ? html`<a href=${symbolPath(entry.symbol)}>${entry.symbol}</a>` : "–"}</td><td data-label="What" class="cell-wide">${said}</td><td class="row-actions">${fact.outcome && html`<${WhyButton} id=${fact.id} />`}</td></tr>`;
  })}</tbody></table></div>`;
}

export default function Risk() {
  return html`<div class="stack"><h1 class="sr-only">Risk</h1>
    <div class="side-by-side"><${TradingPanel} /><${Panel} title="Stop" name="stop-title"><${Stops} /><//></div>
    <${Panel} title="Limits" name="limits-title"><${Limits} /><//>
    <${Panel} title="Refusals and stops" name="breaches-title"><${Breaches} /><//></div>`;
}

