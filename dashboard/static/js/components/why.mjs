// From any happening back to the bar it came from, and on to what came of it: in a drawer beside what was being looked at.

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api.mjs";
import { capital, number } from "../format.mjs";
import { html } from "../html.mjs";
import { system } from "../store.mjs";
import { words } from "../words.mjs";
import { Dialog } from "./dialog.mjs";
import { Empty, Moment } from "./figures.mjs";
import { Calls, Checks, Decided, Filled, Inputs, Orders, Paces, Reached, Views } from "./reasons.mjs";
import { afterwards, gathered, lives, story } from "./story.mjs";

export { Contributions } from "./reasons.mjs";
export { steps } from "./story.mjs";

/** The id of the fact that is asked about. */
export const asked = signal("");

/** @param {string} id */
export function explain(id) {
  asked.value = id;
}

/** @param {{id: string, label?: string}} props */
export const WhyButton = ({ id, label }) =>
  html`<button type="button" class="link why-link" aria-label=${label} onClick=${() => explain(id)}>Why</button>`;

const LATER = /** @type {[string, number][]} */ ([
  ["after 1 h", 3_600],
  ["after 1 day", 86_400],
]);

/** @param {string} id */
const why = (id) => get(`why/${id.split("/").map(encodeURIComponent).join("/")}`);

/** The whole chain: a fill or an order is followed to its decision, and from there to all that came of it. @param {string} id */
async function read(id) {
  const answer = await why(id);
  const origin = answer.causes.find((/** @type {any} */ one) => one.fact && (one.topic === "decision" || one.topic === "command"));
  if (!origin || origin.id === id) return gathered(answer);
  return gathered(answer, await why(origin.id).catch(() => ({ causes: [], consequences: [] })));
}

/** How the price went on. @param {any} decision @returns {Promise<[string, number | null][]>} */
async function readLater(decision) {
  const { bars } = await get("bars", { symbol: decision.symbol, timeframe: system.peek().timeframe, limit: 1_000 });
  return LATER.map(([name, seconds]) => [name, afterwards(decision, bars, seconds)]);
}

const NAMES = /** @type {Record<string, string>} */ ({
  bar: "Bar",
  indicators: "Indicators",
  signal: "View",
  prompt: "Model call",
  decision: "Decision",
});

/** @param {{list: import("./story.mjs").Step[]}} props */
const Everything = ({ list }) =>
  html`<details class="why-all">
    <summary>Every fact of the chain (${list.length})</summary>
    <ol class="why">
      ${lives(list.map((one) => ({ ...one }))).map(({ id, topic, fact, states = [] }) => html`<li key=${id} class="why-step">
        <div class="why-head">
          <strong>${fact ? (NAMES[topic] ?? words(topic, fact).title) : (NAMES[topic] ?? capital(topic || "fact"))}</strong>
          ${fact && html`<${Moment} at=${fact.made_at} />`}
        </div>
        ${!fact && html`<p class="quiet">older than the history kept here (${id})</p>`}
        ${states.length > 1 && html`<p class="hint">${states.map((state) => state.replaceAll("_", " ")).join(" → ")}</p>`}
        ${fact && html`<details><summary>The fact itself</summary><pre class="raw">${JSON.stringify(fact, null, 2)}</pre></details>`}
      </li>`)}
    </ol>
  </details>`;

/** @param {{list: import("./story.mjs").Step[], id: string}} props */
function Told({ list, id }) {
  const told = story(list);
  const { decision, missing } = told;
  const [later, setLater] = useState(/** @type {[string, number | null][]} */ ([]));
  useEffect(() => {
    if (decision && decision.action !== "hold") readLater(decision).then(setLater, () => setLater([]));
  }, [decision?.id]);
  return html`<div class="why">
    <p class="why-title">
      <strong>${told.symbol}</strong>
      ${decision && html` <span class=${`action action-${decision.action}`}>
        ${capital(decision.action)}, score ${number(decision.score, 0)}
      </span>`}
      ${told.command && !decision && html` <span>${words("command", told.command).title}</span>`}
    </p>
    <${Paces} told=${told} />
    <${Inputs} told=${told} asked=${id} />
    <${Views} told=${told} asked=${id} />
    <${Calls} told=${told} asked=${id} />
    <${Decided} told=${told} asked=${id} />
    <${Checks} told=${told} asked=${id} />
    <${Orders} told=${told} asked=${id} />
    <${Filled} told=${told} asked=${id} />
    <${Reached} told=${told} asked=${id} later=${later} />
    ${missing.length > 0 && html`<p class="hint">
      ${missing.length} of its facts are older than the history kept here; the journal's files have them.
    </p>`}
    <${Everything} list=${list} />
  </div>`;
}

/** @param {{list: import("./story.mjs").Step[] | null}} props */
function Copy({ list }) {
  const [done, setDone] = useState("");
  if (!list) return null;
  const copy = () => {
    const text = JSON.stringify(list.map(({ topic, id, fact }) => ({ topic, id, fact })), null, 2);
    navigator.clipboard.writeText(text).then(
      () => setDone("Copied"),
      () => setDone("The browser did not let it be copied"),
    );
  };
  return html`<button type="button" class="button" onClick=${copy}>${done || "Copy as JSON"}</button>`;
}

export function WhyDialog() {
  const id = asked.value;
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  useEffect(() => {
    setAnswer(null);
    if (id) read(id).then(setAnswer, setAnswer);
  }, [id]);
  if (!id) return null;
  const close = () => {
    asked.value = "";
  };
  const found = Array.isArray(answer) ? answer : null;
  const actions = html`<${Copy} list=${found} /><button type="button" class="button" autofocus onClick=${close}>Close</button>`;
  return html`<${Dialog} title="How it came about" onClose=${close} actions=${actions} kind="drawer">
    ${!answer && html`<${Empty} title="Reading the history…" />`}
    ${answer instanceof Error && html`<${Empty} title="Nothing found">${answer.message}<//>`}
    ${found && html`<${Told} list=${found} id=${id} />`}
  <//>`;
}
