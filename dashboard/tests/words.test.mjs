import assert from "node:assert/strict";
import { test } from "node:test";
import { priceOf, speaking, standing } from "#app/standing.mjs";
import { abstained, indicatorName, outcomeWords, words } from "#app/words.mjs";

const outcome = (kind, more = {}) => ({ outcome: kind, symbol: "BTC/USD", code: "x", ...more });

test("submitted says that nothing has filled yet", () => {
  const order = { side: "buy", quantity: "0.5" };
  assert.equal(outcomeWords(outcome("submitted", { order })).text, "Submitted: buy 0.5 BTC, not filled yet");
  assert.equal(outcomeWords(outcome("submitted", { order, filled_quantity: "0.2" })).text, "Submitted: buy 0.5 BTC, 0.2 BTC filled so far");
});

test("executed says what was bought at which price", () => {
  const done = outcome("executed", {
    order: { side: "sell", quantity: "3" },
    filled_quantity: "3",
    average_price: "187.5",
    symbol: "AAPL",
  });
  assert.equal(outcomeWords(done).text, "Executed: sold 3 shares at 187.50");
});

test("every way of not trading names its reason", () => {
  assert.equal(outcomeWords(outcome("skipped", { reason: "trading is off" })).text, "Skipped: trading is off");
  assert.equal(outcomeWords(outcome("skipped", { reason: "Skipped: trading is off" })).text, "Skipped: trading is off");
  assert.equal(
    outcomeWords(outcome("refused", { reason: "exposure would be 91% of equity" })).text,
    "Refused by a limit: exposure would be 91% of equity",
  );
  assert.equal(outcomeWords(outcome("failed", { reason: "" })).text, "Failed");
});

test("an engine without a view has no vote to hold", () => {
  assert.equal(abstained("the model is late"), "No view: the model is late");
});

test("markup in a text stays text", () => {
  const said = words("decision", { action: "buy", score: 70, reasoning: "<img src=x onerror=alert(1)>" });
  assert.equal(said.text, "<img src=x onerror=alert(1)>");
});

test("an unknown topic is told without failing", () => {
  assert.equal(words("something_new", { id: "x", at: "", made_at: "" }).title, "Something new");
});

test("indicators are named as traders name them", () => {
  assert.deepEqual(["rsi", "macd_signal", "ema_20", "bollinger_upper"].map(indicatorName), [
    "RSI",
    "MACD signal",
    "EMA 20",
    "Bollinger upper",
  ]);
});

test("a decision that execution has not answered is not called traded", () => {
  const decision = { id: "d", made_at: "2026-11-21T12:00:00Z" };
  const now = Date.parse(decision.made_at);
  const at = (/** @type {number} */ seconds, /** @type {boolean} */ alive) =>
    standing({ decision, outcome: null, indicators: {}, executionAlive: alive }, now + seconds * 1_000).text;
  assert.equal(at(1, true), "Decided, execution looks at it");
  assert.equal(at(9, true), "Not traded: execution has not answered (9 s)");
  assert.equal(at(9, false), "Not traded: execution is not running (9 s)");
});

const outcomes = (...list) =>
  list.map(([origin, origin_id, kind, second]) => ({ origin, origin_id, outcome: kind, made_at: `2026-11-21T12:00:0${second}Z` }));

test("the outcome of an older decision does not speak for a newer one", () => {
  const decision = { id: "d2", made_at: "2026-11-21T12:00:05Z" };
  assert.equal(speaking(decision, outcomes(["decision", "d1", "skipped", 1])), null);
  assert.match(standing({ decision, outcome: null, indicators: {}, executionAlive: true }, Date.parse(decision.made_at)).text, /^Decided/);
});

test("a stop put in place does not hide the purchase, a stop that filled does", () => {
  const decision = { id: "d", made_at: "2026-11-21T12:00:01Z" };
  const bought = ["decision", "d", "executed", 2];
  assert.equal(speaking(decision, outcomes(bought, ["protection", "p", "submitted", 3])).origin, "decision");
  assert.equal(speaking(decision, outcomes(bought, ["protection", "p", "executed", 3])).origin, "protection");
  assert.equal(speaking(decision, outcomes(bought, ["command", "c", "submitted", 3])).origin, "command");
  assert.equal(speaking(decision, outcomes(bought, ["command", "c", "executed", 1])).origin, "decision");
});

test("a protective order says at which price it stands", () => {
  const order = { side: "sell", quantity: "0.5", stop_price: "60000", limit_price: "59000" };
  assert.equal(outcomeWords(outcome("submitted", { origin: "protection", order })).text, "Stop in place: sell 0.5 BTC at 60,000.00");
});

test("the newer of quote and bar gives the price; half a quote gives none", () => {
  const bar = { at: "2026-11-21T12:00:00Z", close: 10, origin: "taapi" };
  assert.equal(priceOf({ at: "2026-11-21T12:00:01Z", last: "11", feed: "f" }, bar)?.value, "11");
  assert.equal(priceOf({ at: "2026-11-21T11:00:00Z", last: "11", feed: "f" }, bar)?.value, 10);
  assert.equal(priceOf({ at: "2026-11-21T12:00:01Z", bid: "11", feed: "f" }, bar)?.value, 10);
  assert.equal(priceOf(null, null), null);
});
