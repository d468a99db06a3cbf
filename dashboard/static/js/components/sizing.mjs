// How much a buy aims at: a percentage of equity or a fixed amount, changed by comparing revisions, shown as changed once the fact is back.

import { useEffect, useState } from "preact/hooks";
import { saveSizing } from "../controls.mjs";
import { money } from "../format.mjs";
import { html } from "../html.mjs";
import { changing, may } from "../may.mjs";
import { running } from "../requests.mjs";
import { online } from "../socket.mjs";
import { latest } from "../store.mjs";
import { largestOrder, settingsOf } from "./turn_on.mjs";

/** @param {any} fact */
const given = (fact) => ({ mode: fact?.mode ?? "percent", percent: fact?.percent ?? "2.0", fixed_amount: fact?.fixed_amount ?? "10.0" });

/** Why a draft cannot be saved, empty when it can. @param {{mode: string, percent: string, fixed_amount: string}} draft */
export function fault(draft) {
  const amount = Number(draft.mode === "percent" ? draft.percent : draft.fixed_amount);
  if (!(amount > 0)) return "must be more than zero";
  if (draft.mode === "percent" && amount > 100) return "at most 100% of equity";
  return draft.mode === "fixed" && amount > 10_000_000 ? "at most $10,000,000" : "";
}

/** @param {{draft: any, set: (change: object) => void}} props */
function ModeChoice({ draft, set }) {
  const choice = (/** @type {string} */ value, /** @type {string} */ text) => html`<label class="segment">
    <input type="radio" name="sizing-mode" value=${value} checked=${draft.mode === value} disabled=${!may("trade")}
      onChange=${() => set({ mode: value })} />
    <span>${text}</span>
  </label>`;
  return html`<fieldset class="segments">
    <legend class="sr-only">A buy is sized by</legend>
    ${choice("percent", "% of equity")}
    ${choice("fixed", "Fixed USD")}
  </fieldset>`;
}

export function Sizing() {
  const fact = latest("trade_settings").value;
  const [draft, setDraft] = useState(given(fact));
  const [touched, setTouched] = useState(false);
  useEffect(() => {
    if (!touched) setDraft(given(fact));
  }, [fact]);
  const set = (/** @type {object} */ change) => {
    setTouched(true);
    setDraft({ ...draft, ...change });
  };
  const saved = given(fact);
  const dirty =
    draft.mode !== saved.mode ||
    Number(draft.percent) !== Number(saved.percent) ||
    Number(draft.fixed_amount) !== Number(saved.fixed_amount);
  const wrong = fault(draft);
  const pending = running("trade_settings");
  const largest = wrong ? null : largestOrder(latest("account").value, draft, settingsOf("execution"));
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (wrong || !online.value || !may("trade")) return;
    const state = await saveSizing(draft, fact?.revision ?? 0);
    if (state === "waiting") setTouched(false);
  };
  const field = draft.mode === "percent" ? "percent" : "fixed_amount";
  return html`<form class="sizing" onSubmit=${save} aria-label="Sizing" noValidate>
    <div class="sizing-row">
      <${ModeChoice} draft=${draft} set=${set} />
      <label class="unit-input">
        <span class="sr-only">${draft.mode === "percent" ? "Percent of equity" : "Amount in USD"}</span>
        ${draft.mode === "fixed" && html`<span class="unit">$</span>`}
        <input class="input figure" inputmode="decimal" size="8" aria-invalid=${Boolean(wrong)} aria-describedby="sizing-says"
          disabled=${!may("trade")} value=${draft[field]}
          onInput=${(/** @type {any} */ event) => set({ [field]: event.target.value.trim() })} />
        ${draft.mode === "percent" && html`<span class="unit">%</span>`}
      </label>
      ${dirty && html`
        <button class="button button-primary" ...${changing({ disabled: Boolean(wrong || pending) })}>
          ${pending ? "Saving…" : "Save"}
        </button>
        <button type="button" class="button" onClick=${() => (setTouched(false), setDraft(saved))}>Undo</button>
      `}
    </div>
    <p id="sizing-says" class=${wrong ? "hint hint-bad" : "hint"}>
      ${
        wrong
          ? `Not saved: ${wrong}.`
          : largest === null
          ? "Each buy aims at this much."
          : `Each buy aims at up to ${money(largest)}${dirty ? ", once saved" : ""}.`
      }
    </p>
  </form>`;
}
