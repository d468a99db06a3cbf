// One symbol in detail: its chart, what is thought of it and why, what is held, and everything that happened to it.

import { Feed } from "#app/components/feed_list.mjs";
import { Change, Empty, Gain, Moment } from "#app/components/figures.mjs";
import { Score } from "#app/components/meters.mjs";
import { SymbolActions } from "#app/components/symbol_actions.mjs";
import { Badges, Price, Status, Trend } from "#app/components/symbol_card.mjs";
import { Contributions, WhyButton } from "#app/components/why.mjs";
import { capital, money, number, percent, price, signedQuantity } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { go, symbolPath } from "#app/router.mjs";
import { gainFraction, held } from "#app/standing.mjs";
import { latest, system, trading } from "#app/store.mjs";
import { indicatorName } from "#app/words.mjs";
import { Chart } from "./chart.mjs";

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

/** @param {{symbol: string}} props */
function Thought({ symbol }) {
  const decision = latest("decision", symbol).value;
  return html`<section class="panel" aria-labelledby="thought-title">
    <div class="panel-head">
      <h2 id="thought-title">Decision</h2>
      ${decision && html`<span class="since">bar of <${Moment} at=${decision.at} /> <${WhyButton} id=${decision.id} /></span>`}
    </div>
    ${decision ? html`
      <div class="thought">
        <p class=${`thought-action action-${decision.action}`}>${capital(decision.action)}</p>
        <div class="why-score"><${Score} value=${decision.score} /><span class="figure">${number(decision.score, 0)}</span></div>
      </div>
      <p class="thought-reason">${decision.reasoning}</p>
      <${Status} symbol=${symbol} />
      <${Contributions} decision=${decision} />
      <p class="hint">Confidence ${percent(decision.confidence, 0)}; ${percent(decision.coverage, 0)} of all weight had a view.</p>
    ` : html`<${Empty} title="No decision yet">The first comes with enough closed bars.<//>`}
  </section>`;
}

/** @param {{symbol: string}} props */
function Values({ symbol }) {
  const fact = trading("indicators", symbol).value;
  return html`<section class="panel" aria-labelledby="values-title">
    <div class="panel-head">
      <h2 id="values-title">Indicators</h2>
      ${fact && html`<span class="since">bar of <${Moment} at=${fact.at} /></span>`}
    </div>
    ${fact ? html`
      <dl class="values">
        ${Object.entries(fact.values).map(([ name, value, ]) => html`<div key=${name}>
          <dt>
            ${indicatorName(name)}
            ${fact.disagreements?.[name] && html`<span class="warn-mark"
              title=${`The provider's value differs from ours by ${percent(fact.disagreements[name], 1)}`}>
              ≠
            </span>`}
          </dt>
          <dd class="figure" title=${fact.origins?.[name] ? `from ${fact.origins[name]}` : undefined}>
            ${number(/** @type {number} */ (value), Math.abs(/** @type {number} */ (value)) >= 1_000 ? 0 : 2)}
          </dd>
        </div>`)}
      </dl>
      <p class="hint">From ${[...new Set(Object.values(fact.origins ?? {}))].join(", ") || "the source"}.</p>
    ` : html`<${Empty} title="Warming up" />`}
  </section>`;
}

/** @param {{symbol: string}} props */
function Held({ symbol }) {
  const position = latest("position", symbol).value;
  const rows = held(position)
    ? [
        ["Quantity", signedQuantity(position.quantity)],
        ["Average price", price(position.average_price, symbol)],
        ["Last price", price(position.last_price, symbol)],
        ["Value", money(position.value)],
        ["Unrealised", html`<${Gain} value=${position.unrealized} />`],
        ["Of what was paid", html`<${Change} value=${gainFraction(position)} arrow=${false} />`],
        ["Realised today", position.realized_today === undefined ? "–" : html`<${Gain} value=${position.realized_today} />`],
        ["Stop", price(position.stop_price, symbol)],
        ["Target", price(position.target_price, symbol)],
      ]
    : [];
  return html`<section class="panel" aria-labelledby="held-title">
    <div class="panel-head"><h2 id="held-title">Position</h2></div>
    ${rows.length ? html`<dl class="values values-wide">
      ${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class="figure">${value}</dd></div>`)}
    </dl>` : html`<${Empty} title="No position" />`}
  </section>`;
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
    <div class="symbol-side"><${Thought} symbol=${symbol} /><${Held} symbol=${symbol} /><${Values} symbol=${symbol} /></div>
    <section class="panel symbol-feed" aria-labelledby="feed-title">
      <div class="panel-head"><h2 id="feed-title">What happened to it</h2></div>
      <${Feed} symbol=${symbol} />
    </section>
  </div>`;
}
