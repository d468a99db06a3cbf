import assert from "node:assert/strict";
import { test } from "node:test";
import { viewOf } from "#app/trading_switch.mjs";

const AT = "2026-11-21T12:00:00Z";
const NOW = Date.parse(AT);
const trading = (state, revision, more = {}) => ({ id: `t${revision}`, state, revision, by: "operator", at: AT, made_at: AT, ...more });
const effective = (state, trading_revision, more = {}) => ({
  id: "e",
  state,
  trading_revision,
  account: "A",
  replica: "r",
  at: AT,
  made_at: AT,
  ...more,
});
const view = (facts, secondsLater = 0) =>
  viewOf({ trading: null, effective: null, halt: null, alive: true, ready: true, connected: true, ...facts }, NOW + secondsLater * 1_000);

test("on is not said before execution has taken the revision in", () => {
  const { word, waiting } = view({ trading: trading("on", 4), effective: effective("off", 3) }, 2);
  assert.equal(word, "Off");
  assert.deepEqual(waiting, { text: "on requested, waiting for execution (2 s)", late: false });
});

test("after three seconds it is not confirmed, and why", () => {
  const facts = { trading: trading("off", 4), effective: effective("on", 3) };
  assert.deepEqual(view(facts, 3).waiting, { text: "off requested, not confirmed: execution has not answered (3 s)", late: true });
  assert.match(view({ ...facts, alive: false }, 9).waiting.text, /execution is not running/);
  assert.equal(view(facts, 3).word, "On");
});

test("off waits for the orders in flight, and says how many", () => {
  const { waiting } = view({ trading: trading("off", 4), effective: effective("on", 3, { draining: 2 }) }, 1);
  assert.match(waiting.text, /2 orders in flight/);
});

test("once the revision is in, nothing is waited for", () => {
  assert.equal(view({ trading: trading("on", 4), effective: effective("on", 4) }).waiting, null);
  assert.equal(
    view({ trading: trading("on", 4, { reduce_only: true }), effective: effective("on", 4, { reduce_only: true }) }).word,
    "Reduce only",
  );
});

test("a halt is a wish until execution has taken that very halt in", () => {
  const halt = { id: "h2", code: "person", by: "operator", at: AT, made_at: AT };
  assert.match(view({ halt, effective: effective("on", 1), trading: trading("on", 1) }, 1).waiting.text, /^halt requested/);
  assert.match(
    view({ halt, effective: effective("halted", 1, { halt_id: "h1" }), trading: trading("on", 1) }).waiting.text,
    /^halt requested/,
  );
  const done = view({ halt, effective: effective("halted", 1, { halt_id: "h2" }), trading: trading("on", 1) });
  assert.deepEqual([done.word, done.waiting], ["Halted", null]);
});

test("a lifted halt stays a halt until execution says otherwise", () => {
  const { word, waiting } = view({ effective: effective("halted", 1, { halt_id: "h1" }), trading: trading("on", 1) }, 5);
  assert.equal(word, "Halted");
  assert.match(waiting.text, /^end of the halt requested, not confirmed/);
});

test("on that is not in force lists what is missing", () => {
  const { word, missing } = view({
    trading: trading("on", 2),
    effective: effective("off", 2, { missing: { data: "No fresh bar of AAPL." } }),
  });
  assert.equal(word, "Off");
  assert.deepEqual(missing, [["data", "No fresh bar of AAPL."]]);
});

test("without a word from execution the state is unknown, not off", () => {
  assert.equal(view({}).word, "Unknown");
});

test("while disconnected nothing newer is claimed", () => {
  const { waiting } = view({ connected: false, trading: trading("on", 1), effective: effective("on", 1) });
  assert.match(waiting.text, /when the connection was lost/);
});

test("an execution that died is said to have died", () => {
  assert.match(view({ alive: false, trading: trading("on", 1), effective: effective("on", 1) }).waiting.text, /execution is not running/);
});
