// Keys of vendors and of this page: present or absent, and whether they work. Their values stay where they are read.

import { Badge, Empty, Moment } from "#app/components/figures.mjs";
import { Table } from "#app/components/panel.mjs";
import { html } from "#app/html.mjs";
import { TESTERS, testKeys, tests } from "#app/key_tests.mjs";
import { changing } from "#app/may.mjs";
import { all } from "#app/store.mjs";
import { processName } from "#app/words.mjs";

const SECRET = /(key|secret|password|token)/;
const OPTIONAL = new Set([
  "taapi_api_key",
  "alpaca_api_key",
  "alpaca_api_secret",
  "dashboard_password",
  "dashboard_totp_secret",
  "dashboard_secret_key",
  "dashboard_tokens",
]);

/** Secrets, by setting: present or absent and who reads them, never their value. */
export function secrets() {
  /** @type {Map<string, {state: string, readers: string[]}>} */
  const found = new Map();
  for (const { process, settings } of all("config")) {
    for (const [name, value] of Object.entries(settings)) {
      const told = value === "present" || value === "absent" ? SECRET.test(name) : value === null && OPTIONAL.has(name);
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

const WORDS = /** @type {Record<string, [string, string]>} */ ({
  asked: ["quiet", "asking…"],
  good: ["good", "works"],
  bad: ["bad", "does not work"],
  silent: ["warn", "no answer"],
});

/** @param {{process: string}} props */
function Tested({ process }) {
  const test = tests.value[process];
  const name = html`<strong>${processName(process)}</strong>`;
  if (!test) return html`<li>${name} <span class="quiet">not tested since this page was opened</span></li>`;
  const [tone, word] = WORDS[test.state];
  return html`<li>
    ${name} <${Badge} tone=${tone}>${word}<//>
    ${test.state !== "asked" && html`<span class="tested-detail">${test.detail} <${Moment} at=${new Date(test.at).toISOString()} /></span>`}
  </li>`;
}

export function VendorKeys() {
  const list = secrets();
  const busy = Object.values(tests.value).some(({ state }) => state === "asked");
  return html`
    ${!list.length && html`<${Empty} title="No process has told which keys it has" />`}
    ${list.length > 0 && html`<${Table} label="Keys" heads=${["Setting", "State", "Read by"]}>
      ${list.map(([name, { state, readers }]) => html`<${KeyRow} key=${name} name=${name} state=${state} readers=${readers} />`)}
    <//>`}
    <div class="tested" aria-live="polite">
      <button type="button" class="button" ...${changing({ disabled: busy })} onClick=${testKeys}>
        ${busy ? "Testing…" : "Test the keys"}
      </button>
      <ul>${TESTERS.map((process) => html`<${Tested} key=${process} process=${process} />`)}</ul>
    </div>
    <p class="hint">
      Keys stay in <code>.env</code> and secret files. Each is tested by the process that reads it, which asks its vendor who we are; none
      passes through Redis or this page. <code>./tradermagic doctor</code> tests them too.
    </p>
  `;
}
