// What can be changed here, and what can only be seen: limits, keys and sources stand in `.env` and secret files, out of a browser's reach.

import { Empty } from "#app/components/figures.mjs";
import { Sizing } from "#app/components/sizing.mjs";
import { limitRows, settingsOf } from "#app/components/turn_on.mjs";
import { capital, ZONE } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { keysOn } from "#app/keys.mjs";
import { all, system } from "#app/store.mjs";
import { setTheme, theme } from "#app/theme.mjs";
import { processName } from "#app/words.mjs";
import { Badge } from "#app/components/figures.mjs";

/** @param {{title: string, name: string, children: any}} props */
const Panel = ({ title, name, children }) => html`<section class="panel" aria-labelledby=${name}><div class="panel-head"><h2 id=${name}>${title}</h2></div>${children}</section>`;

function Appearance() {
  const choices = /** @type {("auto" | "light" | "dark")[]} */ (["auto", "light", "dark"]);
  return html`<fieldset class="segments"><legend class="sr-only">Theme</legend>${choices.map((name) => html`<label key=${name} class="segment"><input type="radio" name="theme" checked=${theme.value === name} onChange=${() => setTheme(name)} /><span>${capital(name)}</span></label>`)}</fieldset>
    <p><label class="check"><input type="checkbox" checked=${keysOn.value} onChange=${(/** @type {any} */ event) => (keysOn.value = event.target.checked)} />Single keys go to pages (g o, g s, [ and ], ?)</label></p>
    <p class="hint">Times are shown in ${ZONE}; the exchange's time and UTC stand in the hint of each.</p>`;
}

function Limits() {
  const rows = limitRows();
  if (!rows.length) return html`<${Empty} title="Execution has not told its limits yet" />`;
  return html`<dl class="values values-wide">${rows.map(({ name, label, text }) => html`<div key=${name}><dt>${label}</dt><dd class="figure" title=${name.toUpperCase()}>${text}</dd></div>`)}</dl>
    <p class="hint">Set in <code>.env</code> and read at the start of execution.</p>`;
}

/** Secrets, by process: present or absent, never their value. */
export function secrets() {
  /** @type {Map<string, {state: string, processes: string[]}>} */
  const found = new Map();
  for (const { process, settings } of all("config")) {
    for (const [name, value] of Object.entries(settings)) {
      if ((value !== "present" && value !== "absent") || !/(key|secret|password|token)/.test(name)) continue;
      const entry = found.get(name) ?? { state: "absent", processes: [] };
      entry.processes.push(process);
      if (value === "present") entry.state = "present";
      found.set(name, entry);
    }
    for (const name of ["taapi_api_key", "alpaca_api_key", "alpaca_api_secret"]) {
      if (name in settings && settings[name] === null && !found.has(name)) found.set(name, { state: "absent", processes: [process] });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

function Keys() {
  const list = secrets();
  if (!list.length) return html`<${Empty} title="No process has told which keys it has" />`;
  return html`<div class="table-scroll"><table class="table table-cards"><thead><tr><th scope="col">Setting</th><th scope="col">State</th><th scope="col">Read by</th></tr></thead><tbody>${list.map(
    ([name, { state, processes }]) => html`<tr key=${name}><th scope="row"><code>${name.toUpperCase()}</code></th><td data-label="State"><${Badge} tone=${state === "present" ? "good" : "quiet"}>${state}<//></td><td data-label="Read by">${processes.map(processName).join(", ")}</td></tr>`,
  )}</tbody></table></div><p class="hint">Keys stay in <code>.env</code> and secret files. None passes through Redis or this page. <code>./tradermagic doctor</code> tests them.</p>`;
}

function Trading() {
  const market = settingsOf("market_data");
  const decision = settingsOf("decision");
  const execution = settingsOf("execution");
  const say = (/** @type {any} */ value) => (Array.isArray(value) ? value.join(", ") : value === undefined || value === null || value === "" ? "–" : String(value));
  const rows = [["Symbols", system.value.symbols.join(", ")], ["Timeframe", system.value.timeframe], ["Data from", say(market.source)], ["Engines", say(decision.engines)], ["Model", say(decision.ollama_model)], ["Broker", say(execution.broker)], ["Mode", system.value.mode]];
  return html`<dl class="values values-wide">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl><p class="hint">Set in <code>.env</code>; a restart takes them in.</p>`;
}

export default function Settings() {
  return html`<div class="stack"><h1 class="sr-only">Settings</h1>
    <div class="side-by-side"><${Panel} title="Size of a buy" name="size-title"><${Sizing} /><//><${Panel} title="Appearance" name="look-title"><${Appearance} /><//></div>
    <div class="side-by-side"><${Panel} title="Limits" name="limits-title"><${Limits} /><//><${Panel} title="What is traded" name="what-title"><${Trading} /><//></div>
    <${Panel} title="Keys" name="keys-title"><${Keys} /><//></div>`;
}
