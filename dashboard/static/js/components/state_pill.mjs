// The pill that says whose money it is and what the system does with it: word, icon and pattern, so that no colour is needed.

import { computed } from "@preact/signals";
import { second } from "../clock.mjs";
import { html } from "../html.mjs";
import { online } from "../socket.mjs";
import { all, halt, latest, system } from "../store.mjs";
import { modeOf, viewOf } from "../trading_switch.mjs";
import { Icon } from "./icon.mjs";

/** A heartbeat expires after this long. */
const HEARTBEAT_SECONDS = 15;

/** @param {string} process */
export function alive(process, now = second.value) {
  return all("heartbeat").some((beat) => beat.process === process && now - Date.parse(beat.made_at) < HEARTBEAT_SECONDS * 1_000);
}

/** What may be said of the switch right now. */
export const view = computed(() =>
  viewOf(
    {
      trading: latest("trading").value,
      effective: latest("trading_effective").value,
      halt: halt.value,
      alive: alive("execution"),
      ready: system.value.ready,
      connected: online.value,
    },
    second.value,
  ),
);
export const mode = computed(() => modeOf(system.value.mode, system.value.simulated));

export function StatePill() {
  const { phase, word, waiting } = view.value;
  const { name, word: money, says } = mode.value;
  if (!system.value.ready) return html`<div class="pill pill-empty"><span class="pill-part">Connecting</span></div>`;
  return html`<div class="pill" data-mode=${name} data-phase=${phase} title=${says}>
    <span class="pill-part pill-mode"><${Icon} name=${name} size=${14} />${money}</span>
    <span class="pill-part pill-state">
      <${Icon} name=${phase} size=${14} />
      <span class="pill-word"><span class="sr-only">Trading: </span>${word}</span>
      ${waiting && html`<span class="pill-wait" aria-hidden="true"></span>`}
    </span>
  </div>`;
}
