// Tabs: arrow keys go from one to the next, only the chosen one is drawn.

import { html } from "../html.mjs";

/**
 * @param {{label: string, name: string, tabs: [string, string][], chosen: string, onChoose: (name: string) => void, children: any}} props
 */
export function Tabs({ label, name, tabs, chosen, onChoose, children }) {
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex(([one]) => one === chosen);
    const [next] = tabs[(at + step + tabs.length) % tabs.length];
    onChoose(next);
    document.getElementById(`${name}-${next}`)?.focus();
  };
  return html`<div class="chips" role="tablist" aria-label=${label} onKeyDown=${move}>
      ${tabs.map(([one, text]) => html`<button key=${one} type="button" class="chip" role="tab" id=${`${name}-${one}`}
        aria-selected=${one === chosen} aria-controls=${`${name}-panel`} tabindex=${one === chosen ? 0 : -1} onClick=${() => onChoose(one)}>
        ${text}
      </button>`)}
    </div>
    <div role="tabpanel" id=${`${name}-panel`} aria-labelledby=${`${name}-${chosen}`} class="tab-panel">${children}</div>`;
}
