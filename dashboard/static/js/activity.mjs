// The activity feed: one line per happening, each line the newest state of its subject. A decision's outcome joins the decision's line, a
// command's result the command's.

/** @typedef {import("./facts.d.ts").Fact} Fact */
/** @typedef {"trades" | "decisions" | "controls"} Kind */
/**
 * `at` is when it became known and gives the order; it stays when the line is brought up to date.
 * @typedef {{key: string, kind: Kind, topic: string, at: string, symbol: string, fact: Fact | null, outcome: Fact | null,
 *   result: Fact | null}} Entry
 */

const KINDS = /** @type {Record<string, Kind>} */ ({
  decision: "decisions",
  outcome: "trades",
  order: "trades",
  fill: "trades",
  trading: "controls",
  halt: "controls",
  pause: "controls",
  trade_settings: "controls",
  command: "controls",
  command_result: "controls",
  config: "controls",
});

/** @param {string} topic @param {any} fact */
function keyOf(topic, fact) {
  if (topic === "outcome" && fact.origin === "decision") return `decision ${fact.origin_id}`;
  if (topic === "outcome") return `outcome ${fact.origin_id} ${fact.symbol}`;
  if (topic === "command_result") return `command ${fact.command_id}`;
  if (topic === "order") return `order ${fact.order_id}`;
  if (topic === "halt") return `halt ${fact.id} ${fact.lifted_by ? "lifted" : ""}`;
  if (topic === "pause") return `pause ${fact.id} ${fact.ended_by ? "ended" : ""}`;
  return `${topic} ${fact.id}`;
}

/** @param {Fact | null} old @param {Fact} fact */
const newer = (old, fact) => !old || old.made_at <= fact.made_at || (old.revision ?? 0) < (fact.revision ?? 0);

/** @param {Entry | undefined} entry @param {string} key @param {string} topic @param {Fact} fact @returns {Entry} */
function merged(entry, key, topic, fact) {
  const base = entry ?? {
    key,
    kind: KINDS[topic],
    topic,
    at: fact.made_at,
    symbol: fact.symbol ?? "",
    fact: null,
    outcome: null,
    result: null,
  };
  if (topic === "outcome" && key.startsWith("decision "))
    return newer(base.outcome, fact) ? { ...base, kind: "decisions", outcome: fact } : base;
  if (topic === "command_result") return newer(base.result, fact) ? { ...base, result: fact } : base;
  if (!newer(base.fact, fact)) return base;
  return { ...base, topic, kind: key.startsWith("decision ") ? "decisions" : KINDS[topic], fact, symbol: fact.symbol ?? base.symbol };
}

/**
 * The entries with the facts taken in, newest first, at most `limit` of them. The same list when nothing changed.
 * @param {Entry[]} entries @param {{topic: string, fact: Fact}[]} arrived @param {number} limit
 */
export function take(entries, arrived, limit) {
  const told = arrived.filter(({ topic }) => topic in KINDS);
  if (!told.length) return entries;
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  let sorted = true;
  for (const { topic, fact } of told) {
    const key = keyOf(topic, fact);
    const known = byKey.get(key);
    const next = merged(known, key, topic, fact);
    if (known === next) continue;
    if (!known) sorted = false;
    byKey.set(key, next);
  }
  const list = [...byKey.values()];
  if (!sorted) list.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : a.key < b.key ? 1 : -1));
  return list.slice(0, limit);
}

/**
 * @param {Entry} entry
 * @param {{kind: string, symbol: string, holds: boolean}} filter `kind` is a Kind or `all`
 */
export function shown(entry, { kind, symbol, holds }) {
  if (kind !== "all" && entry.kind !== kind) return false;
  if (symbol && entry.symbol !== symbol) return false;
  return holds || !isHold(entry);
}

/** Codes of outcomes of decisions that asked for what already is. */
const NOTHING_TO_DO = new Set(["hold", "already_flat", "position_stands", "superseded"]);

/** A decision that leaves things as they are: to hold, or to have what is had already. @param {Entry} entry */
function isHold(entry) {
  if (entry.kind !== "decisions") return false;
  const outcome = /** @type {any} */ (entry.outcome);
  if (outcome)
    return outcome.outcome === "skipped" && (NOTHING_TO_DO.has(outcome.code) || /** @type {any} */ (entry.fact)?.action === "hold");
  return /** @type {any} */ (entry.fact)?.action === "hold";
}
