// HALT: one press, nothing asked, alive even when all else is not. It tries over plain HTTP a few times with one key; if the server cannot
// be reached it prints the command that halts at the broker.

import { signal } from "@preact/signals";
import { html } from "../html.mjs";
import { changing, may } from "../may.mjs";
import { dismiss, request, requests } from "../requests.mjs";
import { halt } from "../store.mjs";
import { ulid } from "../api.mjs";
import { always, Dialog } from "./dialog.mjs";
import { Icon } from "./icon.mjs";
import { view } from "./state_pill.mjs";

export const COMMAND = "./tradermagic halt --broker";
const ATTEMPTS = 3;
const PATIENCE_MS = 3_000;
const PAUSE_MS = 700;
/** Why it could not be done, empty while it was not tried or was. */
const failed = signal("");

/** Repeating is safe, the key stays the same; it ends after seconds, so that it cannot come late. */
export async function pressHalt() {
  failed.value = "";
  let why = "";
  for (let attempt = 1, key = ulid(); attempt <= ATTEMPTS; attempt += 1) {
    const body = { reason: "HALT pressed on the dashboard" };
    const state = await request({
      kind: "halt",
      label: "Halt",
      path: "halt",
      body,
      key,
      patience: PATIENCE_MS,
      proven: () => Boolean(halt.value),
    });
    if (state === "waiting") return;
    why = requests.peek().find((one) => one.key === key)?.detail ?? "";
    dismiss(key);
    if (state === "refused") break;
    if (attempt < ATTEMPTS) await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  failed.value = why || "The server was not reached.";
}

/** Pressable whatever the connection is, but not by who may not. */
export const halting = () => (may("halt") ? {} : changing({ scope: "halt" }));

export function HaltButton() {
  const busy = requests.value.some(({ kind, state }) => kind === "halt" && (state === "sending" || state === "waiting"));
  const halted = Boolean(halt.value);
  const confirmed = halted && view.value.phase === "halted";
  const word = confirmed ? "Halted" : busy || halted ? "Halting…" : "Halt";
  return html`<button type="button" class="halt" aria-label=${halted ? "Trading is halted. Press to halt again." : "Halt all trading now"}
    ...${halting()} data-state=${confirmed ? "halted" : busy || halted ? "busy" : "ready"} onClick=${pressHalt}>
    <${Icon} name="halt" size=${18} />
    <span>${word}</span>
  </button>`;
}
always.value = HaltButton;

/** Drawn once for the page, however many buttons there are. */
export function HaltFailed() {
  if (!failed.value) return null;
  const close = () => {
    failed.value = "";
  };
  const actions = html`
    <button type="button" class="button" onClick=${close}>Close</button>
    <button type="button" class="button button-danger" onClick=${pressHalt}>Try again</button>
  `;
  return html`<${Dialog} title="Not halted" tone="danger" plain onClose=${close} actions=${actions}>
    <p>${failed.value}${/[.!?]$/.test(failed.value) ? "" : "."} <strong>Trading may go on.</strong></p>
    <p>On the machine that runs TraderMagic, type</p>
    <pre class="command" tabindex="0">${COMMAND}</pre>
    <p>It needs neither this page nor Redis: it suspends trading at the broker and cancels entries. Or use the broker's own page.</p>
  <//>`;
}
