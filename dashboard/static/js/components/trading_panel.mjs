// The trading switch: what execution does, what was asked of it, and the way to ask. Nothing here moves before the fact has come back.

import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { askFor, liftHalt } from "../controls.mjs";
import { classes, html } from "../html.mjs";
import { changing } from "../may.mjs";
import { running } from "../requests.mjs";
import { halt, latest } from "../store.mjs";
import { Dialog } from "./dialog.mjs";
import { Moment } from "./figures.mjs";
import { Icon } from "./icon.mjs";
import { mode, view } from "./state_pill.mjs";
import { wish } from "../trading_switch.mjs";
import { person } from "../words.mjs";
import { TurnOnDialog } from "./turn_on.mjs";

const asking = signal(/** @type {"" | "on" | "resume"} */ (""));

/** Who asked for what stands, and when. */
function Since() {
  const trading = latest("trading").value;
  const halted = halt.value;
  const fact = halted ?? trading;
  if (!fact) return html`<span class="since">Trading starts off.</span>`;
  const what = halted ? "halted" : view.value.waiting ? `${wish(trading)} asked for` : wish(trading);
  return html`<span class="since" title=${fact.by}>${what} <${Moment} at=${fact.made_at} /> by ${person(fact.by)}</span>`;
}

function Waiting() {
  const pending = running("trading");
  const waiting = view.value.waiting ?? (pending && { text: `${pending.label} requested, on its way to the server`, late: false });
  if (!waiting) return null;
  return html`<p class=${classes("notice", waiting.late ? "notice-warn" : "notice-info")} data-testid="switch-waiting">
    <${Icon} name=${waiting.late ? "warning" : "clock"} />
    <span>${waiting.text[0].toUpperCase() + waiting.text.slice(1)}</span>
  </p>`;
}

function Missing() {
  const { missing } = view.value;
  if (!missing.length) return null;
  return html`<div class="notice notice-warn">
    <${Icon} name="warning" />
    <div>
      <strong>On was asked for. Before it takes effect:</strong>
      <ul class="plain-list">${missing.map(([code, text]) => html`<li key=${code}>${text}</li>`)}</ul>
    </div>
  </div>`;
}

function Halted() {
  const fact = halt.value;
  if (!fact) return null;
  return html`<p class="notice notice-bad"><${Icon} name="halt" /><span>${fact.reason || fact.code}</span></p>`;
}

function Buttons() {
  const trading = latest("trading").value;
  const wanted = trading?.state ?? (latest("trading_effective").value?.state === "on" ? "on" : "off");
  if (halt.value) {
    return html`<div class="switch-buttons">
      <button type="button" class="button" ...${changing({ disabled: Boolean(running("resume")) })}
        onClick=${() => (asking.value = "resume")}>
        Lift the halt…
      </button>
      ${wanted === "on" && html`<button type="button" class="button" ...${changing()} onClick=${() => askFor({ state: "off" })}>
        Turn trading off
      </button>`}
    </div>`;
  }
  const reduce = Boolean(trading?.reduce_only);
  return html`<div class="switch-buttons">
    ${wanted === "on" ? html`
      <button type="button" class="button button-large" ...${changing()} onClick=${() => askFor({ state: "off" })}>
        <${Icon} name="off" />
        Turn trading off
      </button>
      <button type="button" class="toggle" role="switch" aria-checked=${reduce}
        ...${changing({ disabled: Boolean(running("trading")) })} onClick=${() => askFor({ state: "on", reduce_only: !reduce })}>
        <span class="toggle-track" aria-hidden="true"></span>
        Reduce only
      </button>
    ` : html`<button type="button" class=${`button button-large ${mode.value.name === "live" ? "button-live" : "button-primary"}`}
      ...${changing()} onClick=${() => (asking.value = "on")}>
      <${Icon} name="on" />
      Turn trading on…
    </button>`}
  </div>`;
}

function ResumeDialog() {
  const [reason, setReason] = useState("");
  const close = () => (asking.value = "");
  const act = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!reason.trim()) return;
    close();
    liftHalt(reason.trim());
  };
  const actions = html`
    <button type="button" class="button" onClick=${close}>Cancel</button>
    <button type="submit" form="resume-form" class="button button-primary" ...${changing({ disabled: !reason.trim() })}>
      Lift the halt
    </button>
  `;
  const take = (/** @type {any} */ event) => setReason(event.target.value);
  const trading = latest("trading").value;
  return html`<${Dialog} title="Lift the halt?" onClose=${close} actions=${actions}>
    <p>Halted because: <strong>${halt.value?.reason || halt.value?.code}</strong></p>
    <p>
      The day's loss and the drawdown are measured anew from here. Trading will then be <strong>${trading?.state ?? "off"}</strong>, as it
      was asked for.
    </p>
    <form id="resume-form" onSubmit=${act}>
      <label class="field">
        <span>Why may it go on?</span>
        <input class="input" value=${reason} maxlength="500" required onInput=${take} />
      </label>
    </form>
  <//>`;
}

export function TradingPanel() {
  const { phase, word, says } = view.value;
  return html`<section class="panel trading-panel" data-phase=${phase} data-mode=${mode.value.name} aria-labelledby="trading-title">
    <div class="panel-head"><h2 id="trading-title">Trading</h2><${Since} /></div>
    <div class="switch-state">
      <span class="switch-mark"><${Icon} name=${phase} size=${22} /></span>
      <div><p class="switch-word" data-testid="switch-word">${word}</p><p class="switch-says">${says}</p></div>
    </div>
    <${Halted} />
    <${Waiting} />
    <${Missing} />
    <${Buttons} />
    ${asking.value === "on" && html`<${TurnOnDialog} onClose=${() => (asking.value = "")} />`}
    ${asking.value === "resume" && halt.value && html`<${ResumeDialog} />`}
  </section>`;
}
