import assert from "node:assert/strict";
import { test } from "node:test";
import { shown, take } from "#app/activity.mjs";

const fact = (id, second, more = {}) => ({
  id,
  at: `2026-11-21T12:00:${String(second).padStart(2, "0")}Z`,
  made_at: `2026-11-21T12:00:${String(second).padStart(2, "0")}Z`,
  symbol: "AAPL",
  ...more,
});
const decision = fact("decision|AAPL|5s|1", 1, { action: "buy", score: 70 });
const outcome = (kind, second, more = {}) =>
  fact(`o${second}`, second, { origin: "decision", origin_id: decision.id, outcome: kind, ...more });
const all = { kind: "all", symbol: "", holds: false };

test("a decision and what became of it are one line, in whichever order they arrive", () => {
  for (const arrived of [
    [
      ["decision", decision],
      ["outcome", outcome("skipped", 2)],
    ],
    [
      ["outcome", outcome("skipped", 2)],
      ["decision", decision],
    ],
  ]) {
    const list = take(
      [],
      arrived.map(([topic, one]) => ({ topic, fact: one })),
      10,
    );
    assert.equal(list.length, 1);
    assert.deepEqual([list[0].fact.id, list[0].outcome.outcome, list[0].kind], [decision.id, "skipped", "decisions"]);
  }
});

test("an older outcome never replaces a newer one", () => {
  let list = take([], [{ topic: "outcome", fact: outcome("executed", 5) }], 10);
  list = take(list, [{ topic: "outcome", fact: outcome("submitted", 4) }], 10);
  assert.equal(list[0].outcome.outcome, "executed");
});

test("an order is one line with its newest state, in the place where it began", () => {
  const order = (status, second) => fact(`order-1|${status}`, second, { order_id: "order-1", status });
  let list = take(
    [],
    [
      { topic: "order", fact: order("working", 1) },
      { topic: "fill", fact: fact("f", 2) },
    ],
    10,
  );
  list = take(list, [{ topic: "order", fact: order("filled", 3) }], 10);
  assert.deepEqual(
    list.map(({ topic }) => topic),
    ["fill", "order"],
  );
  assert.equal(list[1].fact.status, "filled");
});

test("the same facts twice, live and from the history, are there once", () => {
  const facts = [
    { topic: "fill", fact: fact("f1", 1) },
    { topic: "fill", fact: fact("f2", 2) },
  ];
  const list = take([], facts, 10);
  assert.equal(take(list, facts, 10).length, 2);
});

test("newest first, and no more than asked for", () => {
  const list = take(
    [],
    [3, 1, 2].map((second) => ({ topic: "fill", fact: fact(`f${second}`, second) })),
    2,
  );
  assert.deepEqual(
    list.map(({ key }) => key),
    ["fill f3", "fill f2"],
  );
});

test("prices and heartbeats are not activity", () => {
  const list = [];
  assert.equal(take(list, [{ topic: "quote", fact: fact("q", 1) }], 10), list);
});

test("holds and decisions for what already is stay away until asked for", () => {
  const [hold] = take([], [{ topic: "decision", fact: { ...decision, action: "hold" } }], 10);
  const [nothing] = take(
    [],
    [
      { topic: "decision", fact: decision },
      { topic: "outcome", fact: outcome("skipped", 2, { code: "position_stands" }) },
    ],
    10,
  );
  const [off] = take(
    [],
    [
      { topic: "decision", fact: decision },
      { topic: "outcome", fact: outcome("skipped", 2, { code: "off" }) },
    ],
    10,
  );
  assert.deepEqual(
    [hold, nothing, off].map((entry) => shown(entry, all)),
    [false, false, true],
  );
  assert.equal(shown(hold, { ...all, holds: true }), true);
});

test("a command and its result are one line", () => {
  const list = take(
    [],
    [
      { topic: "command", fact: fact("c1", 1, { command: "close" }) },
      { topic: "command_result", fact: fact("c1|1", 2, { command_id: "c1", ok: true }) },
    ],
    10,
  );
  assert.equal(list.length, 1);
  assert.equal(list[0].result.ok, true);
});

test("a halt and its end are two lines", () => {
  const list = take(
    [],
    [
      { topic: "halt", fact: fact("h", 1) },
      { topic: "halt", fact: fact("h", 2, { lifted_by: "operator" }) },
    ],
    10,
  );
  assert.equal(list.length, 2);
});
