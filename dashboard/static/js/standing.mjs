// How a symbol stands, in words: what was decided, what became of it, and why nothing was traded when nothing was.

import { ageSeconds } from "./clock.mjs";
import { duration } from "./format.mjs";
import { outcomeWords } from "./words.mjs";

const ANSWER_SECONDS = 3;
const ORIGINS = /** @type {Record<string, string>} */ ({ command: "By hand" });

/** What a person or a stop did counts more than a decision's answer only once it has happened, or when the person asked later. */
const SAYS_MORE = new Set(["executed", "failed"]);

/**
 * The outcome that tells how the symbol stands, null while the newest decision is unanswered.
 * @param {any} decision newest, null when there is none
 * @param {any[]} outcomes newest of each origin
 */
export function speaking(decision, outcomes) {
  const answer = outcomes.find((one) => decision && one.origin_id === decision.id) ?? null;
  const since = answer?.made_at ?? decision?.made_at ?? "";
  const others = outcomes.filter((one) => one !== answer && one.made_at > since);
  const louder = answer ? others.filter((one) => one.origin === "command" || SAYS_MORE.has(one.outcome)) : others;
  return louder.sort((x, y) => (x.made_at < y.made_at ? 1 : -1))[0] ?? answer;
}

/**
 * @param {{indicators: any, decision: any, outcome: any, executionAlive: boolean}} facts newest decision, and the outcome that speaks
 * @param {number} now
 * @returns {{text: string, tone: import("./words.mjs").Tone, at: string | null}}
 */
export function standing({ indicators, decision, outcome, executionAlive }, now) {
  if (outcome) {
    const { text, tone } = outcomeWords(outcome);
    const origin = ORIGINS[outcome.origin];
    return { text: origin ? `${origin}. ${text}` : text, tone, at: outcome.made_at };
  }
  if (decision) {
    const seconds = ageSeconds(decision.made_at, now) ?? 0;
    if (seconds < ANSWER_SECONDS) return { text: "Decided, execution looks at it", tone: "info", at: decision.made_at };
    const why = executionAlive ? "execution has not answered" : "execution is not running";
    return { text: `Not traded: ${why} (${duration(seconds)})`, tone: "warn", at: decision.made_at };
  }
  if (indicators) return { text: "Waiting for the first decision", tone: "quiet", at: null };
  return { text: "Waiting for data", tone: "quiet", at: null };
}

/**
 * Price to show: the newer of quote and closed bar.
 * @param {any} quote
 * @param {any} bar
 * @returns {{value: any, at: string, from: string} | null}
 */
export function priceOf(quote, bar) {
  const quoted = quote?.last ?? (quote?.bid && quote?.ask ? (Number(quote.bid) + Number(quote.ask)) / 2 : null);
  if (quoted && (!bar || quote.at >= bar.at)) return { value: quoted, at: quote.at, from: quote.feed };
  return bar ? { value: bar.close ?? bar.price, at: bar.at, from: bar.origin ?? "bar" } : null;
}

/** @param {number | null | undefined} rsi */
export function rsiWord(rsi) {
  if (rsi === null || rsi === undefined) return "";
  if (rsi <= 30) return "oversold";
  return rsi >= 70 ? "overbought" : "";
}

/** Profit over what was paid, as a fraction; null when flat. @param {any} position */
export function gainFraction(position) {
  const paid = Math.abs(Number(position?.quantity ?? 0)) * Number(position?.average_price ?? 0);
  return paid ? Number(position.unrealized) / paid : null;
}

/** @param {any} position */
export const held = (position) => Boolean(position && Number(position.quantity));
