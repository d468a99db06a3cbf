// One symbol in detail: its chart, what is thought of it and why, what is held, and everything that happened to it.

import { Feed } from "#app/components/feed_list.mjs";
import { Change, Empty, Gain, Moment } from "#app/components/figures.mjs";
import { IndicatorValues } from "#app/components/indicator_values.mjs";
import { Score } from "#app/components/meters.mjs";
import { Panel, Values } from "#app/components/panel.mjs";
import { SymbolActions } from "#app/components/symbol_actions.mjs";
import { Badges, Price, Status, Trend } from "#app/components/symbol_card.mjs";
import { Contributions, WhyButton } from "#app/components/why.mjs";
import { capital, money, number, percent, price, signedQuantity } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { go, symbolPath } from "#app/router.mjs";
import { gainFraction, held } from "#app/standing.mjs";
import { latest, system, trading } from "#app/store.mjs";
import { Chart } from "./chart.mjs";
import { FactsTabs } from "./facts_tabs.mjs";

/** @param {{symbol: string}} props */
function Head({ symbol }) {
  const { symbols } = system.value;
  const at = symbols.indexOf(symbol);
  const beside = (/** @type {number} */ step) => symbolPath(symbols[(at + step + symbols.length) % symbols.length]);
  return html`<div class="symbol-head">
    <h1 class="sr-only">${symbol}</h1>
    <div class="symbol-switch">
      <a class="icon-button" href=${beside(-1)} aria-label="Previous symbol" title="Previous symbol ([)">‹</a>
      <select class="select symbol-select" aria-label="Symbol" value=${symbol}
        onChange=${(/** @type {any} */ event) => go(symbolPath(event.target.value))}>
        ${symbols.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>
      <a class="icon-button" href=${beside(1)} aria-label="Next symbol" title="Next symbol (])">›</a>
    </div>
    <${Price} symbol=${symbol} />
    <${Trend} symbol=${symbol} />
    <${Badges} symbol=${symbol} />
    <span class="header-space"></span>
    <${SymbolActions} symbol=${symbol} />
  </div>`;
}

/** The bar a fact is of. @param {{fact: any, children?: any}} props */
const OfBar = ({ fact, children }) => html`<span class="since">bar of <${Moment} at=${fact.at} />${children}</span>`;

/** @param {{symbol: string}} props */
function Thought({ symbol }) {
  const decision = latest("decision", symbol).value;
  if (!decision) {
    return html`<${Panel} title="Decision" name="thought-title">
      <${Empty} title="No decision yet">The first comes with enough closed bars.<//>
    <//>`;
  }
  const { action, score, reasoning, confidence, coverage, id } = decision;
  const why = html`<${OfBar} fact=${decision}> <${WhyButton} id=${id} /><//>`;
  return html`<${Panel} title="Decision" name="thought-title" tools=${why}>
    <div class="thought">
      <p class=${`thought-action action-${action}`}>${capital(action)}</p>
      <div class="why-score"><${Score} value=${score} /><span class="figure">${number(score, 0)}</span></div>
    </div>
    <p class="thought-reason">${reasoning}</p>
    <${Status} symbol=${symbol} />
    <${Contributions} decision=${decision} />
    <p class="hint">Confidence ${percent(confidence, 0)}; ${percent(coverage, 0)} of all weight had a view.</p>
  <//>`;
}

/** @param {{symbol: string}} props */
function Indicators({ symbol }) {
  const fact = trading("indicators", symbol).value;
  if (!fact) return html`<${Panel} title="Indicators" name="values-title"><${Empty} title="Warming up" /><//>`;
  const origins = [...new Set(Object.values(fact.origins ?? {}))].join(", ");
  return html`<${Panel} title="Indicators" name="values-title" tools=${html`<${OfBar} fact=${fact} />`}>
    <${IndicatorValues} fact=${fact} />
    <p class="hint">From ${origins || "the source"}.</p>
  <//>`;
}

/** @param {{symbol: string}} props */
function Held({ symbol }) {
  const position = latest("position", symbol).value;
  if (!held(position)) return html`<${Panel} title="Position" name="held-title"><${Empty} title="No position" /><//>`;
  const today = position.realized_today;
  const rows = [
    ["Quantity", signedQuantity(position.quantity)],
    ["Average price", price(position.average_price, symbol)],
    ["Last price", price(position.last_price, symbol)],
    ["Value", money(position.value)],
    ["Unrealised", html`<${Gain} value=${position.unrealized} />`],
    ["Of what was paid", html`<${Change} value=${gainFraction(position)} arrow=${false} />`],
    ["Realised today", today === undefined ? "–" : html`<${Gain} value=${today} />`],
    ["Stop", price(position.stop_price, symbol)],
    ["Target", price(position.target_price, symbol)],
  ];
  return html`<${Panel} title="Position" name="held-title"><${Values} rows=${rows} /><//>`;
}

/** @param {{rest: string}} props */
export default function Symbol({ rest }) {
  const { ready, symbols } = system.value;
  const symbol = rest || symbols[0];
  if (!ready) return html`<${Empty} title="Loading…" />`;
  if (!symbol) return html`<${Empty} title="No symbols are configured">Name some in SYMBOLS.<//>`;
  if (!symbols.includes(symbol))
    return html`<${Empty} title=${`${symbol} is not served`}>
      Served are ${symbols.map((one) => html`<a key=${one} href=${symbolPath(one)}>${one}</a> `)}
    <//>`;
  return html`<div class="symbol-page">
    <${Head} symbol=${symbol} />
    <${Chart} symbol=${symbol} key=${symbol} />
    <div class="symbol-side"><${Thought} symbol=${symbol} /><${Held} symbol=${symbol} /><${Indicators} symbol=${symbol} />
      <${FactsTabs} symbol=${symbol} />
    </div>
    <${Panel} title="What happened to it" name="feed-title" kind="symbol-feed"><${Feed} symbol=${symbol} /><//>
  </div>`;
}
