// Everything a person can change from the page, and the fact that proves each of them.

import { request } from "./requests.mjs";
import { halt, latest, pauseOf } from "./store.mjs";

/** @param {{state: "on" | "off", reduce_only?: boolean, reason?: string, [guards: string]: any}} wanted */
export function askFor({ state, reduce_only = false, reason = "", ...guards }) {
  const revision = latest("trading").peek()?.revision ?? 0;
  const label = state === "off" ? "Trading off" : reduce_only ? "Trading on, reduce only" : "Trading on";
  return request({
    kind: "trading", label, path: "trading", body: { state, reduce_only, reason, revision, ...guards },
    proven: () => (latest("trading_effective").value?.trading_revision ?? -1) > revision,
  });
}

/** @param {string} reason */
export const liftHalt = (reason) =>
  request({ kind: "resume", label: "End of the halt", path: "resume", body: { reason }, proven: () => !halt.value });

/** @param {string} symbol @param {boolean} paused */
export const setPause = (symbol, paused, reason = "") =>
  request({
    kind: `pause ${symbol}`, label: paused ? `Pause of ${symbol}` : `End of the pause of ${symbol}`, path: "pause", body: { symbol, paused, reason },
    proven: () => Boolean(pauseOf(symbol)) === paused,
  });

/** @param {{mode: string, percent: string, fixed_amount: string}} draft @param {number} revision the one the draft was made from */
export const saveSizing = ({ mode, percent, fixed_amount }, revision) =>
  request({
    kind: "trade_settings", label: "Sizing", path: "trade-settings", body: { mode, percent, fixed_amount, revision },
    proven: () => (latest("trade_settings").value?.revision ?? 0) > revision,
  });

/** @param {string} command @param {object} args @param {string} label @param {string} kind */
const command = (command, args, label, kind) => request({ kind, label, path: "commands", body: { command, arguments: args } });

/** @param {string} symbol */
export const closePosition = (symbol) => command("close", { symbol }, `Close ${symbol}`, `close ${symbol}`);

export const liquidateAll = () => command("liquidate", {}, "Liquidate all positions", "liquidate");

/** @param {string} symbol @param {string} orderId */
export const cancelOrder = (symbol, orderId) => command("cancel", { symbol, order_id: orderId }, `Cancel order of ${symbol}`, `cancel ${orderId}`);

/** @param {string} model */
export const pullModel = (model) => command("pull_model", { model }, `Pull ${model}`, "pull_model");
