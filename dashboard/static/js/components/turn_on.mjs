// Turning trading on: asked once with practice money; with real money a whole sheet, a typed phrase, a password and a countdown.

import { useEffect, useState } from "preact/hooks";
import { ulid } from "../api.mjs";
import { boot } from "../boot.mjs";
import { announceLive, askFor } from "../controls.mjs";
import { money, quantity } from "../format.mjs";
import { html } from "../html.mjs";
import { changing } from "../may.mjs";
import { online } from "../socket.mjs";
import { latest, system } from "../store.mjs";
import { sizeWords } from "../words.mjs";
import { Dialog } from "./dialog.mjs";
import { mode } from "./state_pill.mjs";

const COUNTDOWN_SECONDS = 5;

const LIMITS = /** @type {[string, string, string][]} */ ([
  ["max_order_percent", "Most in one order", "% of equity"],
  ["max_position_percent", "Most in one symbol", "% of equity"],
  ["max_exposure_percent", "Most in all", "% of equity"],
  ["max_daily_loss_percent", "Halts at a day's loss of", "%"],
  ["max_drawdown_percent", "Halts at a drawdown of", "%"],
  ["max_orders_per_minute", "Orders a minute", ""],
  ["cooldown_seconds", "Pause after a loss", "s"],
  ["max_spread_percent", "Widest spread", "%"],
  ["max_decision_age_seconds", "Oldest decision", "s"],
  ["stop_loss_percent", "Stop loss", "%"],
  ["take_profit_percent", "Take profit", "%"],
]);

/** The settings of a process as it reported them. @param {string} process */
export const settingsOf = (process) => latest("config", "", process).value?.settings ?? {};

/** The limits in force, as label and text. */
export function limitRows() {
  const settings = settingsOf("execution");
  return LIMITS.filter(([name]) => settings[name] !== undefined && settings[name] !== null).map(([name, label, unit]) => ({
    name,
    label,
    text: `${quantity(settings[name])}${unit.startsWith("%") ? unit : unit && ` ${unit}`}`,
  }));
}

/**
 * The most one buy may cost, in the account's currency; null while unknown.
 * @param {any} account
 * @param {any} sizing
 * @param {Record<string, any>} settings
 */
export function largestOrder(account, sizing, settings) {
  if (!account || !sizing) return null;
  const equity = Number(account.equity);
  const wanted = sizing.mode === "fixed" ? Number(sizing.fixed_amount) : (equity * Number(sizing.percent)) / 100;
  const limits = [settings.max_order_percent, settings.max_position_percent].filter(Boolean);
  const caps = limits.map((percent) => (equity * Number(percent)) / 100);
  return Math.min(wanted, ...caps);
}

function Sheet() {
  const account = latest("account").value;
  const sizing = latest("trade_settings").value;
  const engines = settingsOf("decision").engines;
  const largest = largestOrder(account, sizing, settingsOf("execution"));
  const rows = [
    ["Account", account ? `${account.account} at ${account.broker}` : "not known yet"],
    ["Equity", account ? money(account.equity, account.currency) : "not known yet"],
    ["Symbols", system.value.symbols.join(", ")],
    ["Engines", Array.isArray(engines) ? engines.join(", ") : (engines ?? "as configured")],
    ["Size", sizing ? sizeWords(sizing) : "as configured"],
    ["Largest order", largest === null ? "not known yet" : money(largest)],
    ...limitRows().map(({ label, text }) => [label, text]),
  ];
  return html`<dl class="sheet">${rows.map(([label, text]) => html`<div key=${label}><dt>${label}</dt><dd>${text}</dd></div>`)}</dl>`;
}

/** @param {{reduce: boolean, set: (on: boolean) => void}} props */
const ReduceOnly = ({ reduce, set }) =>
  html`<label class="check">
    <input type="checkbox" checked=${reduce} onChange=${(/** @type {any} */ event) => set(event.target.checked)} />
    Reduce only: exits are traded, entries are not
  </label>`;

/** @param {{onClose: () => void}} props */
export function TurnOnDialog({ onClose }) {
  return mode.value.name === "live" ? html`<${LiveDialog} onClose=${onClose} />` : html`<${PracticeDialog} onClose=${onClose} />`;
}

/** @param {{onClose: () => void}} props */
function PracticeDialog({ onClose }) {
  const [reduce, setReduce] = useState(false);
  const { word, says } = mode.value;
  const act = () => {
    onClose();
    askFor({ state: "on", reduce_only: reduce });
  };
  const actions = html`
    <button type="button" class="button" onClick=${onClose}>Cancel</button>
    <button type="button" class="button button-primary" ...${changing()} onClick=${act}>Turn on</button>
  `;
  return html`<${Dialog} title="Turn trading on?" onClose=${onClose} actions=${actions} wide>
    <p><strong>${word}.</strong> ${says}</p>
    <${Sheet} />
    <${ReduceOnly} reduce=${reduce} set=${setReduce} />
  <//>`;
}

/** @param {{onClose: () => void}} props */
function LiveDialog({ onClose }) {
  const account = latest("account").value;
  const phrase = `LIVE ${account?.account?.slice(-4) ?? ""}`;
  const [given, setGiven] = useState({ phrase: "", password: "", totp: "", reduce: false });
  const [left, setLeft] = useState(/** @type {number | null} */ (null));
  const [fault, setFault] = useState("");
  const [key] = useState(() => ulid());
  const wanted = {
    state: /** @type {"on"} */ ("on"),
    reduce_only: given.reduce,
    live_phrase: given.phrase.trim(),
    password: given.password,
    totp: given.totp,
  };
  const ready = account && given.phrase.trim() === phrase && (given.password || !boot.login_required) && online.value && left === null;
  useCountdown(left, setLeft, () => {
    onClose();
    askFor(wanted, key);
  });
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => setGiven({ ...given, [name]: event.target.value });
  const begin = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!ready) return;
    setFault("");
    announceLive(wanted, key).then(
      (seconds) => setLeft(Math.max(COUNTDOWN_SECONDS, Math.ceil(seconds))),
      (error) => setFault([error.message, ...Object.values(error.missing ?? {})].join(" ")),
    );
  };
  const actions = html`
    <button type="button" class="button" onClick=${onClose}>Cancel</button>
    <button type="submit" form="live-form" class="button button-live" ...${changing({ disabled: !ready })}>
      ${left === null ? "Trade with real money" : `Turning on in ${left} s`}
    </button>
  `;
  return html`<${Dialog} title="Trade with real money?" tone="live" onClose=${onClose} actions=${actions} wide>
    <p>Orders will be placed at the broker with <strong>real money</strong>.</p>
    <${Sheet} />
    <${Guards} phrase=${phrase} given=${given} set=${set} frozen=${left !== null} begin=${begin} />
    <${ReduceOnly} reduce=${given.reduce} set=${(/** @type {boolean} */ reduce) => setGiven({ ...given, reduce })} />
    ${fault && html`<p class="notice notice-bad" role="alert">${fault}</p>`}
    ${left !== null && html`<p class="notice notice-live" role="status">Turning on in ${left} s. Cancel stops it.</p>`}
  <//>`;
}

/**
 * @param {{phrase: string, given: any, set: (name: string) => (event: any) => void, frozen: boolean,
 *   begin: (event: Event) => void}} props
 */
function Guards({ phrase, given, set, frozen, begin }) {
  return html`<form id="live-form" onSubmit=${begin} class="live-form">
    <label class="field">
      <span>Type <code>${phrase}</code></span>
      <input class="input" autocomplete="off" spellcheck=${false} value=${given.phrase} disabled=${frozen} onInput=${set("phrase")} />
    </label>
    ${boot.login_required && html`
      <label class="field">
        <span>Password</span>
        <input class="input" type="password" autocomplete="current-password" value=${given.password} disabled=${frozen}
          onInput=${set("password")} />
      </label>
      <label class="field">
        <span>One-time code, if set up</span>
        <input class="input" inputmode="numeric" autocomplete="one-time-code" maxlength="8" value=${given.totp} disabled=${frozen}
          onInput=${set("totp")} />
      </label>
    `}
  </form>`;
}

/** Runs down to zero, then acts once. @param {number | null} left @param {(left: number | null) => void} setLeft @param {() => void} act */
function useCountdown(left, setLeft, act) {
  useEffect(() => {
    if (left === null) return undefined;
    if (left === 0) {
      if (online.peek()) act();
      else setLeft(null);
      return undefined;
    }
    const timer = setTimeout(() => setLeft(left - 1), 1_000);
    return () => clearTimeout(timer);
  }, [left]);
}
