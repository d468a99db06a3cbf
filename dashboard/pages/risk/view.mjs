// How much of each limit is used, and everything that stops: halt, reduce only, liquidate.

import { Change, Empty, Gain, Moment } from "#app/components/figures.mjs";
import { HaltButton } from "#app/components/halt.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Used } from "#app/components/meters.mjs";
import { Panel, Table, Values } from "#app/components/panel.mjs";
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

/** What is used of each limit, in percent. @param {any} account @param {any[]} positions */
export function uses(account, positions) {
  const equity = Number(account.equity);
  const largest = positions.reduce((most, one) => (Math.abs(Number(one.value)) > Math.abs(Number(most?.value ?? 0)) ? one : most), null);
  const exposure = Number(account.exposure_long ?? 0) + Math.abs(Number(account.exposure_short ?? 0)) + Number(account.working ?? 0);
  const share = (/** @type {number} */ amount) => (equity > 0 ? (amount / equity) * 100 : 0);
  return {
    max_daily_loss_percent: { value: Math.max(0, -(dayFraction(account) ?? 0) * 100), note: "lost today" },
    max_drawdown_percent: {
      value: Math.max(0, 1 - equity / Number(account.peak_equity)) * 100,
      note: `below the peak of ${money(account.peak_equity, account.currency)}`,
    },
    max_exposure_percent: { value: share(exposure), note: `${money(exposure, account.currency)} held or being bought` },
    max_position_percent: {
      value: share(Math.abs(Number(largest?.value ?? 0))),
      note: largest ? `the largest is ${largest.symbol}` : "nothing is held",
    },
  };
}

function Limits() {
  const account = latest("account").value;
  const settings = settingsOf("execution");
  const rows = limitRows();
  if (!account || !rows.length)
    return html`<${Empty} title=${account ? "Execution has not told its limits yet" : "The account has not been read yet"} />`;
  const used = /** @type {Record<string, {value: number, note: string}>} */ (uses(account, all("position").filter(held)));
  return html`
    <ul class="limits">
      ${rows.map(
        (row) => html`<${Limit} key=${row.name} ...${row} most=${Number(settings[row.name])} used=${used[row.name]} />`,
      )}
    </ul>
    <p class="hint">
      A limit can only make an order smaller or refuse it. The day is New York's; deposits and withdrawals do not count.
    </p>
    <p class="hint">Limits are set in <code>.env</code>.</p>
  `;
}

/** @param {{label: string, text: string, most: number, used?: {value: number, note: string}}} props */
function Limit({ label, text, most, used }) {
  const title = html`<span class="limit-name">${label} <strong>${text}</strong></span>`;
  if (!used) return html`<li>${title}<span class="hint limit-plain">checked at every order</span></li>`;
  return html`<li>
    ${title}
    <${Used} value=${used.value} limit=${most} label=${label} />
    <span class="figure limit-value">${number(used.value, 2)}%</span>
    <span class="hint">${used.note}</span>
  </li>`;
}

function Stops() {
  const account = latest("account").value;
  const some = all("position").some(held);
  return html`
    <div class="stops">
      <${HaltButton} />
      <p>Ends buying at once, cancels working entries, leaves protective orders in place.</p>
      <${LiquidateButton} />
      <p class="quiet">${some ? "Sells everything that is held, after asking." : "Nothing is held."}</p>
    </div>
    ${account && html`<${Values} rows=${standing(account)} />`}
  `;
}

/** @param {any} account @returns {[string, any][]} */
function standing(account) {
  const { currency } = account;
  const day = html`<${Gain} value=${account.day_change} currency=${currency} /> <${Change} value=${dayFraction(account)} arrow=${false} />`;
  return [
    ["Equity", money(account.equity, currency)],
    ["Day", day],
    ["Long", money(account.exposure_long ?? 0, currency)],
    ["Short", money(account.exposure_short ?? 0, currency)],
  ];
}

const SHOWN = 60;
const STOPS = new Set(["halt", "pause"]);
const NO = new Set(["refused", "failed"]);

/** @param {import("#app/activity.mjs").Entry} entry */
const stopped = ({ topic, outcome, fact }) => STOPS.has(topic) || NO.has(/** @type {any} */ (outcome ?? fact)?.outcome);

/** Refusals and failures, halts and pauses: what the limits and people did. */
function Breaches() {
  const list = entries.value.filter(stopped).slice(0, SHOWN);
  if (!list.length) return html`<${Empty} title="Nothing was refused">Refusals by a limit, failures, halts and pauses appear here.<//>`;
  return html`<${Table} label="Refusals and stops" heads=${["When", "Symbol", "What", ""]}>
    ${list.map((entry) => html`<${Breach} key=${entry.key} entry=${entry} />`)}
  <//>`;
}

/** @param {{entry: import("#app/activity.mjs").Entry}} props */
function Breach({ entry }) {
  const fact = /** @type {any} */ (entry.outcome ?? entry.fact);
  const said = words(entry.topic, fact);
  return html`<tr>
    <th scope="row"><${Moment} at=${entry.at} /></th>
    <td data-label="Symbol">${entry.symbol ? html`<a href=${symbolPath(entry.symbol)}>${entry.symbol}</a>` : "–"}</td>
    <td data-label="What" class="cell-wide">${fact.outcome ? outcomeWords(fact).text : `${said.title}. ${said.text}`}</td>
    <td class="row-actions">${fact.outcome && html`<${WhyButton} id=${fact.id} />`}</td>
  </tr>`;
}

export default function Risk() {
  return html`<div class="stack">
    <h1 class="sr-only">Risk</h1>
    <div class="side-by-side"><${TradingPanel} /><${Panel} title="Stop" name="stop-title"><${Stops} /><//></div>
    <${Panel} title="Limits" name="limits-title"><${Limits} /><//>
    <${Panel} title="Refusals and stops" name="breaches-title"><${Breaches} /><//>
  </div>`;
}
