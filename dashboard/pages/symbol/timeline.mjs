// What each bar led to: the views of it, the decision, what the gate said, the order and its fills, in one column of lanes.

import { number, price, quantity } from "#app/format.mjs";
import { orderStatus, outcomeWords } from "#app/words.mjs";
import { barOf, newestStates, shownAt } from "./chart_data.mjs";

/**
 * `signals` of engines that compute, `model` the language model's.
 * @typedef {{at: string, signals: any[], model: any, decision: any, outcome: any, orders: any[], fills: any[]}} Moment
 */

/** A view that took a model call names it among what it was made from. @param {any} view */
const ofModel = (view) => view.engine.startsWith("llm") || (view.inputs ?? []).some((/** @type {string} */ id) => id.startsWith("prompt|"));

/** @param {any} old @param {any} fact */
const newer = (old, fact) => (!old || old.revision === undefined || (old.revision ?? 0) <= (fact.revision ?? 0) ? fact : old);

/**
 * By the close of the bar. An order and its fills stand with the decision that led to them, else with the bar during which they happened.
 * Of several decisions during a longer bar the newest stands for it, with what led to it and what became of it.
 * @param {import("./chart_data.mjs").ChartData} data
 * @returns {Map<string, Moment>}
 */
export function moments({ bars, base, signals, decisions, outcomes, orders, fills }) {
  const place = shownAt({ bars, base });
  /** @type {Map<string, Moment>} */
  const found = new Map();
  const of = (/** @type {string} */ at) => {
    const there = found.get(at);
    if (there) return there;
    const made = { at, signals: [], model: null, decision: null, outcome: null, orders: [], fills: [] };
    found.set(at, made);
    return made;
  };
  /** @type {Map<string, string>} */
  const bar = new Map();
  for (const decision of decisions) {
    const at = place(decision.at);
    if (!at) continue;
    of(at).decision = decision;
    bar.set(decision.id, at);
  }
  for (const view of signals) {
    const at = place(view.at);
    const stands = at && (!base || found.get(at)?.decision?.at === view.at);
    if (!stands) continue;
    if (ofModel(view)) of(at).model = view;
    else of(at).signals.push(view);
  }
  for (const outcome of outcomes) {
    const at = bar.get(outcome.origin_id);
    if (!at) continue;
    const moment = of(at);
    if (moment.decision?.id === outcome.origin_id) moment.outcome = newer(moment.outcome, outcome);
    for (const name of [outcome.order_id, outcome.client_order_id]) if (name) bar.set(name, at);
  }
  for (const order of newestStates(orders)) {
    const at = bar.get(order.client_order_id) ?? bar.get(order.order_id) ?? barOf(bars, order.submitted_at ?? order.at)?.at;
    if (!at) continue;
    of(at).orders.push(order);
    bar.set(order.order_id, at);
  }
  for (const fill of fills) {
    const at = bar.get(fill.order_id) ?? barOf(bars, fill.at)?.at;
    if (at) of(at).fills.push(fill);
  }
  return found;
}

/** The strongest of some views, signed; null where none has one. @param {any[]} views */
export function conviction(views) {
  const said = views.map((view) => view?.conviction).filter((one) => one !== undefined && one !== null);
  return said.length ? said.reduce((most, one) => (Math.abs(one) > Math.abs(most) ? one : most)) : null;
}

/** @param {Moment} moment @returns {"passed" | "refused" | "skipped" | "failed" | ""} */
export function gate({ outcome }) {
  if (!outcome) return "";
  if (outcome.outcome === "executed" || outcome.outcome === "submitted") return "passed";
  return outcome.outcome;
}

/** The fact that tells most about a moment. @param {Moment} moment */
export const about = ({ decision, fills, orders, model, signals }) =>
  (decision ?? fills[0] ?? orders[0] ?? model ?? signals[0])?.id ?? "";

/** @param {any} view */
function viewWords({ engine, conviction: size }) {
  if (size === undefined || size === null) return `${engine} no view`;
  return `${engine} ${size > 0 ? "+" : ""}${number(size, 2)}`;
}

/** What happened at a bar, in the order of the lanes. @param {Moment | undefined} moment @param {string} symbol @returns {string[]} */
export function momentWords(moment, symbol) {
  if (!moment) return [];
  const { signals, model, decision, outcome, orders, fills } = moment;
  return [
    ...signals.map(viewWords),
    ...(model ? [viewWords(model)] : []),
    ...(decision ? [`${decision.action}, score ${number(decision.score, 0)}`] : []),
    ...(outcome ? [outcomeWords(outcome).text] : []),
    ...orders.map((order) => `order ${orderStatus(order.status)[0]}`),
    ...fills.map((fill) => `${fill.side === "buy" ? "bought" : "sold"} ${quantity(fill.quantity)} at ${price(fill.price, symbol)}`),
  ];
}
