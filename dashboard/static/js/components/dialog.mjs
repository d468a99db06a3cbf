// A native dialog: it holds the focus, closes on Escape, and gives the focus back.

import { useEffect, useRef } from "preact/hooks";
import { html } from "../html.mjs";

let count = 0;

/** @param {{title: string, tone?: string, onClose: () => void, children: any, actions: any, wide?: boolean}} props */
export function Dialog({ title, tone = "", onClose, children, actions, wide = false }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const name = useRef(`dialog-${++count}`).current;
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return html`<dialog class=${`dialog ${tone && `dialog-${tone}`} ${wide && "dialog-wide"}`} ref=${element} aria-labelledby=${name} onClose=${onClose}>
    <h2 id=${name} class="dialog-title">${title}</h2>
    <div class="dialog-body">${children}</div>
    <div class="dialog-actions">${actions}</div>
  </dialog>`;
}

/** Asks before something that cannot be taken back. @param {{title: string, tone?: string, confirm: string, onConfirm: () => void, onClose: () => void, disabled?: boolean, children: any}} props */
export function Confirm({ title, tone = "danger", confirm, onConfirm, onClose, disabled = false, children }) {
  const act = () => {
    onClose();
    onConfirm();
  };
  const actions = html`
    <button type="button" class="button" onClick=${onClose}>Cancel</button>
    <button type="button" class=${`button button-${tone}`} disabled=${disabled} onClick=${act}>${confirm}</button>`;
  return html`<${Dialog} title=${title} tone=${tone} onClose=${onClose} actions=${actions}>${children}<//>`;
}
