// What must be true before anything can trade, shown until all of it is.

import { alive } from "#app/components/state_pill.mjs";
import { Icon } from "#app/components/icon.mjs";
import { modelState } from "#app/components/services.mjs";
import { freshness, summary } from "#app/freshness.mjs";
import { html } from "#app/html.mjs";
import { bus, connection } from "#app/socket.mjs";
import { all, latest, system } from "#app/store.mjs";

/** @typedef {{name: string, state: "done" | "waiting" | "wrong", text: string}} Step */

/** @returns {Step[]} */
export function steps() {
  const data = summary(freshness.value);
  const model = latest("model").value;
  const account = latest("account").value;
  const decided = all("decision").length;
  return [
    ...(system.value.symbols.length ? [] : [step("Symbols", "wrong", "none is named: set SYMBOLS")]),
    ...keySteps(),
    bus.value.reachable ? step("Redis", "done", "reachable") : step("Redis", "wrong", bus.value.detail || "not reachable"),
    step(
      "Market data",
      ...process("market_data", data.state === "none" ? "waiting for the first closed bar" : "bars arrive", data.state !== "none"),
    ),
    step("Decision", ...process("decision", decided ? "decides at every bar" : "waiting for enough bars", decided > 0)),
    ...(model && model.phase !== "off" ? [step(`Model ${model.model}`, ...modelStep(model))] : []),
    step("Execution", ...process("execution", account ? `reconciled with ${account.broker}` : "waiting for the broker", Boolean(account))),
  ];
}

/** Keys that a process says are missing though it needs them; the sandbox needs none. @returns {Step[]} */
function keySteps() {
  const execution = latest("config", "", "execution").value?.settings ?? {};
  const needed = execution.broker === "alpaca" && execution.alpaca_api_key === "absent";
  return needed ? [step("Broker's keys", "wrong", "are missing: set ALPACA_API_KEY and ALPACA_API_SECRET")] : [];
}

/** @param {string} name @param {Step["state"]} state @param {string} text @returns {Step} */
const step = (name, state, text) => ({ name, state, text });

/** @param {string} name @param {string} text @param {boolean} done @returns {[Step["state"], string]} */
const process = (name, text, done) => (alive(name) ? [done ? "done" : "waiting", text] : ["wrong", "not running"]);

/** The model may be away: rules decide without it. @param {any} model @returns {[Step["state"], string]} */
function modelStep(model) {
  const { text } = modelState(model);
  const detail = model.detail ? `: ${model.detail}` : "";
  if (model.phase === "ready" || model.phase === "degraded") return ["done", text];
  return [
    model.phase === "unreachable" || model.phase === "missing" ? "wrong" : "waiting",
    `${text}${detail}. Other engines decide without it.`,
  ];
}

const ICONS = { done: "check", waiting: "clock", wrong: "warning" };

export function Checklist() {
  if (!system.value.ready || connection.value.state !== "open") return null;
  const list = steps();
  const left = list.filter(({ state }) => state !== "done");
  if (!left.length) return null;
  return html`<section class="panel checklist" aria-labelledby="checklist-title">
    <div class="panel-head">
      <h2 id="checklist-title">${left.some(({ state }) => state === "wrong") ? "Needs attention" : "Getting ready"}</h2>
      <span class="since">${list.length - left.length} of ${list.length}</span>
    </div>
    <ol class="steps">
      ${list.map(({ name, state, text }) => html`<li key=${name} data-state=${state}>
        <${Icon} name=${ICONS[state]} />
        <span><strong>${name}</strong> ${text}<span class="sr-only"> (${state})</span></span>
      </li>`)}
    </ol>
  </section>`;
}
