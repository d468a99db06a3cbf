// What the page may say about the trading switch. Pure: facts in, words out. Never optimistic: a wish is a wish until execution has taken
// its revision in.

import { ageSeconds } from "./clock.mjs";
import { duration } from "./format.mjs";
import { CONFIRM_SECONDS } from "./requests.mjs";

/**
 * @typedef {import("./facts.d.ts").TradingSwitch} TradingSwitch
 * @typedef {import("./facts.d.ts").TradingEffective} TradingEffective
 * @typedef {import("./facts.d.ts").Halt} Halt
 * @typedef {{trading: TradingSwitch | null, effective: TradingEffective | null, halt: Halt | null, alive: boolean, ready: boolean,
 *   connected: boolean}} Facts
 * @typedef {"unknown" | "starting" | "off" | "on" | "reduce" | "halted"} Phase
 * @typedef {{phase: Phase, word: string, says: string, waiting: null | {text: string, late: boolean}, missing: [string, string][]}} View
 */

const SAYS = {
  unknown: "Execution has not reported what it does.",
  starting: "Execution is starting: it reconciles with the broker before anything may trade.",
  off: "Decisions are made and shown, none is traded. Protective stops and targets stay at the broker.",
  on: "Decisions become orders.",
  reduce: "Positions may only shrink: exits are traded, entries are not.",
  halted: "No decision is traded and working entries are cancelled. Protective orders stay at the broker; you can still close positions.",
};
const WORDS = { unknown: "Unknown", starting: "Starting", off: "Off", on: "On", reduce: "Reduce only", halted: "Halted" };

/** What execution does, by its own word. @param {TradingEffective | null} effective @returns {Phase} */
function inForce(effective) {
  if (!effective) return "unknown";
  return effective.state === "on" && effective.reduce_only ? "reduce" : effective.state;
}

/** What was asked for, in a word. @param {TradingSwitch} trading */
export const wish = (trading) => (trading.state === "on" && trading.reduce_only ? "reduce only" : trading.state);

/**
 * A wish that is not in force yet: what was wished, and when.
 * @param {Facts} facts @returns {null | {what: string, at: string}}
 */
function outstanding({ trading, effective, halt }) {
  if (halt && effective?.halt_id !== halt.id) return { what: "halt", at: halt.made_at };
  if (!halt && effective?.state === "halted") return { what: "end of the halt", at: trading?.made_at ?? effective.made_at };
  if (trading && (effective?.trading_revision ?? -1) < (trading.revision ?? 0)) return { what: wish(trading), at: trading.made_at };
  return null;
}

/** @param {Facts} facts @param {number} now milliseconds by the server's clock @returns {View} */
export function viewOf(facts, now) {
  const { trading, effective, alive, ready, connected } = facts;
  const phase = inForce(effective);
  const view = /** @type {View} */ ({ phase, word: WORDS[phase], says: SAYS[phase], waiting: null, missing: [] });
  if (!ready) return { ...view, says: "Waiting for the first snapshot." };
  const open = outstanding(facts);
  if (open && !connected) view.waiting = { text: `${open.what} requested, not confirmed when the connection was lost`, late: true };
  else if (open) view.waiting = waitingText(open.what, ageSeconds(open.at, now) ?? 0, effective?.draining ?? 0, alive);
  else if (!connected) view.waiting = { text: "this is what was known when the connection was lost", late: true };
  else if (!alive && phase !== "unknown") view.waiting = { text: "execution is not running; this is what it did last", late: true };
  if (trading?.state === "on" && phase !== "on" && phase !== "reduce") view.missing = Object.entries(effective?.missing ?? {});
  return view;
}

/** @param {string} what @param {number} seconds @param {number} draining @param {boolean} alive */
function waitingText(what, seconds, draining, alive) {
  const late = seconds >= CONFIRM_SECONDS;
  if (draining)
    return {
      text: `${what} requested, waiting for ${draining === 1 ? "one order" : `${draining} orders`} in flight (${duration(seconds)})`,
      late,
    };
  if (!late) return { text: `${what} requested, waiting for execution (${duration(seconds)})`, late };
  const why = alive ? "execution has not answered" : "execution is not running";
  return { text: `${what} requested, not confirmed: ${why} (${duration(seconds)})`, late };
}

/** The word that tells whose money it is. @param {"paper" | "live"} mode @param {boolean} simulated */
export function modeOf(mode, simulated) {
  if (simulated) return { name: "sandbox", word: "Sandbox", says: "Simulated market and broker. No real money, no real prices." };
  if (mode === "live") return { name: "live", word: "Live", says: "Real money." };
  return { name: "paper", word: "Paper", says: "Real prices, the broker's practice money." };
}
