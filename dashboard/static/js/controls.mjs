// Everything a person can change from the page, and the fact that proves each of them.

import { post, Refused } from "./api.mjs";
import { request } from "./requests.mjs";
import { halt, latest, pauseOf } from "./store.mjs";

/**
 * @typedef {{state: "on" | "off", reduce_only?: boolean, reason?: string, live_phrase?: string, password?: string,
 *   totp?: string}} Wanted
 */

/** The wish as the server takes it, made from what is seen now. @param {Wanted} wanted */
const wishOf = ({ reduce_only = false, reason = "", ...more }) => ({
  reduce_only,
  reason,
  revision: latest("trading").peek()?.revision ?? 0,
  ...more,
});

/**
 * Real money is asked for twice: the first time the server checks everything and says how many seconds to wait.
 * @param {Wanted} wanted
 * @param {string} key
 */
export async function announceLive(wanted, key) {
  try {
    await post("trading", wishOf(wanted), { key });
    return 0;
  } catch (error) {
    if (error instanceof Refused && error.status === 428) return error.seconds;
    throw error;
  }
}

/** @param {Wanted} wanted @param {string} [key] */
export function askFor(wanted, key) {
  const body = wishOf(wanted);
  const { revision } = body;
  const label = wanted.state === "off" ? "Trading off" : wanted.reduce_only ? "Trading on, reduce only" : "Trading on";
  return request({
    kind: "trading",
    label,
    path: "trading",
    body,
    key,
    proven: () => (latest("trading_effective").value?.trading_revision ?? -1) > revision,
  });
}

/** @param {string} reason */
export const liftHalt = (reason) =>
  request({ kind: "resume", label: "End of the halt", path: "resume", body: { reason }, proven: () => !halt.value });

/** @param {string} symbol @param {boolean} paused */
export const setPause = (symbol, paused, reason = "") =>
  request({
    kind: `pause ${symbol}`,
    label: paused ? `Pause of ${symbol}` : `End of the pause of ${symbol}`,
    path: "pause",
    body: { symbol, paused, reason },
    proven: () => Boolean(pauseOf(symbol)) === paused,
  });

/**
 * Only the chosen amount goes along; the other stays as it stands.
 * @param {{mode: string, percent: string, fixed_amount: string}} draft
 * @param {number} revision the one the draft was made from
 */
export const saveSizing = ({ mode, percent, fixed_amount }, revision) =>
  request({
    kind: "trade_settings",
    label: "Sizing",
    path: "trade-settings",
    body: { mode, ...(mode === "fixed" ? { fixed_amount } : { percent }), revision },
    proven: () => (latest("trade_settings").value?.revision ?? 0) > revision,
  });

/** @param {string} command @param {object} args @param {string} label @param {string} kind */
const command = (command, args, label, kind) => request({ kind, label, path: "commands", body: { command, arguments: args } });

/** @param {string} symbol */
export const closePosition = (symbol) => command("close", { symbol }, `Close ${symbol}`, `close ${symbol}`);

export const liquidateAll = () => command("liquidate", {}, "Liquidate all positions", "liquidate");

/** @param {string} symbol @param {string} orderId */
export const cancelOrder = (symbol, orderId) =>
  command("cancel", { symbol, order_id: orderId }, `Cancel order of ${symbol}`, `cancel ${orderId}`);

/** @param {string} model */
export const pullModel = (model) => command("pull_model", { model }, `Pull ${model}`, "pull_model");

export const compareBooks = () => command("reconcile", {}, "Comparison with the broker's books", "reconcile");
