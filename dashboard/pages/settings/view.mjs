// What can be changed here, and what can only be seen: limits, keys and sources stand in `.env` and secret files, out of a browser's reach.

import { Badge, Empty } from "#app/components/figures.mjs";
import { Panel, Table, Values } from "#app/components/panel.mjs";
import { Sizing } from "#app/components/sizing.mjs";
import { limitRows, settingsOf } from "#app/components/turn_on.mjs";
import { capital } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { keysOn } from "#app/keys.mjs";
import { all, system } from "#app/store.mjs";
import { setTheme, theme } from "#app/theme.mjs";
import { processName } from "#app/words.mjs";

const THEMES = /** @type {import("#app/theme.mjs").Theme[]} */ (["auto", "light", "dark"]);

/** @param {{name: import("#app/theme.mjs").Theme}} props */
const ThemeChoice = ({ name }) =>
  html`<label class="segment">
    <input type="radio" name="theme" checked=${theme.value === name} onChange=${() => setTheme(name)} /><span>${capital(name)}</span>
  </label>`;

function Appearance() {
  const setKeys = (/** @type {any} */ event) => {
    keysOn.value = event.target.checked;
  };
  return html`
    <fieldset class="segments">
      <legend class="sr-only">Theme</legend>
      ${THEMES.map((name) => html`<${ThemeChoice} key=${name} name=${name} />`)}
    </fieldset>
    <p>
      <label class="check">
        <input type="checkbox" checked=${keysOn.value} onChange=${setKeys} />Single keys go to pages (g o, g s, [ and ], ?)
      </label>
    </p>
    <p class="hint">Times are shown in your zone; the exchange's time and UTC stand in the hint of each.</p>
  `;
}

function Limits() {
  const rows = limitRows();
  if (!rows.length) return html`<${Empty} title="Execution has not told its limits yet" />`;
  return html`
    <${Values} rows=${rows.map(({ label, text }) => [label, text])} />
    <p class="hint">Set in <code>.env</code> and read at the start of execution.</p>
  `;
}

const SECRET = /(key|secret|password|token)/;
const VENDOR_KEYS = ["taapi_api_key", "alpaca_api_key", "alpaca_api_secret"];

/** Secrets, by setting: present or absent and who reads them, never their value. */
export function secrets() {
  /** @type {Map<string, {state: string, readers: string[]}>} */
  const found = new Map();
  for (const { process, settings } of all("config")) {
    for (const [name, value] of Object.entries(settings)) {
      const told = value === "present" || value === "absent" ? SECRET.test(name) : value === null && VENDOR_KEYS.includes(name);
      if (!told) continue;
      const entry = found.get(name) ?? { state: "absent", readers: [] };
      found.set(name, { state: value === "present" ? "present" : entry.state, readers: [...entry.readers, process] });
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** @param {{name: string, state: string, readers: string[]}} props */
const KeyRow = ({ name, state, readers }) =>
  html`<tr>
    <th scope="row"><code>${name.toUpperCase()}</code></th>
    <td data-label="State"><${Badge} tone=${state === "present" ? "good" : "quiet"}>${state}<//></td>
    <td data-label="Read by">${readers.map(processName).join(", ")}</td>
  </tr>`;

function Keys() {
  const list = secrets();
  if (!list.length) return html`<${Empty} title="No process has told which keys it has" />`;
  return html`
    <${Table} label="Keys" heads=${["Setting", "State", "Read by"]}>
      ${list.map(([name, { state, readers }]) => html`<${KeyRow} key=${name} name=${name} state=${state} readers=${readers} />`)}
    <//>
    <p class="hint">
      Keys stay in <code>.env</code> and secret files. None passes through Redis or this page. <code>./tradermagic doctor</code> tests them.
    </p>
  `;
}

/** @param {any} value */
function say(value) {
  if (Array.isArray(value)) return value.join(", ");
  return value === undefined || value === null || value === "" ? "–" : String(value);
}

function Traded() {
  const [market, decision, execution] = ["market_data", "decision", "execution"].map(settingsOf);
  const rows = [
    ["Symbols", system.value.symbols.join(", ")],
    ["Timeframe", system.value.timeframe],
    ["Data from", say(market.source)],
    ["Engines", say(decision.engines)],
    ["Model", say(decision.ollama_model)],
    ["Broker", say(execution.broker)],
    ["Mode", system.value.mode],
  ];
  return html`<${Values} rows=${rows} /><p class="hint">Set in <code>.env</code>; a restart takes them in.</p>`;
}

export default function Settings() {
  return html`<div class="stack">
    <h1 class="sr-only">Settings</h1>
    <div class="side-by-side">
      <${Panel} title="Size of a buy" name="size-title"><${Sizing} /><//>
      <${Panel} title="Appearance" name="look-title"><${Appearance} /><//>
    </div>
    <div class="side-by-side">
      <${Panel} title="Limits" name="limits-title"><${Limits} /><//>
      <${Panel} title="What is traded" name="what-title"><${Traded} /><//>
    </div>
    <${Panel} title="Keys" name="keys-title"><${Keys} /><//>
  </div>`;
}
