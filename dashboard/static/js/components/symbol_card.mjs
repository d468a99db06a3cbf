// One symbol at a glance: price, RSI, what was decided by whom, what became of it and why, and the position. Each part follows its own
// facts, so that a new quote draws a few characters and nothing else.

import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { second } from "../clock.mjs";
import { capital, duration, number, percent, price, timeframeSeconds } from "../format.mjs";
import { moving, sessionOf, staleAfter } from "../freshness.mjs";
import { classes, html } from "../html.mjs";
import { symbolPath } from "../router.mjs";
import { changeOf, seriesOf } from "../series.mjs";
import { gainFraction, held, priceOf, rsiWord, speaking, standing } from "../standing.mjs";
import { latest, pauseOf, system, trading } from "../store.mjs";
import { abstained, person, sessionWord, units } from "../words.mjs";
import { Age, Badge, Change, Gain, Skeleton } from "./figures.mjs";
import { Icon } from "./icon.mjs";
import { Rsi, Score } from "./meters.mjs";
import { Sparkline } from "./sparkline.mjs";
import { alive } from "./state_pill.mjs";
import { SymbolActions } from "./symbol_actions.mjs";

/** @param {{symbol: string}} props */
export function Price({ symbol }) {
  const text = useMemo(
    () =>
      computed(() => {
        const found = priceOf(latest("quote", symbol).value, trading("bar", symbol).value ?? trading("indicators", symbol).value);
        return found ? price(found.value, symbol) : "";
      }),
    [symbol],
  );
  const known = useMemo(() => computed(() => text.value !== ""), [symbol]);
  return known.value
    ? html`<span class="price figure" data-testid="price">${text}</span>`
    : html`<span class="price"><${Skeleton} width="7ch" /></span>`;
}

/** @param {{symbol: string}} props */
export function Trend({ symbol }) {
  const points = seriesOf(symbol).value;
  const span = points ? Math.max(0, points.length - 1) * timeframeSeconds(system.value.timeframe) : 0;
  return html`<span class="trend" title=${`Change over the last ${duration(span)}`}>
    <${Change} value=${changeOf(points)} />
    <span class="trend-span">${span ? duration(span) : ""}</span>
  </span>`;
}

/** @param {{symbol: string}} props */
function RsiLine({ symbol }) {
  const values = trading("indicators", symbol).value?.values;
  const rsi = values?.rsi;
  return html`<div class="card-line">
    <span class="label">RSI</span>
    ${rsi === undefined ? html`<span class="quiet">${values ? "warming up" : "–"}</span>` : html`
      <${Rsi} value=${rsi} />
      <span class="figure line-figure">${number(rsi, 1)}</span>
      <span class="word">${rsiWord(rsi)}</span>
    `}
  </div>`;
}

/** @param {{symbol: string}} props */
function DecisionLine({ symbol }) {
  const decision = latest("decision", symbol).value;
  if (!decision) return html`<div class="card-line"><span class="label">Score</span><span class="quiet">no decision yet</span></div>`;
  return html`<div class="card-line" title=${decision.reasoning}>
    <span class="label">Score</span>
    <${Score} value=${decision.score} />
    <span class="figure line-figure" data-testid="score">${number(decision.score, 0)}</span>
    <span class=${`action action-${decision.action}`} data-testid="action">
      <${Icon} name=${decision.action} size=${12} />
      ${capital(decision.action)}
    </span>
  </div>`;
}

/** @param {number} conviction */
const signed = (conviction) => `${conviction > 0 ? "+" : ""}${number(conviction, 2)}`;

/** What one engine brought, in words. @param {any} one */
function voteWords(one) {
  if (one.conviction === undefined || one.conviction === null) return abstained(one.abstained ?? "");
  const view = `${capital(one.direction ?? "hold")}, conviction ${number(one.conviction, 2)}`;
  return `${view}, confidence ${percent(one.confidence, 0)}, weighs ${percent(one.share, 0)}`;
}

/** @param {{one: any}} props */
function Vote({ one }) {
  const silent = one.conviction === undefined || one.conviction === null;
  const says = voteWords(one);
  return html`<span class=${classes("vote", silent && "vote-silent")} title=${`${one.engine}: ${says}`}>
    <${Icon} name=${silent ? "unknown" : (one.direction ?? "hold")} size=${11} />
    <span>${one.engine}</span>
    <span class="figure" aria-hidden="true">${silent ? "no view" : signed(one.conviction)}</span>
    <span class="sr-only">${says}</span>
  </span>`;
}

/** @param {{symbol: string}} props */
function Votes({ symbol }) {
  const contributions = latest("decision", symbol).value?.contributions ?? [];
  return html`<div class="votes">${contributions.map((/** @type {any} */ one) => html`<${Vote} key=${one.engine} one=${one} />`)}</div>`;
}

const ORIGINS = ["decision", "command", "protection"];

/** @param {{symbol: string}} props */
export function Status({ symbol }) {
  const status = useMemo(
    () =>
      computed(() => {
        const decision = latest("decision", symbol).value;
        const outcome = speaking(decision, ORIGINS.map((origin) => latest("outcome", symbol, origin).value).filter(Boolean));
        const indicators = trading("indicators", symbol).value;
        // Only an unanswered decision needs the clock.
        if (outcome) return standing({ decision, outcome, indicators, executionAlive: true }, 0);
        return standing({ decision, outcome, indicators, executionAlive: alive("execution") }, second.value);
      }),
    [symbol],
  );
  const { text, tone, at } = status.value;
  return html`<div class=${`card-status tone-${tone}`} data-testid="status">
    <span class="status-text">${text}</span>
    ${at && html`<${Age} at=${at} />`}
  </div>`;
}

/** @param {{symbol: string}} props */
function Held({ symbol }) {
  const position = latest("position", symbol).value;
  if (!held(position)) return html`<div class="card-position quiet">No position</div>`;
  const long = Number(position.quantity) > 0;
  return html`<div class="card-position" data-testid="position">
    <span class="held">
      <span class="held-side">${long ? "Long" : "Short"}</span> ${units(symbol, position.quantity.replace("-", ""))}
      ${position.average_price && html`<span class="quiet"> at ${price(position.average_price, symbol)}</span>`}
    </span>
    <span class="held-gain"><${Gain} value=${position.unrealized} /> <${Change} value=${gainFraction(position)} arrow=${false} /></span>
  </div>`;
}

/** @param {{symbol: string}} props */
export function Badges({ symbol }) {
  const paused = pauseOf(symbol);
  const market = latest("market").value;
  const session = sessionOf(symbol, market);
  const limit = staleAfter(symbol, market, system.value.timeframe);
  const stale = useMemo(
    () =>
      computed(() => {
        const at = trading("bar", symbol).value?.at ?? trading("indicators", symbol).value?.at;
        return at !== undefined && second.value - Date.parse(at) > limit * 1_000;
      }),
    [symbol, limit],
  );
  const slow = market?.freshness?.[symbol]?.within_bar === false;
  return html`
    ${paused && html`<${Badge} tone="warn" title=${`Paused by ${person(paused.by)}. ${paused.reason ?? ""}`}>Paused<//>`}
    ${stale.value && !moving(session) && html`<${Badge} tone="quiet" title="No new prices outside the session">
      ${session === "closed" ? "Market closed" : capital(sessionWord(session))}
    <//>`}
    ${stale.value && moving(session) && html`<${Badge} tone="warn" title="The newest bar is older than it may be">Stale<//>`}
    ${slow && html`<${Badge} tone="quiet" title=${market.freshness[symbol].reason}>Slow data<//>`}
  `;
}

/** @param {{symbol: string}} props */
export function SymbolCard({ symbol }) {
  return html`<article class="card" aria-label=${symbol} data-symbol=${symbol}>
    <div class="card-head">
      <h3 class="card-name"><a href=${symbolPath(symbol)}>${symbol}</a></h3>
      <${Badges} symbol=${symbol} />
      <${SymbolActions} symbol=${symbol} />
    </div>
    <div class="card-price"><div><${Price} symbol=${symbol} /><${Trend} symbol=${symbol} /></div><${Sparkline} symbol=${symbol} /></div>
    <${RsiLine} symbol=${symbol} />
    <${DecisionLine} symbol=${symbol} />
    <${Votes} symbol=${symbol} />
    <${Status} symbol=${symbol} />
    <${Held} symbol=${symbol} />
  </article>`;
}
