// The account over time: read for the range that is looked at, carried on by every reading that arrives.

import { effect, signal } from "@preact/signals";
import { get } from "./api.mjs";
import { preference } from "./preferences.mjs";
import { connection } from "./socket.mjs";
import { latest, onFact } from "./store.mjs";

const KEPT = 1_500;
/** Points closer than this are one. */
const APART_SECONDS = 1;
export const RANGES = /** @type {[string, string][]} */ ([
  ["1d", "1D"],
  ["1w", "1W"],
  ["1m", "1M"],
  ["all", "All"],
]);

/** @typedef {{at: number, text: string, kind: "halt" | "on" | "off"}} Mark seconds since 1970 */

export const range = preference("equity", "1d");
/** Times in seconds since 1970, and equity. Null until read. @type {import("@preact/signals").Signal<[number[], number[]] | null>} */
export const curve = signal(null);
/** Halts and switches in the same time. @type {import("@preact/signals").Signal<Mark[]>} */
export const changes = signal([]);
/** Equity about a week ago, or when the account was first read. */
export const weekAgo = signal(/** @type {{at: number, equity: number} | null} */ (null));
export const failed = signal("");

/** @param {[number[], number[]]} points @param {any} account @returns {[number[], number[]]} */
export function withPoint([times, values], account) {
  const at = Date.parse(account.at) / 1_000;
  const last = times.at(-1) ?? 0;
  if (at < last || !Number.isFinite(at)) return [times, values];
  const drop = at - last < APART_SECONDS && times.length ? 1 : 0;
  return [
    [...times.slice(0, times.length - drop), at].slice(-KEPT),
    [...values.slice(0, values.length - drop), Number(account.equity)].slice(-KEPT),
  ];
}

/** What is worth a line in the curve. @param {string} topic @param {any} fact @returns {Mark | null} */
export function markOf(topic, fact) {
  const at = Date.parse(fact.at) / 1_000;
  if (topic === "halt") return fact.lifted_by ? null : { at, text: "Halt", kind: "halt" };
  if (topic !== "trading") return null;
  return { at, text: fact.state === "on" ? (fact.reduce_only ? "Reduce only" : "On") : "Off", kind: fact.state };
}

let asked = 0;

/** @param {string} wanted */
async function read(wanted) {
  asked += 1;
  const mine = asked;
  const now = latest("account").peek();
  try {
    const [{ points }, halts, switches] = await Promise.all([
      get("equity", { range: wanted }),
      get("facts/halt", { limit: 50 }).catch(() => ({ facts: [] })),
      get("facts/trading", { limit: 100 }).catch(() => ({ facts: [] })),
    ]);
    if (mine !== asked) return;
    const list = now && now.at > (points.at(-1)?.at ?? "") ? [...points, now] : points;
    curve.value = list.reduce(withPoint, /** @type {[number[], number[]]} */ ([[], []]));
    const marks = [["halt", halts.facts], ["trading", switches.facts]].flatMap(([topic, facts]) =>
      facts.map((/** @type {any} */ fact) => markOf(topic, fact)).filter(Boolean),
    );
    changes.value = marks.sort((a, b) => a.at - b.at);
    failed.value = "";
  } catch (error) {
    if (mine !== asked) return;
    curve.value = now ? withPoint([[], []], now) : [[], []];
    failed.value = /** @type {Error} */ (error).message;
  }
}

async function readWeek() {
  const { points } = await get("equity", { range: "1w" }).catch(() => ({ points: [] }));
  weekAgo.value = points.length ? { at: Date.parse(points[0].at), equity: Number(points[0].equity) } : null;
}

let started = false;

/** Begins when a page first needs it; read again after every reconnect and with every other range. */
export function startEquity() {
  if (started) return;
  started = true;
  onFact((topic, fact) => {
    if (topic === "account" && curve.peek()) curve.value = withPoint(/** @type {[number[], number[]]} */ (curve.peek()), fact);
    const mark = markOf(topic, fact);
    if (mark) changes.value = [...changes.peek(), mark].slice(-200);
  });
  effect(() => {
    if (connection.value.state === "open") read(range.value);
  });
  effect(() => {
    if (connection.value.state === "open") readWeek();
  });
}
