// A button that gives what stands beside it as a file.

import { html } from "../html.mjs";
import { csv, fileName, save } from "../saving.mjs";

/**
 * `rows` are made when it is pressed.
 * @param {{what: string, columns: string[], rows: () => Record<string, any>[], label?: string, disabled?: boolean}} props
 */
export const SaveButton = ({ what, columns, rows, label = "CSV", disabled = false }) =>
  html`<button type="button" class="button button-small" data-key="e" disabled=${disabled} aria-label=${`Save ${what} as CSV`}
    onClick=${() => save(fileName(what), csv(columns, rows()))}>${label}</button>`;
