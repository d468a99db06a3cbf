import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = /** @type {any} */ ({ hidden: false, getElementById: () => null });
globalThis.location = /** @type {any} */ (new URL("http://127.0.0.1/"));
const { edges, sessionOfBar, spans } = await import("../pages/symbol/sessions.mjs");
const { grow, valueAt, workingPrices } = await import("../pages/symbol/chart_data.mjs");
const { about, gate, moments, momentWords } = await import("../pages/symbol/timeline.mjs");
const { delaysOf, gapsOf, originsOf, quantile } = await import("../pages/symbol/quality.mjs");
const { columnsOfFile, rowsOf } = await import("../pages/symbol/chart_table.mjs");
const { afterwards, gathered, life, paces, slippage, story } = await import("#app/components/story.mjs");
const { csv } = await import("#app/saving.mjs");
const { summed } = await import("#app/results.mjs");

// Two days: pre-market from 9 h, open from 14 h 30, closed from 21 h, after hours until 25 h.
const HOUR = 3_600;
const DAY = 86_400;
const day = (number) => [9, 14.5, 21, 25].map((hour) => number * DAY + hour * HOUR);
const days = /** @type {any} */ ([day(0), day(1)]);
const at = (second) => new Date(second * 1_000).toISOString().replace(".000Z", "Z");

test("a bar belongs to the session its interval falls into, regular wins where it touches several", () => {
  const session = (hour) => sessionOfBar(days, hour * HOUR, HOUR);
  assert.deepEqual([9.5, 10, 14.5, 15, 21, 21.5, 22, 25, 26, 30].map(session), [
    ...["pre", "pre", "pre", "regular", "regular", "regular", "after", "after", "closed", "closed"],
  ]);
  assert.equal(sessionOfBar(days, 8 * HOUR, HOUR), null);
  assert.equal(sessionOfBar(days, 3 * DAY, HOUR), null);
  assert.equal(sessionOfBar([], 3 * DAY, HOUR), null);
});

test("bars of one session are shaded together, and the regular one's edges are named", () => {
  const closes = [13, 14, 15, 16, 21, 22].map((hour) => hour * HOUR);
  const found = spans(closes, days, HOUR);
  assert.deepEqual(found.map(({ from, to, session }) => [from, to, session]), [[0, 1, "pre"], [2, 4, "regular"], [5, 5, "after"]]);
  assert.deepEqual(edges(found), [
    { place: 2, word: "Open" },
    { place: 5, word: "Close" },
  ]);
});

const fact = (id, second, more = {}) => ({ id, symbol: "AAPL", at: at(second), made_at: at(second + 1), ...more });
const bar = (second, more = {}) => fact(`b${second}`, second, { timeframe: "5s", open: 1, high: 2, low: 1, close: 1.5, volume: 3, ...more });
const decision = fact("d1", 10, { action: "buy", score: 71, price: 1.5 });
const data = () => ({
  symbol: "AAPL",
  timeframe: "5s",
  bars: [bar(5), bar(10), bar(15)],
  columns: { at: new Map([[at(5), 0]]), values: { rsi: [42] } },
  indicators: new Map([[at(15), { rsi: 50 }]]),
  signals: [
    fact("s1", 10, { engine: "rules", conviction: 0.5 }),
    fact("s2", 10, { engine: "llm", inputs: ["prompt|x"], reason: "late", code: "answer_late" }),
  ],
  decisions: [decision],
  outcomes: [
    fact("o1", 11, { origin: "decision", origin_id: "d1", outcome: "submitted", revision: 0, order_id: "7", client_order_id: "tm-7" }),
    fact("o2", 12, { origin: "decision", origin_id: "d1", outcome: "executed", revision: 1, order_id: "7", filled_quantity: "2", reason: "" }),
  ],
  orders: [fact("r1", 11, { order_id: "7", client_order_id: "tm-7", status: "filled", terms: { side: "buy", quantity: "2" } })],
  fills: [fact("f1", 12, { order_id: "7", side: "buy", quantity: "2", price: "1.5" })],
});

test("what a bar led to stands in its column, though it happened during the next bar", () => {
  const found = moments(data());
  assert.deepEqual([...found.keys()], [at(10)]);
  const moment = found.get(at(10));
  assert.equal(moment.signals[0].engine, "rules");
  assert.equal(moment.model.engine, "llm");
  assert.deepEqual([moment.outcome.outcome, moment.orders.length, moment.fills.length], ["executed", 1, 1]);
  assert.equal(gate(moment), "passed");
  assert.equal(about(moment), "d1");
  assert.match(momentWords(moment, "AAPL").join("; "), /rules \+0\.50; llm no view; buy, score 71; .*order filled; bought 2 at 1\.50/);
  assert.deepEqual(momentWords(undefined, "AAPL"), []);
});

test("an order nobody decided stands with the bar during which it was sent", () => {
  const alone = { ...data(), decisions: [], outcomes: [], fills: [] };
  assert.deepEqual(moments(alone).get(at(15)).orders.map(({ id }) => id), ["r1"]);
});

test("a value comes from what arrived, else from what was read, and is null where there is none", () => {
  const one = data();
  assert.deepEqual([at(5), at(10), at(15)].map((moment) => valueAt(one, moment, "rsi")), [42, null, 50]);
});

test("the chart takes in its own symbol and timeframe, each fact once", () => {
  const one = data();
  assert.equal(grow(one, "bar", bar(20)), true);
  assert.equal(grow(one, "bar", bar(20)), false);
  assert.equal(grow(one, "bar", bar(25, { timeframe: "1h" })), false);
  assert.equal(grow(one, "fill", { ...one.fills[0], symbol: "MSFT" }), false);
  assert.equal(grow(one, "quote", fact("q", 30)), false);
  assert.equal(one.bars.length, 4);
});

test("working orders have lines, but not twice where they are the position's own stop", () => {
  const order = (terms, status = "working") => ({ status, terms: { side: "sell", ...terms } });
  const lines = workingPrices([order({ stop_price: "95" }), order({ limit_price: "120" }), order({ limit_price: "99" }, "filled")], { stop_price: "95.0" });
  assert.deepEqual(lines, [{ price: 120, title: "sell limit", side: "sell" }]);
});

test("the file of a chart has every bar and every indicator", () => {
  const one = data();
  assert.deepEqual(columnsOfFile(one).slice(0, 7), ["close_at", "open", "high", "low", "close", "volume", "rsi"]);
  assert.equal(rowsOf(one)[1].decision, "buy");
  assert.match(csv(columnsOfFile(one), rowsOf(one)).split("\r\n")[1], /"1\.5","3","42"/);
});

test("missing bars are counted where there must be some", () => {
  const bars = [10, 15, 30].map((second) => bar(second));
  assert.deepEqual(gapsOf(bars, 5, null), [{ after: at(15), missing: 2 }]);
  const night = [bar(20.5 * HOUR), bar(21 * HOUR), bar(DAY + 15 * HOUR)];
  assert.deepEqual(gapsOf(night, HOUR / 2, days).map(({ missing }) => missing), []);
  assert.deepEqual(gapsOf(night, HOUR / 2, null).length, 1);
});

test("bars read from a provider's history say nothing of how late they are", () => {
  const list = [bar(5), { ...bar(10), made_at: at(10 + 2 * HOUR) }, { ...bar(15), made_at: at(18) }];
  assert.deepEqual(delaysOf(list), [1, 3]);
  assert.deepEqual([quantile([3, 1, 2], 0.5), quantile([1, 2, 3], 0.95), quantile([], 0.5)], [2, 3, null]);
  assert.deepEqual(originsOf([{ origin: "a" }, { origin: "b" }, { origin: "b" }]), [["b", 2], ["a", 1]]);
});

const chain = () => [
  { id: "b", topic: "bar", fact: bar(5) },
  { id: "gone", topic: "", fact: null },
  { id: "d", topic: "decision", fact: fact("d", 5, { made_at: at(7) }) },
  ...["intent", "submitted", "filled"].map((state, place) => ({
    id: `i${place}`,
    topic: "intent",
    fact: fact(`i${place}`, 8 + place, { intent_id: "I", state, revision: place, reference_price: "100" }),
  })),
  { id: "f", topic: "fill", fact: fact("f", 12, { side: "sell", quantity: "2", price: "99" }) },
];

test("a chain is told by its parts, what is no longer kept is counted", () => {
  const told = story(/** @type {any} */ (chain()));
  assert.deepEqual([told.bar.id, told.decision.id, told.intents.length, told.fills.length, told.missing.length], ["b5", "d", 1, 1, 1]);
  assert.deepEqual(life(told.intents[0]).map(({ state, since }) => [state, since]), [["intent", null], ["submitted", 1_000], ["filled", 1_000]]);
  assert.deepEqual(paces(told).map(({ name }) => name), ["bar closed", "bar here", "decided", "recorded", "sent", "filled"]);
  assert.equal(slippage(told)?.toFixed(4), "0.0100");
});

test("what one answer has lost another may have", () => {
  const list = gathered(
    { causes: [{ id: "d", topic: "decision", fact: fact("d", 1) }], consequences: [] },
    { causes: [{ id: "d", topic: "decision", fact: null }], consequences: [{ topic: "fill", fact: fact("f", 2) }] },
  );
  assert.deepEqual(list.map(({ id, fact: one }) => [id, Boolean(one)]), [["d", true], ["f", true]]);
});

test("how the price went on is told once there is a bar of then, and not of days later", () => {
  const bars = [bar(10, { close: 2 }), bar(10 + HOUR, { close: 3 })];
  const one = { at: at(10), price: 2 };
  assert.equal(afterwards(one, bars, HOUR), 0.5);
  assert.equal(afterwards(one, bars, DAY), null);
});

test("results are summed by day or by symbol", () => {
  const row = (symbol, realized) => ({ day: "2026-11-20", symbol, realized, fees: "1", volume: "10", closed: 1, wins: Number(realized) > 0 ? 1 : 0, unknown: 0 });
  const rows = [row("A", "5"), row("B", "-2"), row("A", "1")];
  assert.deepEqual(summed(rows, "symbol").map(({ name, realized, wins }) => [name, realized, wins]), [["A", 6, 2], ["B", -2, 0]]);
  assert.equal(summed(rows, "day")[0].fees, 3);
});
