// What the keys open: the palette, the list of keys, the halt dialog, and on a phone the sheet behind "More".

import { boot } from "../boot.mjs";
import { html } from "../html.mjs";
import { keyList } from "../key_list.mjs";
import { keysOn } from "../keys.mjs";
import { closing, overlay } from "../overlays.mjs";
import { route } from "../router.mjs";
import { halt } from "../store.mjs";
import { setTheme, theme } from "../theme.mjs";
import { capital } from "../format.mjs";
import { Dialog } from "./dialog.mjs";
import { COMMAND, halting, pressHalt } from "./halt.mjs";
import { Icon } from "./icon.mjs";
import { HEAD_COUNT } from "./navigation.mjs";
import { Palette } from "./palette.mjs";
import { Account } from "./user_menu.mjs";

const [closeKeys, closeHalt, closeMore] = /** @type {const} */ (["keys", "halt", "more"]).map(closing);

/** @param {{act: () => void}} props */
const Close = ({ act }) => html`<button type="button" class="button" onClick=${act}>Close</button>`;

/** Keys as they are printed on a keyboard. @param {{keys: string}} props */
export const Keys = ({ keys }) => html`<span class="keys">${keys.split(" ").map((key, at) => html`<kbd key=${at}>${key}</kbd>`)}</span>`;

export const KeyTable = () =>
  html`<dl class="key-list">
    ${keyList().map(({ keys, does }) => html`<div key=${keys}><dt><${Keys} keys=${keys} /></dt><dd>${does}</dd></div>`)}
  </dl>`;

function KeysDialog() {
  const set = (/** @type {any} */ event) => {
    keysOn.value = event.target.checked;
  };
  return html`<${Dialog} title="Keys" wide plain onClose=${closeKeys} actions=${html`<${Close} act=${closeKeys} />`}>
    <${KeyTable} />
    <label class="check"><input type="checkbox" checked=${keysOn.value} onChange=${set} />Keys without Ctrl are in use</label>
    <p class="hint">No key turns trading on.</p>
  <//>`;
}

/** Opened by keys: the button has the focus, one more press halts. */
function HaltDialog() {
  const act = () => {
    closeHalt();
    pressHalt();
  };
  const actions = html`
    <button type="button" class="button" onClick=${closeHalt}>Cancel</button>
    <button type="button" class="halt" autofocus ...${halting()} onClick=${act}><${Icon} name="halt" size=${18} /><span>Halt</span></button>
  `;
  return html`<${Dialog} title="Halt all trading?" tone="danger" plain onClose=${closeHalt} actions=${actions}>
    ${halt.value && html`<p><strong>Trading is halted already.</strong></p>`}
    <p>Ends buying at once and cancels working entries. Protective orders stay in place, and you can still close positions.</p>
    <p class="hint">Without this page: <code>${COMMAND}</code></p>
  <//>`;
}

const THEMES = /** @type {import("../theme.mjs").Theme[]} */ (["auto", "light", "dark"]);

/** On a phone: the pages that the bar has no room for, and what stands in the header elsewhere. */
function MoreSheet() {
  const rest = boot.navigation.slice(HEAD_COUNT);
  return html`<${Dialog} title="More" kind="sheet" onClose=${closeMore} actions=${html`<${Close} act=${closeMore} />`}>
    <nav aria-label="More pages">
      <ul class="more-pages">
        ${rest.map(({ name, title, href }) => html`<li key=${name}>
          <a href=${href} aria-current=${route.value.name === name ? "page" : undefined} onClick=${closeMore}>
            <${Icon} name=${name} size=${18} />${title}
          </a>
        </li>`)}
      </ul>
    </nav>
    <button type="button" class="button" onClick=${() => (overlay.value = "palette")}>
      <${Icon} name="search" />Find a page, symbol or action
    </button>
    <fieldset class="segments">
      <legend class="sr-only">Theme</legend>
      ${THEMES.map((name) => html`<label key=${name} class="segment">
        <input type="radio" name="theme-more" checked=${theme.value === name} onChange=${() => setTheme(name)} />
        <span>${capital(name)}</span>
      </label>`)}
    </fieldset>
    <div><${Account} /></div>
  <//>`;
}

const SHOWN = /** @type {Record<string, any>} */ ({ palette: Palette, keys: KeysDialog, halt: HaltDialog, more: MoreSheet });

export function Overlays() {
  const Shown = SHOWN[overlay.value];
  return Shown ? html`<${Shown} />` : null;
}
