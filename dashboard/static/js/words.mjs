// Facts in words. The words never say more than the fact does: submitted is not executed, skipped is not a trade.

import { capital, money, number, price, quantity } from "./format.mjs";

/** @typedef {"good" | "bad" | "warn" | "info" | "quiet"} Tone */
/** @typedef {{title: string, text: string, tone: Tone, icon: string}} Words */
/** @typedef {import("./facts.d.ts").Fact} Fact */

/** The asset's own name in amounts: `BTC` of `BTC/USD`, shares of a stock. @param {string | undefined} symbol @param {string} amount */
export function units(symbol, amount) {
  const base = symbol?.includes("/") ? symbol.split("/")[0] : Number(amount) === 1 ? "share" : "shares";
  return `${quantity(amount)} ${base}`;
}

/** `skipped` and the like never stand alone: the reason follows. @param {string} head @param {string | undefined} reason */
function because(head, reason) {
  const text = (reason ?? "").trim();
  if (!text) return head;
  if (text.toLowerCase().startsWith(head.toLowerCase())) return capital(text);
  return `${head}: ${/^[A-Z][a-z]/.test(text) ? text[0].toLowerCase() + text.slice(1) : text}`;
}

const ORIGINS = /** @type {Record<string, string>} */ ({ decision: "Decision", command: "By hand", protection: "Protective order" });

/** What became of a decision or a command. @param {any} fact @returns {{text: string, tone: Tone}} */
export function outcomeWords(fact) {
  const side = fact.order?.side === "sell" ? "sell" : "buy";
  if (fact.outcome === "executed") {
    if (!fact.filled_quantity) return { text: because("Executed", fact.reason), tone: "good" };
    const at = fact.average_price ? ` at ${price(fact.average_price, fact.symbol)}` : "";
    return { text: `Executed: ${side === "sell" ? "sold" : "bought"} ${units(fact.symbol, fact.filled_quantity)}${at}`, tone: "good" };
  }
  if (fact.outcome === "submitted" && fact.origin === "protection" && fact.order) {
    const { order } = fact;
    const [name, at] = order.stop_price ? ["Stop", order.stop_price] : ["Target", order.limit_price];
    return { text: `${name} in place: ${order.side} ${units(fact.symbol, order.quantity)} at ${price(at, fact.symbol)}`, tone: "info" };
  }
  if (fact.outcome === "submitted") {
    const what = fact.order ? `${side} ${units(fact.symbol, fact.order.quantity)}` : "order";
    const part = Number(fact.filled_quantity ?? 0) > 0 ? `${units(fact.symbol, fact.filled_quantity)} filled so far` : "not filled yet";
    return { text: `Submitted: ${what}, ${part}`, tone: "info" };
  }
  if (fact.outcome === "refused") return { text: because("Refused by a limit", fact.reason), tone: "warn" };
  if (fact.outcome === "failed") return { text: because("Failed", fact.reason), tone: "bad" };
  return { text: because("Skipped", fact.reason), tone: "quiet" };
}

const ORDER_WORDS = /** @type {Record<string, [string, Tone]>} */ ({
  pending: ["sent, not accepted yet", "info"],
  working: ["working", "info"],
  partially_filled: ["partly filled", "info"],
  filled: ["filled", "good"],
  canceled: ["cancelled", "quiet"],
  expired: ["expired", "quiet"],
  rejected: ["rejected by the broker", "bad"],
  replaced: ["replaced", "quiet"],
  held: ["held", "info"],
});
export const OPEN_ORDER = new Set(["pending", "working", "partially_filled", "held"]);

/** @param {string} status */
export const orderStatus = (status) => ORDER_WORDS[status] ?? [status, "info"];

/** `buy 0.5 BTC, limit 64,000.00`. @param {any} terms @param {string | undefined} symbol */
export function termsWords(terms, symbol) {
  const limit = terms.limit_price ? `, limit ${price(terms.limit_price, symbol)}` : "";
  const stop = terms.stop_price ? `, stop ${price(terms.stop_price, symbol)}` : "";
  return `${terms.side} ${units(symbol, terms.quantity)}${limit}${stop}${limit || stop ? "" : " at market"}`;
}

/** A leg that the broker made of our own bracket is ours. @param {any} order */
export const isForeign = (order) => order.ours === false && !order.parent_order_id;

/** @param {any} fact @returns {Words} */
function orderWords(fact) {
  const [status, tone] = orderStatus(fact.status);
  const open = fact.status === "partially_filled" ? ` (${quantity(fact.filled_quantity)} of ${quantity(fact.terms.quantity)})` : "";
  const foreign = isForeign(fact) ? " Not placed by this system." : "";
  const reason = fact.reason ? ` ${capital(fact.reason)}` : "";
  return {
    title: `Order ${status}${open}`,
    text: `${capital(termsWords(fact.terms, fact.symbol))}.${reason}${foreign}`,
    tone,
    icon: "order",
  };
}

/** @param {any} fact @returns {Words} */
function fillWords(fact) {
  const fee =
    fact.fee && Number(fact.fee)
      ? `, fee ${fact.fee_asset && fact.fee_asset !== "USD" ? `${quantity(fact.fee)} ${fact.fee_asset}` : money(fact.fee)}`
      : "";
  const did = fact.side === "sell" ? "Sold" : "Bought";
  return {
    title: "Fill",
    text: `${did} ${units(fact.symbol, fact.quantity)} at ${price(fact.price, fact.symbol)}${fee}`,
    tone: "good",
    icon: "fill",
  };
}

/** @param {any} fact @returns {Words} */
function decisionWords(fact) {
  const tone = fact.action === "buy" ? "good" : fact.action === "sell" ? "bad" : "quiet";
  return { title: `${capital(fact.action)} · score ${number(fact.score, 0)}`, text: fact.reasoning, tone, icon: fact.action };
}

/** @param {any} fact @returns {Words} */
function tradingWords(fact) {
  const what = fact.state === "off" ? "off" : fact.reduce_only ? "on, reduce only" : "on";
  return {
    title: `Trading ${what} requested`,
    text: by(fact.by, fact.reason),
    tone: fact.state === "on" ? "info" : "quiet",
    icon: "switch",
  };
}

/** @param {any} fact @returns {Words} */
function effectiveWords(fact) {
  const word = fact.state === "on" && fact.reduce_only ? "on, reduce only" : fact.state;
  const missing = Object.values(fact.missing ?? {}).join(" ");
  return { title: `Trading is ${word}`, text: missing, tone: fact.state === "halted" ? "bad" : "quiet", icon: "switch" };
}

/** @param {any} fact @returns {Words} */
function haltWords(fact) {
  if (fact.lifted_by) return { title: "Halt lifted", text: by(fact.lifted_by, fact.lifted_reason), tone: "info", icon: "switch" };
  return { title: "Halted", text: by(fact.by, fact.reason), tone: "bad", icon: "halt" };
}

/** @param {any} fact @returns {Words} */
function pauseWords(fact) {
  if (fact.ended_by) return { title: "Pause ended", text: by(fact.ended_by, ""), tone: "quiet", icon: "play" };
  return { title: "Paused", text: by(fact.by, fact.reason), tone: "warn", icon: "pause" };
}

/** @param {any} fact @returns {Words} */
function settingsWords(fact) {
  return { title: "Sizing changed", text: `${capital(sizeWords(fact))}. ${by(fact.by, "")}`, tone: "quiet", icon: "settings" };
}

/** @param {any} fact */
export const sizeWords = (fact) =>
  fact.mode === "fixed" ? `${money(fact.fixed_amount)} a trade` : `${quantity(fact.percent)}% of equity a trade`;

/** @param {any} fact @returns {Words} */
function commandWords(fact) {
  const what = fact.arguments?.symbol ? ` ${fact.arguments.symbol}` : "";
  return { title: `${COMMANDS[fact.command] ?? fact.command}${what} requested`, text: by(fact.by, ""), tone: "info", icon: "person" };
}

export const COMMANDS = /** @type {Record<string, string>} */ ({
  liquidate: "Liquidate",
  close: "Close",
  cancel: "Cancel order",
  flatten: "Flatten",
  cancel_all: "Cancel all orders",
  reconcile: "Reconcile",
  test_keys: "Test keys",
  pull_model: "Pull model",
});

/** @param {any} fact @returns {Words} */
function resultWords(fact) {
  return {
    title: fact.ok ? (fact.final ? "Done" : "Under way") : "Not done",
    text: fact.detail ?? "",
    tone: fact.ok ? "good" : "bad",
    icon: "person",
  };
}

/** @param {any} fact @returns {Words} */
function configWords(fact) {
  const { changed, changed_by: who } = fact.settings ?? {};
  if (changed) return { title: capital(changed), text: by(who, ""), tone: "info", icon: "person" };
  // The dashboard writes its own anew whenever a login was ended.
  const what = fact.process === "dashboard" ? "configuration in force" : "started";
  return {
    title: `${processName(fact.process)} ${what}`,
    text: `Version ${fact.version}, configuration ${fact.config || "unnamed"}`,
    tone: "quiet",
    icon: "system",
  };
}

/** @param {string} name */
export const processName = (name) => capital(name.replaceAll("_", " "));

/** `local@127.0.0.1` is whoever sits at the machine; the address stays in the fact. @param {string | undefined} who */
export function person(who) {
  const name = (who ?? "").split("@")[0];
  return name === "local" ? "local user" : name || "nobody";
}

/** @param {string} who @param {string | undefined} reason */
const by = (who, reason) => `By ${person(who)}${reason ? `: ${reason}` : ""}`;

/** @type {Record<string, (fact: any) => Words>} */
const WORDS = {
  decision: decisionWords,
  order: orderWords,
  fill: fillWords,
  trading: tradingWords,
  trading_effective: effectiveWords,
  halt: haltWords,
  pause: pauseWords,
  trade_settings: settingsWords,
  command: commandWords,
  command_result: resultWords,
  config: configWords,
  outcome: (fact) => ({ title: ORIGINS[fact.origin] ?? "Outcome", icon: "outcome", ...outcomeWords(fact) }),
};

/** @param {string} topic @param {Fact} fact @returns {Words} */
export function words(topic, fact) {
  return (
    WORDS[topic]?.(fact) ?? {
      title: capital(topic.replaceAll("_", " ")),
      text: fact.reason ?? fact.detail ?? "",
      tone: "quiet",
      icon: "system",
    }
  );
}

/** Why an engine gave no view. @param {string} reason */
export const abstained = (reason) => because("No view", reason);

const ABBREVIATIONS = /^(rsi|macd|ema|sma|atr|adx|obv|vwap)\b/;
/** `ema_20` → `EMA 20`. @param {string} name */
export const indicatorName = (name) => capital(name.replaceAll("_", " ").replace(ABBREVIATIONS, (word) => word.toUpperCase()));

const SESSIONS = /** @type {Record<string, string>} */ ({
  pre: "pre-market",
  regular: "open",
  after: "after hours",
  closed: "closed",
  always: "always open",
});
/** @param {string} session */
export const sessionWord = (session) => SESSIONS[session] ?? session;
