// From any happening back to the bar it came from, and on to what came of it: the facts themselves, oldest first.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.mjs";
import { capital, number, percent, price } from "../format.mjs";
import { classes, html } from "../html.mjs";
import { abstained, termsWords, words } from "../words.mjs";
import { Dialog } from "./dialog.mjs";
import { Badge, Empty, Moment } from "./figures.mjs";
import { Icon } from "./icon.mjs";
import { IndicatorValues } from "./indicator_values.mjs";
import { Score } from "./meters.mjs";

/** The id of the fact that is asked about. */
export const asked = signal("");

/** @param {{id: string}} props */
export const WhyButton = ({ id }) => html`<button type="button" class="link why-link" onClick=${() => (asked.value = id)}>Why</button>`;

const NAMES = /** @type {Record<string, string>} */ ({
  bar: "Bar",
  indicators: "Indicators",
  prompt: "Model call",
  signal: "View",
  decision: "Decision",
  intent: "Intent",
  outcome: "Outcome",
  order: "Order",
  fill: "Fill",
});
/** In which order facts of one moment follow from each other. */
const ORDER = ["bar", "quote", "indicators", "prompt", "signal", "decision", "command", "intent", "order", "fill", "outcome"];

/** @param {any} answer @returns {{topic: string, id: string, fact: any, states?: string[]}[]} */
export function steps(answer) {
  const found = [...answer.causes, ...answer.consequences.map((/** @type {any} */ one) => ({ ...one, id: one.fact.id }))];
  const unique = [...new Map(found.map((one) => [one.id, one])).values()];
  const place = (/** @type {any} */ one) => one.fact?.made_at ?? "";
  unique.sort((a, b) => (place(a) < place(b) ? -1 : place(a) > place(b) ? 1 : ORDER.indexOf(a.topic) - ORDER.indexOf(b.topic)));
  return lives(unique);
}

/** What passes through states is told once, in its first place, with the states it has been in. @param {any[]} list */
function lives(list) {
  const seen = new Map();
  return list.filter((one) => {
    const name = one.fact && (one.topic === "intent" ? one.fact.intent_id : one.topic === "order" ? one.fact.order_id : null);
    if (!name) return true;
    const state = one.fact.state ?? one.fact.status;
    const first = seen.get(`${one.topic} ${name}`) ?? Object.assign(one, { states: [] });
    seen.set(`${one.topic} ${name}`, first);
    if (first.states.at(-1) !== state) first.states.push(state);
    Object.assign(first, { fact: one.fact, id: one.id });
    return first === one;
  });
}

/** @param {{fact: any}} props */
function View({ fact }) {
  if (fact.kind === "abstention") return html`<p>${abstained(fact.reason)}</p>`;
  const figures = `conviction ${number(fact.conviction, 2)}, confidence ${percent(fact.confidence, 0)}`;
  return html`<p><strong>${fact.direction}</strong>, ${figures}. ${fact.reasoning}</p>`;
}

/** @param {{fact: any}} props */
function Decided({ fact }) {
  return html`
    <div class="why-score"><${Score} value=${fact.score} /><span class="figure">${number(fact.score, 0)}</span></div>
    <p>${fact.reasoning}</p>
    <${Contributions} decision=${fact} />
  `;
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
    <thead>
      <tr>
        <th scope="col">Engine</th>
        <th scope="col">View</th>
        <th scope="col" class="num">Conviction</th>
        <th scope="col" class="num">Confidence</th>
        <th scope="col" class="num">Weighs</th>
      </tr>
    </thead>
    <tbody>${decision.contributions.map((/** @type {any} */ one) => html`<${Contribution} key=${one.engine} one=${one} />`)}</tbody>
  </table>`;

/** @param {{fact: any}} props */
function Prompt({ fact }) {
  return html`
    <p>${fact.model}, prompt ${fact.prompt_version}, ${number(fact.total_ms / 1_000, 2)} s</p>
    ${fact.error && html`<p class="down">${fact.error}</p>`}
    ${fact.messages.map((/** @type {any} */ message, /** @type {number} */ at) => html`<details key=${at}>
      <summary>Asked (${message.role})</summary>
      <pre class="raw">${message.content}</pre>
    </details>`)}
    ${fact.answer && html`<details><summary>Answered</summary><pre class="raw">${fact.answer}</pre></details>`}
  `;
}

/** @param {any} check */
function checkWords({ code, detail, value, limit }) {
  const numbers = value ? ` (${value}${limit ? ` of ${limit}` : ""})` : "";
  return `${code.replaceAll("_", " ")}${detail ? `: ${detail}` : ""}${numbers}`;
}

/** @param {{check: any}} props */
const Check = ({ check }) =>
  html`<li class=${check.passed ? "up" : "down"}>
    <${Icon} name=${check.passed ? "check" : "cross"} size=${13} />
    <span><span class="sr-only">${check.passed ? "Passed" : "Not passed"}: </span>${checkWords(check)}</span>
  </li>`;

/** @param {{fact: any}} props */
function Checks({ fact }) {
  if (!fact.checks?.length) return null;
  return html`<ul class="checks">
    ${fact.checks.map((/** @type {any} */ check, /** @type {number} */ at) => html`<${Check} key=${at} check=${check} />`)}
  </ul>`;
}

/** @param {{fact: any}} props */
function BarPrices({ fact }) {
  const prices = ["open", "high", "low", "close"].map((name) => `${name} ${price(fact[name], fact.symbol)}`);
  return html`<p class="figure">${prices.join(" · ")}</p>`;
}

/** @type {Record<string, (props: {fact: any}) => any>} */
const BODIES = {
  indicators: IndicatorValues,
  signal: View,
  decision: Decided,
  prompt: Prompt,
  bar: BarPrices,
  outcome: ({ fact }) => html`<p>${words("outcome", fact).text}</p><${Checks} fact=${fact} />`,
  intent: ({ fact }) => html`<p>${capital(termsWords(fact.terms, fact.symbol))}, as <code>${fact.client_order_id}</code></p>`,
};

/** @param {{step: {topic: string, id: string, fact: any, states?: string[]}}} props */
function Step({ step: { topic, id, fact, states = [] } }) {
  if (!fact) return html`<li class="why-step"><p class="quiet">${NAMES[topic] ?? topic}: older than the history kept here (${id})</p></li>`;
  const Body = BODIES[topic];
  const said = words(topic, fact);
  const name = topic === "signal" || topic === "prompt" ? `${NAMES[topic]} of ${fact.engine}` : (NAMES[topic] ?? said.title);
  return html`<li class=${classes("why-step", asked.value === id && "why-asked")}>
    <div class="why-head">
      <strong>${name}</strong>
      ${asked.value === id && html`<${Badge} tone="info">asked about<//>`}
      <${Moment} at=${fact.made_at} />
    </div>
    ${Body ? html`<${Body} fact=${fact} />` : html`<p>${said.title}. ${said.text}</p>`}
    ${states.length > 1 && html`<p class="hint">${states.map((state) => state.replaceAll("_", " ")).join(" → ")}</p>`}
    <details><summary>The fact itself</summary><pre class="raw">${JSON.stringify(fact, null, 2)}</pre></details>
  </li>`;
}

export function WhyDialog() {
  const id = asked.value;
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  useEffect(() => {
    setAnswer(null);
    if (id) get(`why/${id.split("/").map(encodeURIComponent).join("/")}`).then(setAnswer, setAnswer);
  }, [id]);
  if (!id) return null;
  const close = () => {
    asked.value = "";
  };
  const actions = html`<button type="button" class="button" onClick=${close}>Close</button>`;
  return html`<${Dialog} title="How it came about" onClose=${close} actions=${actions} wide>
    ${!answer && html`<${Empty} title="Reading the history…" />`}
    ${answer instanceof Error && html`<${Empty} title="Nothing found">${answer.message}<//>`}
    ${answer && !(answer instanceof Error) && html`<ol class="why">
      ${steps(answer).map((step) => html`<${Step} key=${step.id} step=${step} />`)}
    </ol>`}
  <//>`;
}
