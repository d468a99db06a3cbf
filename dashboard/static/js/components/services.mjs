// Which processes live, and how the model is: one line that turns into words when something is wrong.

import { computed } from "@preact/signals";
import { second } from "../clock.mjs";
import { number } from "../format.mjs";
import { classes, html } from "../html.mjs";
import { online } from "../socket.mjs";
import { all, latest, system } from "../store.mjs";
import { processName } from "../words.mjs";
import { Empty } from "./figures.mjs";

export const NEEDED = ["market_data", "decision", "execution"];
const HEARTBEAT_MS = 15_000;

/** By process: how many replicas live, and the last error of any. */
export const processes = computed(() => {
  const now = second.value;
  /** @type {Map<string, {name: string, alive: any[], lost: any[]}>} */
  const found = new Map();
  for (const name of NEEDED) found.set(name, { name, alive: [], lost: [] });
  for (const beat of all("heartbeat")) {
    const entry = found.get(beat.process) ?? { name: beat.process, alive: /** @type {any[]} */ ([]), lost: /** @type {any[]} */ ([]) };
    entry[now - Date.parse(beat.made_at) < HEARTBEAT_MS ? "alive" : "lost"].push(beat);
    found.set(beat.process, entry);
  }
  return [...found.values()];
});

/** @param {{name: string, alive: any[]}} process */
export function processState({ alive }) {
  if (!alive.length) return { state: "lost", text: "not running" };
  if (alive.every(({ state }) => state === "starting")) return { state: "stale", text: "starting" };
  return { state: "fresh", text: alive.length > 1 ? `${alive.length} replicas` : "running" };
}

const PHASES = /** @type {Record<string, {state: string, text: string}>} */ ({
  off: { state: "closed", text: "not used" },
  unreachable: { state: "lost", text: "unreachable" },
  missing: { state: "lost", text: "not pulled" },
  pulling: { state: "stale", text: "pulling" },
  loading: { state: "stale", text: "loading" },
  ready: { state: "fresh", text: "ready" },
  degraded: { state: "stale", text: "degraded" },
});

/** @param {any} model */
export function modelState(model) {
  if (!model) return { state: "none", text: "unknown" };
  const { state, text } = PHASES[model.phase] ?? { state: "none", text: model.phase };
  if (model.phase === "pulling" && model.percent !== undefined) return { state, text: `pulling ${number(model.percent, 0)}%` };
  const latency = model.latency_ms ? `, ${number(model.latency_ms / 1_000, 1)} s` : "";
  return {
    state,
    text: `${text}${model.phase === "ready" && model.processor !== "unknown" ? ` on ${model.processor?.toUpperCase()}` : ""}${latency}`,
  };
}

/** @param {{state: string, name: string, text: string, title?: string}} props */
const Item = ({
  state,
  name,
  text,
  title,
}) => html`<li class=${classes("service", `service-${state}`)} title=${title}>
  <span class="dot" data-state=${state} aria-hidden="true"></span>
  <span class="service-name">${name}</span>
  <span class="service-text">${text}</span>
</li>`;

export function Services() {
  const model = latest("model").value;
  if (!system.value.ready) return html`<${Empty} title="Loading…" />`;
  // What is not heard may be alive all the same.
  const unknown = online.value ? null : { state: "none", text: "not known while disconnected" };
  const { state, text } = unknown ?? modelState(model);
  return html`<ul class="services" aria-label="Processes and model">
    ${processes.value.filter(({ name }) => NEEDED.includes(name)).map((one) => html`<${Item} key=${one.name} name=${processName(one.name)}
      ...${unknown ?? processState(one)} title=${one.alive.map((beat) => beat.replica).join(", ")} />`)}
    ${model && model.phase !== "off" && html`<${Item} name=${model.model} state=${state} text=${text} title=${model.detail} />`}
    ${model?.phase === "pulling" && html`<li class="service-progress">
      <progress max="100" value=${model.percent ?? undefined} aria-label=${`Pulling ${model.model}`}></progress>
    </li>`}
  </ul>`;
}
