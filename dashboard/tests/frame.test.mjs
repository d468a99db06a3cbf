import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = /** @type {any} */ ({ hidden: false, getElementById: () => null, cookie: "" });
globalThis.location = /** @type {any} */ (new URL("http://127.0.0.1/"));
const { matching } = await import("#app/actions.mjs");
const { mishaps, troubles } = await import("#app/alerts.mjs");
const { lookOf } = await import("#app/look.mjs");
const { lineOf, whoOf } = await import("#app/trail.mjs");
const { errorOf, lineOfEntry } = await import("#app/log.mjs");
const { zoneChoice } = await import("#app/zone.mjs");
const { time, timeInFull } = await import("#app/format.mjs");
const { orderRate } = await import("../pages/risk/limits.mjs");
const { after } = await import("../pages/risk/what_if.mjs");
const { paces } = await import("../pages/system/machinery.mjs");
const { chosenOf } = await import("../pages/system/log.mjs");

const CALM = {
  halt: null,
  account: null,
  model: { phase: "ready" },
  waiting: null,
  missing: [],
  lost: [],
  stale: [],
  bus: { reachable: true, since: "", detail: "" },
};
const NOW = Date.parse("2026-11-21T12:00:00Z");
const outcome = (/** @type {string} */ at, more = {}) => ({
  key: at,
  kind: "trades",
  topic: "outcome",
  at,
  symbol: "BTC/USD",
  fact: null,
  result: null,
  outcome: { symbol: "BTC/USD", outcome: "refused", code: "exposure", reason: "too much", made_at: at, ...more },
});

test("what is typed finds names first, then words that stand for them", () => {
  const list = [
    { name: "Close BTC/USD…", words: "sell", note: "" },
    { name: "BTC/USD", words: "symbol", note: "" },
    { name: "Theme: dark", words: "appearance", note: "" },
  ];
  const found = (/** @type {string} */ typed) => matching(list, typed).map(({ name }) => name);
  assert.deepEqual(found("btc"), ["BTC/USD", "Close BTC/USD…"]);
  assert.deepEqual(found("usd close"), ["Close BTC/USD…"]);
  assert.deepEqual(found("appear"), ["Theme: dark"]);
  assert.deepEqual(found("nothing like it"), []);
  assert.equal(found("").length, 3);
});

test("nothing is wrong when nothing is", () => {
  assert.deepEqual(troubles(CALM), []);
  assert.deepEqual(mishaps([], [], NOW), []);
});

test("each trouble is told once, with its words", () => {
  const found = troubles({
    ...CALM,
    halt: { reason: "fire", code: "by_hand", made_at: "2026-11-21T11:00:00Z" },
    lost: ["execution"],
    stale: [{ symbol: "ETH/USD", age: 700 }],
    model: { phase: "missing" },
    waiting: { text: "on requested, not confirmed", late: true },
  });
  const titles = found.map(({ title }) => title);
  assert.deepEqual(titles.slice(0, 2), ["Trading is halted", "Execution is not running"]);
  assert.ok(titles.includes("Data of 1 symbol is stale"));
  assert.ok(titles.includes("The language model is not pulled"));
  assert.ok(!titles.includes("Not confirmed"), "a process that is not running explains it");
});

test("refusals of one kind are one matter, dated by the newest, and a day later none", () => {
  const list = /** @type {any[]} */ ([outcome("2026-11-21T11:59:00Z"), outcome("2026-11-21T11:00:00Z"), outcome("2026-11-19T11:00:00Z")]);
  const found = mishaps(list, [], NOW);
  assert.deepEqual(found.map(({ title, at }) => [title, at]), [["Refused by a limit, 2 times", "2026-11-21T11:59:00Z"]]);
  assert.deepEqual(mishaps(/** @type {any[]} */ ([outcome("2026-11-21T11:00:00Z", { outcome: "skipped" })]), [], NOW), []);
});

test("an unknown look counts for nothing", () => {
  assert.deepEqual(lookOf("blind.red.compact"), { palette: "blind", up: "red", density: "compact" });
  assert.deepEqual(lookOf("x.compact"), { palette: "standard", up: "green", density: "compact" });
});

test("times are told in the zone that was chosen", () => {
  const at = "2026-01-05T14:30:00Z";
  zoneChoice.value = "exchange";
  assert.match(time(at, Date.parse(at)), /09:30:00/);
  zoneChoice.value = "utc";
  assert.match(time(at, Date.parse(at)), /14:30:00/);
  assert.match(timeInFull(at), /New York/);
  zoneChoice.value = "local";
});

test("a line of the trail names who, from where and why", () => {
  const base = { key: "k", kind: /** @type {"controls"} */ ("controls"), at: "t", symbol: "", outcome: null };
  const halt = { ...base, topic: "halt", fact: { by: "anna@10.0.0.7", reason: "fire" }, result: null };
  const line = lineOf(/** @type {any} */ (halt));
  assert.deepEqual([line?.name, line?.address, line?.why, line?.what], ["anna", "10.0.0.7", "fire", "Halted"]);
  const settings = { changed: "token phone made, halt", changed_by: "anna@::1" };
  const made = { ...base, topic: "config", fact: { process: "dashboard", settings } };
  assert.deepEqual([lineOf(/** @type {any} */ (made))?.kind, lineOf(/** @type {any} */ (made))?.what], ["accounts", "Token phone made, halt"]);
  assert.deepEqual(whoOf("execution"), { name: "execution", address: "" });
});

test("a refused command says so in the trail", () => {
  const entry = {
    topic: "command",
    at: "t",
    symbol: "",
    fact: { command: "close", arguments: { symbol: "BTC/USD" }, by: "local@127.0.0.1" },
    result: { ok: false, detail: "nothing is held", final: true },
  };
  const line = lineOf(/** @type {any} */ (entry));
  assert.deepEqual([line?.what, line?.became, line?.ok], ["Close BTC/USD requested", "nothing is held", false]);
});

test("the log has levels, and leaves out what is no event", () => {
  assert.equal(errorOf({ process: "decision", last_error: "" }), null);
  assert.equal(errorOf({ process: "decision", last_error: "late", last_error_at: "t", made_at: "u" })?.level, "warning");
  const failed = /** @type {any} */ (outcome("2026-11-21T11:00:00Z", { outcome: "failed" }));
  const skipped = /** @type {any} */ (outcome("2026-11-21T11:00:00Z", { outcome: "skipped" }));
  assert.equal(lineOfEntry(failed)?.level, "error");
  assert.equal(lineOfEntry(skipped), null);
  const line = /** @type {any} */ (lineOfEntry(failed));
  assert.equal(chosenOf([line], { level: "error", service: "execution", text: "btc" }).length, 1);
  assert.equal(chosenOf([line], { level: "info", service: "decision", text: "" }).length, 0);
});

test("only our own orders of the last minute count", () => {
  const order = (/** @type {number} */ ago, more = {}) => ({ submitted_at: new Date(NOW - ago * 1_000).toISOString(), ...more });
  assert.equal(orderRate([order(5), order(50), order(61), order(5, { ours: false })], NOW).value, 2);
});

test("a fall of every price is told with the limit it would reach", () => {
  const account = { equity: "1000", day_start_equity: "1000", day_change: "0", peak_equity: "1000", exposure_long: "500", exposure_short: "100" };
  const limits = { max_daily_loss_percent: "3.0", max_drawdown_percent: "10.0" };
  const mild = after(account, -0.05, limits);
  assert.deepEqual([mild.change, mild.equity, mild.halts.length], [-20, 980, 0]);
  assert.deepEqual(after(account, -0.1, limits).halts, ["day's loss"]);
  assert.deepEqual(after(account, -0.3, limits).halts, ["day's loss", "drawdown"]);
  assert.equal(after(account, 0.05, limits).drawdown, 0);
});

test("how long a bar took is told only of facts that belong together", () => {
  const bar = { at: "2026-11-21T12:00:00Z", made_at: "2026-11-21T12:00:01Z" };
  const indicators = { at: bar.at, made_at: "2026-11-21T12:00:01.500Z" };
  const decision = { id: "d", at: bar.at, made_at: "2026-11-21T12:00:02Z" };
  const outcomeOf = { origin_id: "d", made_at: "2026-11-21T12:00:02.010Z" };
  assert.deepEqual(paces({ bar, indicators, decision, outcome: outcomeOf }), { seen: 1, indicators: 0.5, decision: 0.5, outcome: 0.01 });
  const older = { ...indicators, at: "2026-11-21T11:55:00Z" };
  assert.equal(paces({ bar, indicators: older, decision, outcome: null }).indicators, null);
});
