// Two small scales: the score around its neutral middle, the RSI between its bands.

import { html } from "../html.mjs";
import { number } from "../format.mjs";

/** 0 to 100 around 50. @param {{value: number, label?: string}} props */
export function Score({ value, label = "Score" }) {
  const from = Math.min(value, 50);
  return html`<div class="score" role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(value)}
    aria-valuetext=${`${Math.round(value)} of 100, 50 is neutral`}>
    <span class=${value >= 50 ? "score-bar score-up" : "score-bar score-down"}
      style=${{ left: `${from}%`, width: `${Math.abs(value - 50)}%` }}></span>
    <span class="score-middle"></span>
  </div>`;
}

/** @param {{value: number}} props */
export const Rsi = ({
  value,
}) => html`<div class="rsi" role="meter" aria-label="RSI" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(value)}
  aria-valuetext=${number(value, 1)}>
  <span class="rsi-band"></span>
  <span class="rsi-mark" style=${{ left: `${value}%` }}></span>
</div>`;

/** A limit and how much of it is used. @param {{value: number, limit: number, label: string}} props */
export function Used({ value, limit, label }) {
  const share = limit > 0 ? Math.min(1, Math.max(0, value / limit)) : 0;
  const state = share >= 0.9 ? "bad" : share >= 0.7 ? "warn" : "good";
  return html`<div class="used" role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.round(share * 100)}>
    <span class=${`used-bar used-${state}`} style=${{ width: `${share * 100}%` }}></span>
  </div>`;
}
