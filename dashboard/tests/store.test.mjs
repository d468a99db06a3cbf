import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

/** @type {(() => void)[]} */
let frames = [];
globalThis.document = /** @type {any} */ ({ hidden: false });
globalThis.requestAnimationFrame = /** @type {any} */ ((frame) => frames.push(frame));
const { all, flush, halt, latest, onFact, pauseOf, receive, replaceAll, supersedes, system } = await import("#app/store.mjs");
const { effect } = await import("@preact/signals");

const AT = "2026-11-21T12:00:00Z";
const fact = (id, more = {}) => ({ id, at: AT, made_at: AT, ...more });
const snapshot = (facts = {}, more = {}) => ({
  seq: 1,
  server_time: AT,
  facts,
  config: {},
  processes: [],
  symbols: ["AAPL"],
  timeframe: "5s",
  mode: "paper",
  simulated: true,
  ...more,
});

beforeEach(() => {
  frames = [];
  replaceAll(snapshot());
});

test("what arrives is applied once a frame, the newest of each quote alone", () => {
  let drawn = 0;
  const stop = effect(() => void (latest("quote", "AAPL").value && (drawn += 1)));
  for (let at = 0; at < 50; at += 1) receive("quote", [fact(`q${at}`, { symbol: "AAPL", last: String(at), revision: at })]);
  assert.equal(frames.length, 1);
  frames[0]();
  assert.equal(latest("quote", "AAPL").value.last, "49");
  assert.equal(drawn, 1);
  stop();
});

test("of what must be read losslessly every fact is heard", () => {
  const heard = [];
  const stop = onFact((topic, one) => heard.push(`${topic} ${one.id}`));
  receive("decision", [fact("d1", { symbol: "AAPL" }), fact("d2", { symbol: "AAPL", revision: 1 })]);
  flush();
  stop();
  assert.deepEqual(heard, ["decision d1", "decision d2"]);
});

test("an older fact never replaces a newer one", () => {
  receive("position", [fact("new", { symbol: "AAPL", at: "2026-11-21T12:00:00.5Z".replace(".5", ".500000") })]);
  flush();
  receive("position", [fact("old", { symbol: "AAPL" })]);
  flush();
  assert.equal(latest("position", "AAPL").value.id, "new");
});

test("times with and without fractions compare as times", () => {
  assert.equal(supersedes(fact("a", { at: "2026-11-21T12:00:00.000001Z" }), fact("b")), false);
  assert.equal(supersedes(fact("a"), fact("b", { at: "2026-11-21T12:00:00.000001Z" })), true);
  assert.equal(supersedes(fact("a", { revision: 2 }), fact("b", { revision: 1 })), false);
});

test("a snapshot is the whole truth: what it does not hold is gone", () => {
  replaceAll(snapshot({ position: [fact("p", { symbol: "AAPL", quantity: "1" })], halt: [fact("h", { reason: "x" })] }));
  assert.equal(halt.value.id, "h");
  replaceAll(snapshot());
  assert.equal(halt.value, null);
  assert.equal(latest("position", "AAPL").value, null);
  assert.deepEqual(all("position"), []);
});

test("what a snapshot came too early to know is learnt from the first facts", () => {
  replaceAll(snapshot({}, { simulated: false }));
  receive("quote", [fact("q", { symbol: "AAPL", simulated: true })]);
  flush();
  assert.equal(system.value.simulated, false);
  receive("bar", [fact("b", { symbol: "AAPL", simulated: true })]);
  flush();
  assert.equal(system.value.simulated, true);
  receive("account", [fact("a", { mode: "live" })]);
  flush();
  assert.equal(system.value.mode, "live");
});

test("a lifted halt and an ended pause are over", () => {
  replaceAll(snapshot({ halt: [fact("h")], pause: [fact("p", { symbol: "AAPL", by: "a" })] }));
  receive("halt", [fact("h2", { revision: 2, lifted_by: "operator" })]);
  receive("pause", [fact("p2", { symbol: "AAPL", revision: 2, ended_by: "operator" })]);
  flush();
  assert.equal(halt.value, null);
  assert.equal(pauseOf("AAPL"), null);
});

test("orders stand side by side, each with its newest state", () => {
  receive(
    "order",
    ["1", "2"].map((order_id) => fact(`o${order_id}`, { symbol: "AAPL", order_id, status: "working" })),
  );
  flush();
  receive("order", [fact("o1b", { symbol: "AAPL", order_id: "1", status: "filled", revision: 1 })]);
  flush();
  assert.deepEqual(
    all("order").map(({ order_id, status }) => `${order_id} ${status}`),
    ["1 filled", "2 working"],
  );
});

test("a server that has not read Redis yet does not make an empty account", () => {
  replaceAll(snapshot({}, { ready: false }));
  assert.equal(system.value.ready, false);
});

test("thousands of orders do not pile up", () => {
  for (let at = 0; at < 3_000; at += 1)
    receive("order", [fact(`o${at}`, { symbol: "AAPL", order_id: String(at), status: at % 500 ? "filled" : "working" })]);
  flush();
  assert.ok(all("order").length <= 400);
  assert.equal(all("order").filter(({ status }) => status === "working").length, 6);
});
