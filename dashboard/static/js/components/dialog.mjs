// A native dialog: it holds the focus, closes on Escape, and gives the focus back.

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { classes, html } from "../html.mjs";

/**
 * What every dialog shows beside its own buttons: a dialog must not stand between a person and HALT.
 * @type {import("@preact/signals").Signal<any>}
 */
export const always = signal(null);

let count = 0;

/**
 * @param {{title: string, tone?: string, onClose: () => void, children: any, actions: any, wide?: boolean, plain?: boolean,
 *   kind?: string}} props
 */
export function Dialog({ title, tone = "", onClose, children, actions, wide = false, plain = false, kind = "" }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const name = useRef(`dialog-${++count}`).current;
  // Before anything is drawn: no key can fall between the dialog and the page behind it.
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  const look = classes("dialog", tone && `dialog-${tone}`, wide && "dialog-wide", kind && `dialog-${kind}`);
  return html`<dialog class=${look} ref=${element} aria-labelledby=${name} onClose=${onClose}>
    <h2 id=${name} class="dialog-title">${title}</h2>
    <div class="dialog-body">${children}</div>
    ${(actions || !plain) && html`<div class="dialog-actions">
      ${always.value && !plain && html`<span class="dialog-halt"><${always.value} /></span>`}${actions}
    </div>`}
  </dialog>`;
}

/**
 * Asks before something that cannot be taken back.
 * @param {{title: string, tone?: string, confirm: string, onConfirm: () => void, onClose: () => void, disabled?: boolean,
 *   children: any}} props
 */
export function Confirm({ title, tone = "danger", confirm, onConfirm, onClose, disabled = false, children }) {
  const act = () => {
    onClose();
    onConfirm();
  };
  const actions = html`
    <button type="button" class="button" onClick=${onClose}>Cancel</button>
    <button type="button" class=${`button button-${tone}`} disabled=${disabled} onClick=${act}>${confirm}</button>
  `;
  return html`<${Dialog} title=${title} tone=${tone} onClose=${onClose} actions=${actions}>${children}<//>`;
}
