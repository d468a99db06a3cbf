// How this browser shows things: colours, density, zone, keys. Nothing of it leaves the browser but as a cookie to its own server.

import { html } from "#app/html.mjs";
import { keysOn } from "#app/keys.mjs";
import { look, setLook } from "#app/look.mjs";
import { overlay } from "#app/overlays.mjs";
import { setTheme, theme } from "#app/theme.mjs";
import { ZONES, zoneChoice } from "#app/zone.mjs";
import { Change } from "#app/components/figures.mjs";

/** @typedef {{name: string, label: string, choices: [string, string][], value: string, set: (value: any) => void}} Choice */

/** @param {Choice} props */
const Segments = ({ name, label, choices, value, set }) =>
  html`<div class="setting">
    <span class="setting-name" id=${`look-${name}`}>${label}</span>
    <div class="segments" role="radiogroup" aria-labelledby=${`look-${name}`}>
      ${choices.map(([one, text]) => html`<label key=${one} class="segment">
        <input type="radio" name=${name} checked=${value === one} onChange=${() => set(one)} /><span>${text}</span>
      </label>`)}
    </div>
  </div>`;

/** @returns {Choice[]} */
const choices = () => [
  { name: "theme", label: "Theme", choices: [["auto", "Auto"], ["light", "Light"], ["dark", "Dark"]], value: theme.value, set: setTheme },
  {
    name: "palette",
    label: "Good and bad",
    choices: [["standard", "Green, red"], ["blind", "Blue, orange"]],
    value: look.value.palette,
    set: (value) => setLook("palette", value),
  },
  {
    name: "up",
    label: "What rises is",
    choices: [["green", look.value.palette === "blind" ? "Blue" : "Green"], ["red", look.value.palette === "blind" ? "Orange" : "Red"]],
    value: look.value.up,
    set: (value) => setLook("up", value),
  },
  {
    name: "density",
    label: "Density",
    choices: [["comfortable", "Comfortable"], ["compact", "Compact"]],
    value: look.value.density,
    set: (value) => setLook("density", value),
  },
];

export function Appearance() {
  return html`
    ${choices().map((one) => html`<${Segments} key=${one.name} ...${one} />`)}
    <div class="setting">
      <span class="setting-name">So it looks</span>
      <span class="setting-sample"><${Change} value=${0.0123} /> <${Change} value=${-0.0045} /></span>
    </div>
    <label class="setting">
      <span class="setting-name">Times in</span>
      <select class="select" value=${zoneChoice.value} onChange=${(/** @type {any} */ event) => (zoneChoice.value = event.target.value)}>
        ${ZONES.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}
      </select>
    </label>
    <div class="setting">
      <span class="setting-name">Keys</span>
      <span>
        <label class="check">
          <input type="checkbox" checked=${keysOn.value} onChange=${(/** @type {any} */ event) => (keysOn.value = event.target.checked)} />
          Keys without Ctrl
        </label>
        <button type="button" class="link" onClick=${() => (overlay.value = "keys")}>List</button>
      </span>
    </div>
    <p class="hint">Kept in this browser. The exchange's time and UTC stand in the hint of every time.</p>
  `;
}
