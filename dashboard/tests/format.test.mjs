import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, money, price, quantity, shortAge, sign, signedMoney, signedPercent, time, timeframeSeconds } from "#app/format.mjs";

test("money keeps every digit of its decimal string", () => {
  assert.equal(money("12345678901234567.89"), "$12,345,678,901,234,567.89");
});

test("gains and losses carry their sign, zero carries none", () => {
  assert.equal(signedMoney("12.3"), "+$12.30");
  assert.equal(signedMoney("-12.3"), "−$12.30");
  assert.equal(signedMoney("0"), "$0.00");
  assert.equal(signedPercent(-0.01234), "−1.23%");
});

test("a price shows as many digits as its size needs", () => {
  assert.equal(price("64231.5", "BTC/USD"), "64,231.50");
  assert.equal(price("1.05231", "ADA/USD"), "1.0523");
  assert.equal(price("1.05", "F"), "1.05");
  assert.equal(price("0.20134", "DOGE/USD"), "0.20134");
  assert.equal(price(0.00001234, "SHIB/USD"), "0.000012340");
});

test("what is absent or not a number is a dash, never zero", () => {
  for (const nothing of [null, undefined, "", "not a number"]) assert.equal(money(nothing), "–");
});

test("a quantity has no more digits than it was given", () => {
  assert.equal(quantity("0.03080000"), "0.0308");
  assert.equal(quantity("0.00000001"), "0.00000001");
});

test("what rounds to nothing in the last digit shown is neither gain nor loss", () => {
  assert.equal(sign("0.004", 2), 0);
  assert.equal(sign("-0.005", 2), -1);
});

test("durations use two units at most", () => {
  assert.deepEqual([0, 59, 60, 134, 8_040, 100_000].map(duration), ["0 s", "59 s", "1 min", "2 min 14 s", "2 h 14 min", "1 d 4 h"]);
  assert.deepEqual([5, 65, 7_300].map(shortAge), ["5 s", "1 min", "2 h"]);
});

test("a moment of another day shows the day", () => {
  const now = new Date(2026, 10, 21, 12, 0, 0).getTime();
  assert.match(time(new Date(2026, 10, 21, 9, 5, 7).toISOString(), now), /^09:05:07$/);
  assert.match(time(new Date(2026, 10, 20, 9, 5, 7).toISOString(), now), /20.*09:05$/);
});

test("timeframes are read in seconds", () => {
  assert.deepEqual(["5s", "15m", "1h", "1d", "x"].map(timeframeSeconds), [5, 900, 3_600, 86_400, 0]);
});
