// What can be changed here, and what can only be seen: limits, keys and sources stand in `.env` and secret files, out of a browser's reach.

import { Empty } from "#app/components/figures.mjs";
import { Panel, Values } from "#app/components/panel.mjs";
import { Sizing } from "#app/components/sizing.mjs";
import { limitRows, settingsOf } from "#app/components/turn_on.mjs";
import { html } from "#app/html.mjs";
import { may } from "#app/may.mjs";
import { save } from "#app/saving.mjs";
import { all, system } from "#app/store.mjs";
import { AccountDialogs } from "./account_dialogs.mjs";
import { Tokens, Users } from "./accounts.mjs";
import { Appearance } from "./appearance.mjs";
import { VendorKeys } from "./vendor_keys.mjs";

function Limits() {
  const rows = limitRows();
  if (!rows.length) return html`<${Empty} title="Execution has not told its limits yet" />`;
  return html`
    <${Values} rows=${rows.map(({ label, text }) => [label, text])} />
    <p class="hint">
      Set in <code>.env</code> and read at the start of execution: no browser can loosen them. How much is used stands under${" "}
      <a href="/risk">Risk</a>.
    </p>
  `;
}

/** @param {any} value */
function say(value) {
  if (Array.isArray(value)) return value.join(", ");
  return value === undefined || value === null || value === "" ? "–" : String(value);
}

/** Everything in force, as the processes told it: no secret is in there. */
function exportSettings() {
  const told = Object.fromEntries(all("config").map(({ process, version, config, settings }) => [process, { version, config, settings }]));
  save(`tradermagic-settings-${new Date().toISOString().slice(0, 10)}.json`, JSON.stringify(told, null, 2), "application/json");
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
  return html`
    <${Values} rows=${rows} />
    <p class="hint">
      Set in <code>.env</code>; a restart takes them in. All of it stands under <a href="/system">System</a>, and${" "}
      <button type="button" class="link" data-key="e" onClick=${exportSettings}>can be saved without secrets</button>.
    </p>
  `;
}

export default function Settings() {
  return html`<div class="stack">
    <h1 class="sr-only">Settings</h1>
    <div class="side-by-side">
      <div class="stack stack-tall">
        <${Panel} title="Size of a buy" name="size-title"><${Sizing} /><//>
        <${Panel} title="What is traded" name="what-title"><${Traded} /><//>
      </div>
      <${Panel} title="Appearance" name="look-title"><${Appearance} /><//>
    </div>
    <div class="side-by-side">
      <${Panel} title="Limits" name="limits-title"><${Limits} /><//>
      <${Panel} title="Keys of vendors and of this page" name="keys-title"><${VendorKeys} /><//>
    </div>
    ${may("manage") && html`<div class="side-by-side">
      <${Panel} title="Users" name="users-title"><${Users} /><//>
      <${Panel} title="Tokens" name="tokens-title"><${Tokens} /><//>
    </div>`}
    <${AccountDialogs} />
  </div>`;
}
