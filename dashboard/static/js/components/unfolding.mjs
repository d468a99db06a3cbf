// What is only made when somebody unfolds it: the table behind a chart changes with every fact, and mostly nobody looks.

import { useState } from "preact/hooks";
import { html } from "../html.mjs";

/** @param {{summary: string, inside: () => any}} props */
export function Unfolding({ summary, inside }) {
  const [open, setOpen] = useState(false);
  return html`<details class="as-table" open=${open} onToggle=${(/** @type {any} */ event) => setOpen(event.target.open)}>
    <summary>${summary}</summary>
    ${open && inside()}
  </details>`;
}
