// The command palette: type, choose, Enter. A list box that the field rules, as screen readers know it.

import { useEffect, useRef, useState } from "preact/hooks";
import { actions, matching } from "../actions.mjs";
import { html } from "../html.mjs";
import { closing } from "../overlays.mjs";
import { Dialog } from "./dialog.mjs";
import { Icon } from "./icon.mjs";

const MOST = 60;
const close = closing("palette");

/** @param {{one: import("../actions.mjs").Action, at: number, chosen: boolean, act: () => void}} props */
function Option({ one, at, chosen, act }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (chosen) element.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  return html`<li id=${`option-${at}`} ref=${element} role="option" aria-selected=${chosen} class="option" onClick=${act}>
    <${Icon} name=${one.icon} />
    <span>${one.name}</span>
    ${one.note && html`<span class="option-note">${one.note}</span>`}
  </li>`;
}

export function Palette() {
  const [typed, setTyped] = useState("");
  const [place, setAt] = useState(0);
  const list = matching(actions(), typed).slice(0, MOST);
  const chosen = Math.min(place, list.length - 1);
  const act = (/** @type {import("../actions.mjs").Action | undefined} */ one) => {
    if (!one) return;
    // First closed, so that what it opens has the page to itself.
    close();
    one.act();
  };
  const move = (/** @type {number} */ to) => setAt(list.length ? (to + list.length) % list.length : 0);
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const keys = /** @type {Record<string, () => void>} */ ({
      ArrowDown: () => move(chosen + 1),
      ArrowUp: () => move(chosen - 1),
      PageDown: () => setAt(Math.min(list.length - 1, chosen + 8)),
      PageUp: () => setAt(Math.max(0, chosen - 8)),
      Enter: () => act(list[chosen]),
    });
    if (!keys[event.key] || event.isComposing) return;
    event.preventDefault();
    keys[event.key]();
  };
  const type = (/** @type {any} */ event) => {
    setTyped(event.target.value);
    setAt(0);
  };
  return html`<${Dialog} title="Find" kind="palette" plain onClose=${close} actions=${null}>
    <input class="input palette-input" role="combobox" aria-label="Page, symbol or action" aria-autocomplete="list"
      aria-expanded=${list.length > 0} aria-controls=${list.length ? "options" : undefined}
      aria-activedescendant=${list.length ? `option-${chosen}` : undefined} autocomplete="off" spellcheck=${false}
      autofocus placeholder="Page, symbol or action" value=${typed} onInput=${type} onKeyDown=${onKey} />
    ${list.length > 0 && html`<ul id="options" class="options" role="listbox" aria-label="Found">
      ${list.map((one, at) => html`<${Option} key=${one.name} one=${one} at=${at} chosen=${at === chosen} act=${() => act(one)} />`)}
    </ul>`}
    <p class="sr-only" role="status">${list.length === 1 ? "one found" : `${list.length} found`}</p>
    ${!list.length && html`<p class="empty">Nothing is called that. Trading is turned on with its switch, never from here.</p>`}
  <//>`;
}
