// How figures look: gains and losses by sign, arrow and colour together, ages that tell when they are stale, moments with their full time.

import { ageSeconds, second, tenSeconds } from "../clock.mjs";
import { shortAge, sign, signedMoney, signedPercent, time, timeInFull } from "../format.mjs";
import { classes, html } from "../html.mjs";

const ARROWS = /** @type {Record<string, string>} */ ({ 1: "▲", "-1": "▼", 0: "" });
const TONES = /** @type {Record<string, string>} */ ({ 1: "up", "-1": "down", 0: "flat" });

/** @param {number} direction */
export const tone = (direction) => TONES[direction];

/** @param {{direction: number}} props */
export const Arrow = ({ direction }) => (direction ? html`<span class="arrow" aria-hidden="true">${ARROWS[direction]}</span>` : null);

/** Money gained or lost. @param {{value: any, currency?: string}} props */
export function Gain({ value, currency }) {
  const direction = sign(value, 2);
  return html`<span class=${classes("figure", tone(direction))}><${Arrow} direction=${direction} />${signedMoney(value, currency)}</span>`;
}

/** A change as a fraction. @param {{value: number | null | undefined, digits?: number, arrow?: boolean}} props */
export function Change({ value, digits = 2, arrow = true }) {
  const direction = sign(value, digits + 2);
  return html`<span class=${classes("figure", tone(direction))}>
    ${arrow && html`<${Arrow} direction=${direction} />`}
    ${signedPercent(value, digits)}
  </span>`;
}

/** How long ago; grey and marked once older than `stale` seconds. @param {{at?: string | null, stale?: number, suffix?: string}} props */
export function Age({ at, stale = Number.POSITIVE_INFINITY, suffix = "" }) {
  // Past a minute the text changes slowly; there is no need to look every second.
  const young = (ageSeconds(at, second.peek()) ?? 0) < 70;
  const seconds = ageSeconds(at, young ? second.value : tenSeconds.value);
  const old = seconds !== null && seconds > stale;
  return html`<span class=${classes("age", old && "age-stale")} title=${timeInFull(at)}>
    ${shortAge(seconds)}
    ${suffix}
    ${old ? " old" : ""}
  </span>`;
}

/** A moment in the reader's zone; the exchange's and UTC on hover. @param {{at?: string | null}} props */
export const Moment = ({ at }) => html`<time class="moment" datetime=${at ?? ""} title=${timeInFull(at)}>${time(at)}</time>`;

/** A place that will be filled: no jump when it is. @param {{width?: string, label?: string}} props */
export const Skeleton = ({ width = "6ch" }) => html`<span class="skeleton" style=${{ width }} aria-hidden="true"></span>`;

/**
 * What a place says when it has nothing, is loading, or could not be filled.
 * @param {{icon?: string, title: string, children?: any}} props
 */
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children && html`<p>${children}</p>`}</div>`;
}

/** A small status word with a shape of its own. @param {{tone: string, children: any, title?: string}} props */
export const Badge = ({ tone: kind, children, title }) => html`<span class=${`badge badge-${kind}`} title=${title}>${children}</span>`;
