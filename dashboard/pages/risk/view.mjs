// How much of each limit is used, everything that stops, and who changed what.

import { Change, Empty, Gain, Moment } from "#app/components/figures.mjs";
import { HaltButton } from "#app/components/halt.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Panel, Table, Values } from "#app/components/panel.mjs";
import { LiquidateButton } from "#app/components/symbol_actions.mjs";
import { TradingPanel } from "#app/components/trading_panel.mjs";
import { WhyButton } from "#app/components/why.mjs";
import { entries, reading } from "#app/feed.mjs";
import { money, percent } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { preference } from "#app/preferences.mjs";
import { symbolPath } from "#app/router.mjs";
import { held } from "#app/standing.mjs";
import { all, latest } from "#app/store.mjs";
import { outcomeWords, words } from "#app/words.mjs";
import { Audit } from "./audit.mjs";
import { Holdings, Limits } from "./limits.mjs";
import { WhatIf } from "./what_if.mjs";

export { orderRate, uses } from "./limits.mjs";

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
  const equity = Number(account.equity);
  const [long, short] = [Number(account.exposure_long ?? 0), Math.abs(Number(account.exposure_short ?? 0))];
  const share = (/** @type {number} */ amount) => (equity > 0 ? `${money(amount, currency)} (${percent(amount / equity)})` : money(amount));
  const day = html`<${Gain} value=${account.day_change} currency=${currency} /> <${Change} value=${dayFraction(account)} arrow=${false} />`;
  return [
    ["Equity", money(account.equity, currency)],
    ["Day", day],
    ["Gross", share(long + short)],
    ["Net", share(long - short)],
    ["Long", share(long)],
    ["Short", share(short)],
  ];
}

const SHOWN = 60;
const STOPS = new Set(["halt", "pause"]);
const NO = new Set(["refused", "failed"]);

/** @param {import("#app/activity.mjs").Entry} entry */
const stopped = ({ topic, outcome, fact }) => STOPS.has(topic) || NO.has(/** @type {any} */ (outcome ?? fact)?.outcome);

const KINDS = /** @type {[string, string, (entry: any) => boolean][]} */ ([
  ["all", "All", () => true],
  ["refused", "Refused", ({ outcome, fact }) => (outcome ?? fact)?.outcome === "refused"],
  ["failed", "Failed", ({ outcome, fact }) => (outcome ?? fact)?.outcome === "failed"],
  ["stops", "Halts and pauses", ({ topic }) => STOPS.has(topic)],
]);
const kind = preference("breaches", "all");

const BreachKinds = () =>
  html`<div class="chips" role="group" aria-label="Which of them">
    ${KINDS.map(([name, text]) => html`<button key=${name} type="button" class="chip" aria-pressed=${kind.value === name}
      onClick=${() => (kind.value = name)}>${text}</button>`)}
  </div>`;

/** Refusals and failures, halts and pauses: what the limits and people did. */
function Breaches() {
  const { state, detail } = reading();
  const fits = KINDS.find(([name]) => name === kind.value)?.[2] ?? (() => true);
  const every = entries.value.filter(stopped);
  const list = every.filter(fits).slice(0, SHOWN);
  if (every.length && !list.length) return html`<${Empty} title="None of this kind">Choose All to see the others.<//>`;
  if (!list.length && state === "loading") return html`<${Empty} title="Loading…" />`;
  if (!list.length && state === "error") return html`<${Empty} title="It could not be loaded">${detail}<//>`;
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
    <${Panel} title="Holdings against the limit for one symbol" name="holdings-title"><${Holdings} /><//>
    <${Panel} title="What if every price moved" name="what-if-title"><${WhatIf} /><//>
    <${Panel} title="Refusals and stops" name="breaches-title" tools=${html`<${BreachKinds} />`}><${Breaches} /><//>
    <section class="panel" aria-labelledby="audit-title"><${Audit} /></section>
  </div>`;
}
