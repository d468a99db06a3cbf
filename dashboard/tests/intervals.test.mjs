import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = /** @type {any} */ ({ hidden: false, getElementById: () => null });
globalThis.location = /** @type {any} */ (new URL("http://127.0.0.1/"));
globalThis.window = /** @type {any} */ (globalThis);
globalThis.navigator ??= /** @type {any} */ ({ userAgent: "" });
const { fits, longer, madeOf, offered, stretchOf } = await import("../pages/symbol/intervals.mjs");
const { grow, marks, shownAt } = await import("../pages/symbol/chart_data.mjs");
const { moments } = await import("../pages/symbol/timeline.mjs");
const { pointedTime, scaleOfZone, tick } = await import("../pages/symbol/time_scale.mjs");
const { offsetSeconds, zoneChoice } = await import("#app/zone.mjs");

const HOUR = 3_600;
const DAY = 86_400;
// As in the winter of New York: pre-market from 9 h UTC, open from 14 h 30, closed from 21 h, after hours until 25 h.
const days = /** @type {any} */ ([0, 1, 2].map((number) => [9, 14.5, 21, 25].map((hour) => number * DAY + hour * HOUR)));
const iso = (second) => new Date(second * 1_000).toISOString().replace(".000Z", "Z");
let seed = 7;
const chance = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;

const bar = (close, timeframe = "5m", more = {}) => {
  const [open, end] = [10 + chance(), 10 + chance()];
  const [high, low] = [Math.max(open, end) + chance(), Math.min(open, end) - chance()];
  return { id: `b${close}`, symbol: "X/USD", at: iso(close), made_at: iso(close + 1), timeframe, open, close: end, high, low, volume: Math.ceil(chance() * 9), ...more };
};
const row = (first, count, timeframe, length) => Array.from({ length: count }, (_, at) => bar(first + (at + 1) * length, timeframe));

test("a longer bar is what its bars were together: first open, highest, lowest, last close, sum of the volumes", () => {
  const bars = row(10 * DAY, 400, "5m", 300).filter(() => chance() > 0.1);
  for (const [interval, length] of /** @type {[string, number][]} */ ([["15m", 900], ["1h", HOUR], ["4h", 4 * HOUR], ["1d", DAY]])) {
    const found = longer(bars, interval, null);
    for (const one of found) {
      const ends = Date.parse(one.at) / 1_000;
      const parts = bars.filter(({ at }) => Date.parse(at) / 1_000 > ends - length && Date.parse(at) / 1_000 <= ends);
      assert.deepEqual(
        [one.open, one.high, one.low, one.close, one.volume, one.parts, one.whole, one.begins],
        [
          parts[0].open, Math.max(...parts.map(({ high }) => high)), Math.min(...parts.map(({ low }) => low)), parts.at(-1).close,
          parts.reduce((sum, { volume }) => sum + volume, 0), parts.length, length / 300, ends - length,
        ],
      );
      assert.equal(ends % length, 0);
      assert.equal(one.timeframe, interval);
    }
    const told = found.reduce((sum, { parts }) => sum + parts, 0);
    assert.ok(bars.length - told < length / 300, "only a first bar that began before the history is left out");
  }
});

test("a first bar that is older than the history is left out, a whole one is not", () => {
  assert.deepEqual(longer(row(300, 23, "5m", 300), "1h", null).map(({ at }) => at), [iso(2 * HOUR)]);
  assert.deepEqual(longer(row(0, 24, "5m", 300), "1h", null).map(({ parts }) => parts), [12, 12]);
  assert.deepEqual(longer([], "1h", null), []);
});

test("the newest bar is what there is of it so far, and says of how many it will be", () => {
  const [one, two] = longer(row(0, 14, "5m", 300), "1h", null);
  assert.deepEqual([one.parts, one.whole, two.parts, two.whole, two.at], [12, 12, 2, 12, iso(2 * HOUR)]);
});

test("a stock's bars begin with its session and never reach over its edge; its day is the regular session", () => {
  const bars = row(9 * HOUR, 16 * 12, "5m", 300);
  const hours = longer(bars, "1h", days);
  assert.deepEqual(
    hours.filter(({ parts, whole }) => whole < 12 && parts === whole).map(({ begins, at }) => [begins / HOUR, Date.parse(at) / 1_000 / HOUR]),
    [[14, 14.5], [20.5, 21]],
  );
  assert.deepEqual(hours[0].begins, 9 * HOUR);
  assert.ok(hours.some(({ begins }) => begins === 14.5 * HOUR));
  const [day, ...more] = longer(bars, "1d", days);
  assert.deepEqual([day.begins, day.at, day.parts, day.whole, more.length], [14.5 * HOUR, iso(21 * HOUR), 78, 78, 0]);
  const regular = bars.filter(({ at }) => Date.parse(at) / 1_000 > 14.5 * HOUR && Date.parse(at) / 1_000 <= 21 * HOUR);
  assert.deepEqual([day.open, day.close], [regular[0].open, regular.at(-1).close]);
});

test("outside the calendar bars are counted from midnight UTC", () => {
  assert.deepEqual(stretchOf(20 * DAY + 300, 300, HOUR, days), [20 * DAY, 20 * DAY + HOUR]);
  assert.deepEqual(stretchOf(8 * HOUR, 300, HOUR, days), [7 * HOUR, 8 * HOUR]);
});

test("an interval is made of the longest bars that make it up exactly", () => {
  assert.equal(fits(300, HOUR, days), true);
  assert.equal(fits(HOUR, 4 * HOUR, days), false, "an hour reaches over half past two");
  assert.equal(fits(HOUR, 4 * HOUR, null), true);
  assert.equal(fits(7, HOUR, null), false);
  assert.equal(madeOf("4h", ["5m", "1h"], null), "1h");
  assert.equal(madeOf("4h", ["5m", "1h"], days), "5m");
  assert.equal(madeOf("1h", ["5m", "1h"], null), "1h");
  assert.equal(madeOf("1m", ["5m"], null), "");
});

test("offered is what Redis has and what its history reaches", () => {
  assert.deepEqual(offered(["5m"], row(0, 30, "5m", 300), null), ["5m", "15m", "1h"]);
  assert.deepEqual(offered(["5m", "1d"], row(0, 30, "5m", 300), null), ["5m", "15m", "1h", "1d"]);
  assert.deepEqual(offered(["5m"], [], null), ["5m"]);
});

const chart = () => {
  const base = row(0, 14, "5m", 300);
  return {
    ...{ symbol: "X/USD", timeframe: "1h", base, bars: longer(base, "1h", null), columns: { at: new Map(), values: {} } },
    ...{ indicators: new Map(), fills: [], signals: [], outcomes: [], orders: [], decisions: /** @type {any[]} */ ([]) },
  };
};
const decided = (id, close, action = "buy") => ({ id, symbol: "X/USD", at: iso(close), made_at: iso(close), action, score: 70 });

test("what was decided within a longer bar stands in its column, the newest for all", () => {
  const data = chart();
  data.decisions = [decided("a", 600), decided("b", HOUR, "sell"), decided("c", HOUR + 300)];
  data.signals = /** @type {any} */ ([600, HOUR].map((at) => ({ engine: "rules", at: iso(at), conviction: 0.5 })));
  data.outcomes = /** @type {any} */ ([{ origin_id: "a", revision: 9, outcome: "refused" }, { origin_id: "b", revision: 0, outcome: "executed" }]);
  const found = moments(data);
  assert.deepEqual([...found.keys()], [iso(HOUR), iso(2 * HOUR)]);
  const first = found.get(iso(HOUR));
  assert.deepEqual([first.decision.id, first.signals.length, first.outcome.outcome], ["b", 1, "executed"]);
  assert.equal(shownAt(data)(iso(-300)), null);
  assert.deepEqual(marks(data, { up: "", down: "", quiet: "" }).map(({ time }) => time), [HOUR, HOUR, 2 * HOUR]);
});

test("a bar that arrives makes the newest longer one grow, an indicator of another interval nothing", () => {
  const data = chart();
  assert.equal(grow(data, "bar", bar(HOUR + 900, "5m")), true);
  assert.deepEqual(data.bars.map(({ parts }) => parts), [12, 3]);
  assert.equal(grow(data, "bar", bar(3 * HOUR, "1h")), false);
  assert.equal(grow(data, "indicators", { symbol: "X/USD", timeframe: "5m", at: iso(HOUR), values: { rsi: 1 } }), false);
  assert.equal(grow(data, "bar", bar(2 * HOUR + 300, "5m")), true);
  assert.equal(data.bars.at(-1).at, iso(3 * HOUR));
});

test("the clocks of a zone are as far ahead of UTC as they are, in summer and in winter", () => {
  const at = (text) => Date.parse(text) / 1_000;
  assert.equal(offsetSeconds(at("2026-11-21T12:00:00Z"), "America/New_York"), -5 * HOUR);
  assert.equal(offsetSeconds(at("2026-07-21T12:00:00Z"), "America/New_York"), -4 * HOUR);
  assert.equal(offsetSeconds(at("2026-11-01T05:59:59Z"), "America/New_York"), -4 * HOUR);
  assert.equal(offsetSeconds(at("2026-11-01T06:00:00Z"), "America/New_York"), -5 * HOUR);
  assert.equal(offsetSeconds(at("2026-11-21T12:00:07Z"), "Asia/Kathmandu"), 5.75 * HOUR);
  assert.equal(offsetSeconds(at("2026-11-21T12:00:00Z"), "UTC"), 0);
});

test("a day begins on the chart where it begins in the chosen zone, and is named so", async () => {
  const library = await import("lightweight-charts");
  const midnight = Date.parse("2026-11-21T00:00:00Z") / 1_000;
  const first = (zone) => {
    zoneChoice.value = zone;
    const scale = scaleOfZone(library);
    const times = Array.from({ length: 24 }, (_, at) => midnight - 12 * HOUR + at * HOUR);
    const points = times.map((time) => ({ time: scale.convertHorzItemToInternal(time), timeWeight: 0, originalTime: time }));
    scale.fillWeightsForPoints(points, 0);
    const weights = points.slice(1).map(({ timeWeight }) => timeWeight);
    assert.deepEqual(points.map(({ time }) => scale.key(time)), times, "the moments themselves stay");
    return times[1 + weights.indexOf(Math.max(...weights))];
  };
  assert.equal(first("utc"), midnight);
  assert.match(tick(midnight, 2), /\b21\b/);
  assert.equal(tick(midnight, 3), "00:00");
  assert.equal(first("exchange"), midnight + 5 * HOUR);
  assert.match(tick(midnight, 2), /\b20\b/);
  assert.equal(tick(midnight, 4), "19:00:00");
  zoneChoice.value = "utc";
  assert.match(pointedTime(midnight), /21.*2026.*00:00:00.*UTC · .*20.*19:00:00 in New York$/);
});
