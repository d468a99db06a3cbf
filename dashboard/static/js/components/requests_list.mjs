// What was asked for and how far it has come, in a corner of every page.

import { ageSeconds, second } from "../clock.mjs";
import { duration } from "../format.mjs";
import { html } from "../html.mjs";
import { CONFIRM_SECONDS, dismiss, requests } from "../requests.mjs";
import { Icon } from "./icon.mjs";

/** @param {import("../requests.mjs").Request} one */
export function requestText(one, now = second.value) {
  const seconds = ageSeconds(new Date(one.since).toISOString(), now) ?? 0;
  if (one.state === "sending") return "sending…";
  if (one.state === "refused") return one.detail || "refused";
  if (one.state === "lost") return `${one.detail} Nobody knows whether it arrived: look at what happens before trying again.`;
  if (one.state === "done") return one.detail || "confirmed";
  if (seconds < CONFIRM_SECONDS) return `${one.detail || "requested, waiting for confirmation"} (${duration(seconds)})`;
  return `${one.detail || "not confirmed"} (${duration(seconds)})`;
}

const ICONS = { sending: "clock", waiting: "clock", done: "check", refused: "warning", lost: "warning" };

export function RequestsList() {
  return html`<section class="requests" aria-label="What was asked for">
    ${requests.value.map((one) => html`<div key=${one.key} class="request" data-state=${one.state}>
      <${Icon} name=${ICONS[one.state]} />
      <div class="request-text">
        <strong>${one.label}</strong>
        <span>${requestText(one)}</span>
        ${Object.entries(one.missing).map(([code, text]) => html`<span key=${code} class="request-missing">${text}</span>`)}
      </div>
      ${one.state !== "sending" && html`<button type="button" class="icon-button" aria-label=${`Dismiss: ${one.label}`}
        onClick=${() => dismiss(one.key)}>
        <${Icon} name="close" size=${14} />
      </button>`}
    </div>`)}
  </section>`;
}
