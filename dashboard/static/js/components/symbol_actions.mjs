// Pause and close, each asked once. The dialogs are drawn once for the whole page.

import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { closePosition, liquidateAll, setPause } from "../controls.mjs";
import { money, plural, price } from "../format.mjs";
import { html } from "../html.mjs";
import { changing } from "../may.mjs";
import { running } from "../requests.mjs";
import { online } from "../socket.mjs";
import { all, latest, pauseOf } from "../store.mjs";
import { held } from "../standing.mjs";
import { person, units } from "../words.mjs";
import { Confirm } from "./dialog.mjs";
import { Gain } from "./figures.mjs";
import { Icon } from "./icon.mjs";
import { view } from "./state_pill.mjs";

/** What is being asked. */
export const question = signal(/** @type {null | {what: "pause" | "unpause" | "close" | "liquidate", symbol: string}} */ (null));
const done = () => {
  question.value = null;
};

/** @param {{symbol: string}} props */
export function SymbolActions({ symbol }) {
  const paused = pauseOf(symbol);
  const ask = (/** @type {any} */ what) => () => {
    question.value = { what, symbol };
  };
  const busy = running(`pause ${symbol}`);
  return html`<div class="actions">
    <button type="button" class="button button-small" ...${changing({ disabled: Boolean(busy) })}
      aria-label=${paused ? `End the pause of ${symbol}` : `Pause ${symbol}`} onClick=${ask(paused ? "unpause" : "pause")}>
      <${Icon} name=${paused ? "play" : "pause"} size=${13} />
      ${paused ? "Resume" : "Pause"}
    </button>
    <${CloseButton} symbol=${symbol} />
  </div>`;
}

/** @param {{symbol: string}} props */
export function CloseButton({ symbol }) {
  if (!held(latest("position", symbol).value)) return null;
  const busy = running(`close ${symbol}`);
  const ask = () => {
    question.value = { what: "close", symbol };
  };
  return html`<button type="button" class="button button-small" ...${changing({ disabled: Boolean(busy) })}
    aria-label=${`Close the position in ${symbol}`} onClick=${ask}>
    <${Icon} name="close" size=${13} />
    ${busy ? "Closing…" : "Close"}
  </button>`;
}

export function LiquidateButton() {
  const some = all("position").some(held);
  const busy = running("liquidate");
  const ask = () => {
    question.value = { what: "liquidate", symbol: "" };
  };
  if (!some) return null;
  return html`<button type="button" class="button button-small button-danger-quiet" ...${changing({ disabled: Boolean(busy) })}
    onClick=${ask}>
    ${busy ? "Liquidating…" : "Liquidate all…"}
  </button>`;
}

/** @param {{symbol: string}} props */
function PauseQuestion({ symbol }) {
  const [reason, setReason] = useState("");
  return html`<${Confirm} title=${`Pause ${symbol}?`} tone="primary" confirm="Pause" disabled=${!online.value} onClose=${done}
    onConfirm=${() => setPause(symbol, true, reason.trim())}>
    <p>Nothing new is bought. Exits, stops and targets go on, and so do decisions, which you can watch.</p>
    <label class="field">
      <span>Reason, for the record</span>
      <input class="input" maxlength="500" value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.target.value)} />
    </label>
  <//>`;
}

/** @param {{symbol: string}} props */
function UnpauseQuestion({ symbol }) {
  const pause = pauseOf(symbol);
  return html`<${Confirm} title=${`End the pause of ${symbol}?`} tone="primary" confirm="End the pause" disabled=${!online.value}
    onClose=${done} onConfirm=${() => setPause(symbol, false)}>
    <p>
      ${pause?.reason ? `Paused by ${person(pause.by)}: ${pause.reason}.` : `Paused by ${person(pause?.by)}.`} Its next buy decision may be
      traded.
    </p>
  <//>`;
}

/** @param {{symbol: string}} props */
function CloseQuestion({ symbol }) {
  const position = latest("position", symbol).value;
  if (!held(position)) {
    return html`<${Confirm} title="Nothing to close" confirm="Close" disabled=${true} onClose=${done} onConfirm=${done}>
      <p>The position in ${symbol} is flat.</p>
    <//>`;
  }
  const short = Number(position.quantity) < 0;
  const amount = units(symbol, String(Math.abs(Number(position.quantity))));
  const at = position.last_price ? ` at ${price(position.last_price, symbol)}` : "";
  return html`<${Confirm} title=${`Close ${symbol}?`} confirm=${short ? "Buy back" : "Sell at market"} disabled=${!online.value}
    onClose=${done} onConfirm=${() => closePosition(symbol)}>
    <p>
      ${short ? "Buys back" : "Sells"} ${amount}, worth about <strong>${money(position.value)}</strong>${at}.
    </p>
    <p>Profit and loss if filled there: <${Gain} value=${position.unrealized} /></p>
    <${AfterClose} />
  <//>`;
}

function LiquidateQuestion() {
  const open = all("position").filter(held);
  const worth = open.reduce((sum, { value }) => sum + Math.abs(Number(value)), 0);
  const result = open.reduce((sum, { unrealized }) => sum + Number(unrealized), 0);
  const gain = html`<${Gain} value=${result} />`;
  return html`<${Confirm} title="Liquidate all positions?" confirm=${`Sell ${plural(open.length, "position")} at market`}
    disabled=${!online.value || !open.length} onClose=${done} onConfirm=${liquidateAll}>
    <p>
      Closes ${plural(open.length, "position")} worth about <strong>${money(worth)}</strong>. Profit and loss at the last prices: ${gain}
    </p>
    <ul class="plain-list">
      ${open.map(({ symbol, quantity, value }) => html`<li key=${symbol}>${symbol}: ${units(symbol, quantity)}, ${money(value)}</li>`)}
    </ul>
    <${AfterClose} />
  <//>`;
}

/** A closed position may be opened again by the next decision. */
function AfterClose() {
  const { phase } = view.value;
  if (phase === "on")
    return html`<p class="notice notice-warn">
      <${Icon} name="warning" />
      <span>Trading is on: the next decision may buy again. Pause the symbol or turn trading off first if it should stay flat.</span>
    </p>`;
  return html`<p class="hint">A market order: the price may differ. A closed stock market fills it at the next open.</p>`;
}

export function Questions() {
  const asked = question.value;
  if (asked?.what === "pause") return html`<${PauseQuestion} symbol=${asked.symbol} />`;
  if (asked?.what === "unpause") return html`<${UnpauseQuestion} symbol=${asked.symbol} />`;
  if (asked?.what === "close") return html`<${CloseQuestion} symbol=${asked.symbol} />`;
  return asked?.what === "liquidate" ? html`<${LiquidateQuestion} />` : null;
}
