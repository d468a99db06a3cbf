// The sections of a chain's story: each shows what is there and says what is not.

import { capital, money, number, percent, price, quantity, reading, sign, signedPercent } from "../format.mjs";
import { classes, html } from "../html.mjs";
import { abstained, indicatorName, orderStatus, outcomeWords, termsWords } from "../words.mjs";
import { Badge, Change, Moment } from "./figures.mjs";
import { Icon } from "./icon.mjs";
import { Score } from "./meters.mjs";
import { life, paces, slippage } from "./story.mjs";

/** @param {number | null | undefined} ms */
export const milliseconds = (ms) => {
  if (ms === null || ms === undefined) return "–";
  return ms < 1_000 ? `${number(ms, 0)} ms` : `${number(ms / 1_000, ms < 10_000 ? 2 : 1)} s`;
};

/** @param {{title: string, facts: any[], asked: string, children: any}} props */
export function Section({ title, facts, asked, children }) {
  const here = facts.some((fact) => fact && (fact.id === asked || fact.order_id === asked || fact.client_order_id === asked));
  const at = facts.find(Boolean)?.made_at;
  return html`<section class=${classes("why-step", here && "why-asked")}>
    <div class="why-head"><h3>${title}</h3>${here && html`<${Badge} tone="info">asked about<//>`}${at && html`<${Moment} at=${at} />`}</div>
    ${children}
  </section>`;
}

/** Names and values, those without a value left out. @param {{rows: [string, any][]}} props */
const Facts = ({ rows }) =>
  html`<dl class="values values-wide">
    ${rows.filter(([, value]) => value !== undefined && value !== null && value !== "").map(
      ([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`,
    )}
  </dl>`;

/** Column titles; one that begins with `#` stands over figures. @param {{names: string[]}} props */
const Heads = ({ names }) =>
  html`<thead><tr>
    ${names.map((name) => html`<th key=${name} scope="col" class=${name.startsWith("#") ? "num" : ""}>${name.replace("#", "")}</th>`)}
  </tr></thead>`;

/** How long each step took. @param {{told: import("./story.mjs").Story}} props */
export function Paces({ told }) {
  const list = paces(told);
  if (list.length < 2) return null;
  return html`<ol class="paces" aria-label="How long each step took">
    ${list.map(({ name, ms }, at) => html`<li key=${name}>
      <span>${name}</span><span class="figure">${at ? `+${milliseconds(ms)}` : "0"}</span>
    </li>`)}
  </ol>`;
}

/** @param {{told: import("./story.mjs").Story, asked: string}} props */
export function Inputs({ told: { bar, indicators }, asked }) {
  if (!bar && !indicators) return null;
  const values = Object.entries(indicators?.values ?? {});
  return html`<${Section} title="Indicators" facts=${[indicators ?? bar, bar]} asked=${asked}>
    ${bar && html`<p class="figure why-prices">
      ${["open", "high", "low", "close"].map((name) => `${name} ${price(bar[name], bar.symbol)}`).join(" · ")}
      ${" · "}volume ${reading(bar.volume)}
    </p>`}
    ${values.length > 0 && html`<table class="table table-tight">
      <${Heads} names=${["Indicator", "#Value", "Source", "#Differs"]} />
      <tbody>
        ${values.map(([name, value]) => html`<tr key=${name}>
          <th scope="row">${indicatorName(name)}</th>
          <td class="num">${reading(/** @type {number} */ (value))}</td>
          <td>${indicators.origins?.[name] ?? "–"}</td>
          <td class="num bad">${indicators.disagreements?.[name] ? percent(indicators.disagreements[name], 1) : ""}</td>
        </tr>`)}
      </tbody>
    </table>`}
    <p class="hint">Of the bar that closed <${Moment} at=${(indicators ?? bar).at} />${bar ? `, from ${bar.origin}` : ""}.</p>
  <//>`;
}

/** @param {any} view */
const weight = ({ conviction, confidence }) =>
  `conviction ${conviction > 0 ? "+" : ""}${number(conviction, 2)}, confidence ${percent(confidence, 0)}`;

/** @param {{fact: any}} props */
function View({ fact }) {
  const silent = fact.conviction === undefined || fact.conviction === null;
  return html`<li class="view">
    <p>
      <strong>${fact.engine}</strong>${" "}${silent ? abstained(fact.reason) : `${capital(fact.direction)}, ${weight(fact)}`}
      ${fact.shadow && html` <${Badge} tone="quiet">shadow: weighs nothing<//>`}
    </p>
    ${fact.reasoning && html`<p>${fact.reasoning}</p>`}
    ${fact.evidence?.length > 0 && html`<p class="hint">From ${fact.evidence.join(", ")}</p>`}
    ${silent && fact.code && html`<p class="hint">${fact.code.replaceAll("_", " ")}</p>`}
  </li>`;
}

/** @param {{told: import("./story.mjs").Story, asked: string}} props */
export function Views({ told: { views }, asked }) {
  if (!views.length) return null;
  return html`<${Section} title="Views" facts=${views} asked=${asked}>
    <ul class="views">${views.map((fact) => html`<${View} key=${fact.id} fact=${fact} />`)}</ul>
  <//>`;
}

/** What the options of a call are called. @param {any} options */
const optionRows = (options) =>
  Object.entries(options ?? {}).map(([name, value]) => /** @type {[string, any]} */ ([capital(name.replaceAll("_", " ")), String(value)]));

/** @param {{fact: any, of: number, view: any}} props */
function Call({ fact, of, view }) {
  const rows = [
    ["Model", `${fact.model}${fact.model_digest ? ` (${fact.model_digest.slice(0, 19)})` : ""}`],
    ["Prompt version", fact.prompt_version],
    ...optionRows(fact.options),
    ["Tokens asked", fact.prompt_tokens],
    ["Tokens answered", fact.answer_tokens],
    ["Latency", milliseconds(fact.total_ms)],
    ["of it loading", fact.load_ms && milliseconds(fact.load_ms)],
    ["of it reading", fact.prompt_ms && milliseconds(fact.prompt_ms)],
    ["of it answering", fact.answer_ms && milliseconds(fact.answer_ms)],
    ["Ended by", fact.done_reason],
    ["Attempt", of > 1 ? `${fact.attempt ?? 1} of ${of}${(fact.attempt ?? 1) > 1 ? ", a repair" : ""}` : "1, no repair needed"],
  ];
  return html`<div class="call">
    <${Facts} rows=${rows} />
    ${fact.error && html`<p class="down"><${Icon} name="cross" size=${13} /> Refused: ${fact.error}</p>`}
    ${!fact.error && view && view.conviction !== undefined && html`<p>
      <${Icon} name="check" size=${13} /> Read as ${view.direction}, ${weight(view)}
    </p>`}
    ${fact.messages.map((/** @type {any} */ message, /** @type {number} */ at) => html`<details key=${at}>
      <summary>Prompt as rendered (${message.role})</summary>
      <pre class="raw">${message.content}</pre>
    </details>`)}
    ${fact.answer && html`<details><summary>Answer, raw</summary><pre class="raw">${fact.answer}</pre></details>`}
  </div>`;
}

/** @param {{told: import("./story.mjs").Story, asked: string}} props */
export function Calls({ told: { calls, views }, asked }) {
  if (!calls.length) return null;
  return html`<${Section} title="Model call" facts=${calls} asked=${asked}>
    ${calls.map((fact) => {
      const view = views.find(({ engine }) => engine === fact.engine);
      return html`<${Call} key=${fact.id} fact=${fact} of=${calls.filter(({ engine }) => engine === fact.engine).length} view=${view} />`;
    })}
  <//>`;
}

/** @param {{one: any}} props */
function Contribution({ one }) {
  const silent = one.conviction === undefined || one.conviction === null;
  const view = html`
    <td>${one.direction ?? ""}</td>
    <td class="num">${one.conviction > 0 ? "+" : ""}${number(one.conviction, 2)}</td>
    <td class="num">${percent(one.confidence, 0)}</td>
  `;
  return html`<tr>
    <th scope="row">${one.engine}</th>
    ${silent ? html`<td colspan="3" class="quiet">${abstained(one.abstained ?? "")}</td>` : view}
    <td class="num">${percent(one.share, 0)}</td>
  </tr>`;
}

/** What each engine brought. @param {{decision: any}} props */
export const Contributions = ({ decision }) =>
  html`<table class="table table-tight">
    <${Heads} names=${["Engine", "View", "#Conviction", "#Confidence", "#Weighs"]} />
    <tbody>${decision.contributions.map((/** @type {any} */ one) => html`<${Contribution} key=${one.engine} one=${one} />`)}</tbody>
  </table>`;

/** @param {{told: import("./story.mjs").Story, asked: string}} props */
export function Decided({ told: { decision }, asked }) {
  if (!decision) return null;
  return html`<${Section} title="Decision" facts=${[decision]} asked=${asked}>
    <div class="why-score">
      <span class=${`action action-${decision.action}`}>${capital(decision.action)}</span>
      <${Score} value=${decision.score} /><span class="figure">${number(decision.score, 0)}</span>
    </div>
    <p>${decision.reasoning}</p>
    <${Contributions} decision=${decision} />
    <p class="hint">
      Confidence ${percent(decision.confidence, 0)}; ${percent(decision.coverage, 0)} of all weight had a view; at
      ${" "}${price(decision.price, decision.symbol)}.
    </p>
  <//>`;
}

/** @param {{check: any}} props */
const Check = ({ check }) =>
  html`<tr class=${check.passed ? "" : "check-failed"}>
    <th scope="row">
      <span class=${check.passed ? "good" : "bad"}><${Icon} name=${check.passed ? "check" : "cross"} size=${13} /></span>
      <span class="sr-only">${check.passed ? "Passed: " : "Not passed: "}</span> ${check.code.replaceAll("_", " ")}
      ${check.detail && html`<span class="cell-note">${check.detail}</span>`}
    </th>
    <td class="num">${check.value ?? ""}</td>
    <td class="num">${check.limit ?? ""}</td>
  </tr>`;

/** @param {{told: import("./story.mjs").Story, asked: string}} props */
export function Checks({ told: { outcomes }, asked }) {
  const told = outcomes.filter(({ checks }) => checks?.length);
  if (!told.length) return null;
  return html`<${Section} title="Risk checks" facts=${[]} asked=${asked}>
    ${told.map(({ id, checks }) => html`<table key=${id} class="table table-tight">
      <${Heads} names=${["Check", "#Found", "#Limit"]} />
      <tbody>${checks.map((/** @type {any} */ check, /** @type {number} */ at) => html`<${Check} key=${at} check=${check} />`)}</tbody>
    </table>`)}
  <//>`;
}

/** States with the time from one to the next. @param {{facts: any[], words?: (state: string) => string}} props */
export function Life({ facts, words = (state) => state.replaceAll("_", " ") }) {
  return html`<ol class="life">
    ${life(facts).map(({ state, since, at, fact }) => html`<li key=${fact.id}>
      <span>${words(state)}</span><span class="figure">${since === null ? html`<${Moment} at=${at} />` : `+${milliseconds(since)}`}</span>
    </li>`)}
  </ol>`;
}

/** @param {{told: import("./story.mjs").Story, asked: string}} props */
export function Orders({ told: { intents, orders }, asked }) {
  if (!intents.length && !orders.length) return null;
  return html`<${Section} title="Order" facts=${[...intents.flat(), ...orders.flat()]} asked=${asked}>
    ${intents.map((states) => {
      const fact = states.at(-1);
      return html`<div key=${fact.intent_id}>
        <p>
          ${capital(termsWords(fact.terms, fact.symbol))}, to ${fact.increases_exposure ? "enter" : "leave"}, as${" "}
          <code>${fact.client_order_id}</code>
        </p>
        <${Life} facts=${states} words=${(/** @type {string} */ state) => (state === "intent" ? "recorded" : state.replaceAll("_", " "))} />
        ${fact.detail && html`<p class="hint">${fact.detail}</p>`}
      </div>`;
    })}
    ${orders.map((states) => {
      const fact = states.at(-1);
      return html`<div key=${fact.order_id}>
        <p>
          At the broker: <code>${fact.order_id}</code>, ${orderStatus(fact.status)[0]}${" "}
          (${fact.broker_status})${fact.reason ? `: ${fact.reason}` : ""}
        </p>
        <${Life} facts=${states} words=${(/** @type {string} */ state) => orderStatus(state)[0]} />
      </div>`;
    })}
  <//>`;
}

/** @param {{told: import("./story.mjs").Story, asked: string}} props */
export function Filled({ told, asked }) {
  const { fills } = told;
  if (!fills.length) return null;
  const slip = slippage(told);
  return html`<${Section} title="Fills" facts=${fills} asked=${asked}>
    <table class="table table-tight">
      <${Heads} names=${["Side", "#Quantity", "#Price", "#Value", "#Fee"]} />
      <tbody>
        ${fills.map((fill) => html`<tr key=${fill.id}>
          <th scope="row">${capital(fill.side)}</th>
          <td class="num">${quantity(fill.quantity)}</td>
          <td class="num">${price(fill.price, fill.symbol)}</td>
          <td class="num">${money(Number(fill.quantity) * Number(fill.price))}</td>
          <td class="num">${fill.fee ? `${quantity(fill.fee)} ${fill.fee_asset ?? ""}` : "–"}</td>
        </tr>`)}
      </tbody>
    </table>
    ${slip !== null && html`<p>
      Slippage ${signedPercent(slip, 3)} against the price the order was made from
      ${sign(slip, 5) ? (slip > 0 ? ": worse" : ": better") : ""}
    </p>`}
  <//>`;
}

/** @param {{told: import("./story.mjs").Story, asked: string, later: [string, number | null][]}} props */
export function Reached({ told: { outcomes, decision }, asked, later }) {
  if (!outcomes.length) return null;
  return html`<${Section} title="Outcome" facts=${outcomes} asked=${asked}>
    ${outcomes.map((fact) => html`<p key=${fact.id} class=${`tone-${outcomeWords(fact).tone} became`}>${outcomeWords(fact).text}</p>`)}
    ${decision && later.length > 0 && html`<p>
      The price since:${" "}
      ${later.map(([name, change]) => html`<span key=${name} class="later">
        ${name} ${change === null ? html`<span class="quiet">not yet</span>` : html`<${Change} value=${change} />`}
      </span>`)}
    </p>`}
  <//>`;
}
