// A card for every symbol, in the order and of the kind one wants.

import { computed, signal } from "@preact/signals";
import { Empty } from "#app/components/figures.mjs";
import { SymbolCard } from "#app/components/symbol_card.mjs";
import { tenSeconds } from "#app/clock.mjs";
import { freshness, stateOf } from "#app/freshness.mjs";
import { html } from "#app/html.mjs";
import { preference } from "#app/preferences.mjs";
import { changeOf, seriesOf } from "#app/series.mjs";
import { held } from "#app/standing.mjs";
import { latest, pauseOf, system } from "#app/store.mjs";

const chosen = preference("cards", { sort: "configured", show: "all" });

const SORTS = /** @type {Record<string, {text: string, by: (symbol: string) => number}>} */ ({
  configured: { text: "As configured", by: () => 0 },
  score: { text: "Score, strongest first", by: (symbol) => -Math.abs((latest("decision", symbol).peek()?.score ?? 50) - 50) },
  gain: { text: "Profit, best first", by: (symbol) => -Number(latest("position", symbol).peek()?.unrealized ?? 0) },
  change: { text: "Change, largest first", by: (symbol) => -Math.abs(changeOf(seriesOf(symbol).peek()) ?? 0) },
  rsi: { text: "RSI, lowest first", by: (symbol) => latest("indicators", symbol, system.peek().timeframe).peek()?.values?.rsi ?? 50 },
});
/** Paused, without fresh data, or with an order that was refused or failed. @param {string} symbol */
function needsALook(symbol) {
  const stale = freshness.peek().some((one) => one.symbol === symbol && ["stale", "none"].includes(stateOf(one)));
  const outcome = latest("outcome", symbol, "decision").peek()?.outcome;
  return stale || Boolean(pauseOf(symbol)) || outcome === "refused" || outcome === "failed";
}

/** Part of a symbol's name that is looked for; only asked for where there are many. */
const sought = signal("");
const MANY = 8;

const SHOWS = /** @type {Record<string, {text: string, keeps: (symbol: string) => boolean}>} */ ({
  all: { text: "All", keeps: () => true },
  held: { text: "Held", keeps: (symbol) => held(latest("position", symbol).peek()) },
  attention: { text: "Needs a look", keeps: needsALook },
  signals: { text: "Buy or sell", keeps: (symbol) => ["buy", "sell"].includes(latest("decision", symbol).peek()?.action) },
});

/** Symbols that are served or still held, ordered and filtered; looked at anew every ten seconds, so that cards do not dance. */
const list = computed(() => {
  void tenSeconds.value;
  const { sort, show } = chosen.value;
  const order = SORTS[sort] ?? SORTS.configured;
  const { symbols } = system.value;
  const part = symbols.length > MANY ? sought.value.trim().toUpperCase() : "";
  return symbols
    .filter((symbol) => symbol.includes(part))
    .filter((SHOWS[show] ?? SHOWS.all).keeps)
    .map((symbol, index) => ({ symbol, index, rank: order.by(symbol) }))
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map(({ symbol }) => symbol);
});

function Choices() {
  const { sort, show } = chosen.value;
  const set = (/** @type {object} */ change) => {
    chosen.value = { ...chosen.peek(), ...change };
  };
  return html`<div class="section-tools">
    ${system.value.symbols.length > MANY && html`<input class="input input-small" type="search" placeholder="Find a symbol"
      aria-label="Find a symbol" value=${sought} onInput=${(/** @type {any} */ event) => (sought.value = event.target.value)} />`}
    <div class="chips" role="group" aria-label="Which symbols">
      ${Object.entries(SHOWS).map(([name, { text }]) => html`<button key=${name} type="button" class="chip" aria-pressed=${show === name}
        onClick=${() => set({ show: name })}>
        ${text}
      </button>`)}
    </div>
    <select class="select select-small" aria-label="Order of the symbols" value=${sort}
      onChange=${(/** @type {any} */ event) => set({ sort: event.target.value })}>
      ${Object.entries(SORTS).map(([name, { text }]) => html`<option key=${name} value=${name}>${text}</option>`)}
    </select>
  </div>`;
}

function showAll() {
  sought.value = "";
  chosen.value = { ...chosen.peek(), show: "all" };
}

const PLACES = [1, 2, 3, 4];
const Place = () => html`<div class="card card-empty" aria-hidden="true"></div>`;

export function Cards() {
  const { ready, symbols } = system.value;
  return html`<section class="area-cards" aria-labelledby="cards-title">
    <div class="section-head">
      <h2 id="cards-title">Symbols <span class="count">${symbols.length || ""}</span></h2>
      ${symbols.length > 1 && html`<${Choices} />`}
    </div>
    ${ready && !list.value.length && html`<${Empty} title="No symbol fits">
      <button type="button" class="link" onClick=${showAll}>Show all symbols</button>
    <//>`}
    <div class="cards" data-count=${symbols.length}>
      ${ready && list.value.map((symbol) => html`<${SymbolCard} key=${symbol} symbol=${symbol} />`)}
      ${!ready && PLACES.map((one) => html`<${Place} key=${one} />`)}
    </div>
  </section>`;
}
