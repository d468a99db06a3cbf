import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = /** @type {any} */ ({ hidden: false, getElementById: () => null });
globalThis.location = /** @type {any} */ (new URL("http://127.0.0.1/"));
const { parse, symbolPath } = await import("#app/router.mjs");
const { changeOf } = await import("#app/series.mjs");
const { path } = await import("#app/components/sparkline.mjs");
const { fault } = await import("#app/components/sizing.mjs");
const { largestOrder } = await import("#app/components/turn_on.mjs");
const { sessionText } = await import("#app/components/header.mjs");
const { steps } = await import("#app/components/why.mjs");
const { stateOf, summary } = await import("#app/freshness.mjs");
const { barOf, marks, turns } = await import("../pages/symbol/chart_data.mjs");
const { csv, withOrders } = await import("../pages/portfolio/order_book.mjs");
const { drawdown } = await import("../pages/overview/tiles.mjs");
const { uses } = await import("../pages/risk/view.mjs");

const navigation = [
  { name: "overview", title: "", href: "/", key: "o" },
  { name: "symbol", title: "", href: "/symbol", key: "s" },
];

test("an address names a page and what it is about", () => {
  assert.equal(parse("/", "", navigation).name, "overview");
  assert.deepEqual([parse("/symbol/BTC/USD", "", navigation).name, parse("/symbol/BTC%2FUSD", "", navigation).rest], ["symbol", "BTC/USD"]);
  assert.equal(symbolPath("BTC/USD"), "/symbol/BTC/USD");
  assert.equal(parse("/nowhere", "", navigation).name, "nowhere");
});

test("a spark's line spans its whole box, and a flat price does not break it", () => {
  assert.match(path([1, 2, 3]), /^M0\.0 30\.0L60\.0 16\.0L120\.0 2\.0$/);
  assert.doesNotMatch(path([5, 5]), /NaN/);
  assert.equal(path([5]), "");
});

test("a change needs two closes", () => {
  assert.equal(
    changeOf([
      { at: "1", close: 100 },
      { at: "2", close: 110 },
    ])?.toFixed(3),
    "0.100",
  );
  assert.equal(changeOf([{ at: "1", close: 100 }]), null);
  assert.equal(changeOf(null), null);
});

test("a size that makes no sense is not sent", () => {
  const draft = { mode: "percent", percent: "2", fixed_amount: "10" };
  assert.equal(fault(draft), "");
  for (const percent of ["0", "-1", "101", "x", ""]) assert.notEqual(fault({ ...draft, percent }), "");
});

test("the largest order is cut by the limit per symbol", () => {
  const account = { equity: "1000" };
  assert.equal(largestOrder(account, { mode: "percent", percent: "30" }, { max_position_percent: "20" }), 200);
  assert.equal(largestOrder(account, { mode: "fixed", fixed_amount: "50" }, {}), 50);
  assert.equal(largestOrder(null, null, {}), null);
});

test("the session says what comes next", () => {
  const now = Date.parse("2026-11-20T15:00:00Z");
  assert.equal(sessionText({ session: "regular", next_close: "2026-11-20T21:00:00Z" }, now), "closes in 6 h");
  assert.equal(sessionText({ session: "closed", next_open: "2026-11-20T17:14:00Z" }, now), "opens in 2 h 14 min");
  assert.equal(sessionText({ session: "pre", next_open: "2026-11-20T15:00:30Z" }, now), "pre-market, opens in 30 s");
  assert.equal(sessionText({ session: "closed" }, now), "closed");
});

test("old data is stale only where prices move", () => {
  const one = { symbol: "AAPL", session: "regular", age: 100, limit: 20 };
  assert.deepEqual(
    [stateOf(one), stateOf({ ...one, session: "closed" }), stateOf({ ...one, age: 5 }), stateOf({ ...one, age: null })],
    ["stale", "closed", "fresh", "none"],
  );
  assert.equal(summary([one, { ...one, age: 3 }]).state, "stale");
  assert.equal(summary([]).state, "none");
});

test("the way back to the bar is told from the bar on, nothing twice", () => {
  const fact = (id, second) => ({ id, made_at: `2026-11-21T12:00:0${second}Z` });
  const told = steps({
    causes: [
      { id: "d", topic: "decision", fact: fact("d", 3) },
      { id: "i", topic: "indicators", fact: fact("i", 1) },
      { id: "b", topic: "bar", fact: fact("b", 1) },
    ],
    consequences: [
      { topic: "outcome", fact: fact("o", 4) },
      { topic: "decision", fact: fact("d", 3) },
    ],
  });
  assert.deepEqual(
    told.map(({ id }) => id),
    ["b", "i", "d", "o"],
  );
});

test("a fill is marked on the bar during which it happened", () => {
  const bars = ["05", "10", "15"].map((second) => ({ at: `2026-11-21T12:00:${second}Z` }));
  assert.equal(barOf(bars, "2026-11-21T12:00:07Z")?.at, bars[1].at);
  assert.equal(barOf(bars, "2026-11-21T12:00:10Z")?.at, bars[1].at);
  assert.equal(barOf(bars, "2026-11-21T12:00:40Z")?.at, bars[2].at);
  assert.equal(barOf([], "2026-11-21T12:00:40Z"), null);
  const drawn = marks(
    { bars, indicators: new Map(), fills: [{ at: "2026-11-21T12:00:07Z", side: "sell" }], decisions: [], orders: [] },
    { up: "u", down: "d", quiet: "q" },
  );
  assert.deepEqual([drawn.length, drawn[0].shape, drawn[0].time], [1, "arrowDown", Date.parse(bars[1].at) / 1_000]);
});

test("an order's older state, read late from the history, changes nothing", () => {
  const order = (status, second) => ({ id: status, order_id: "1", status, at: `2026-11-21T12:00:0${second}Z`, made_at: "" });
  const known = withOrders(new Map(), [order("filled", 2), order("working", 1)]);
  assert.equal(known.get("1").status, "filled");
});

test("drawdown and limits are shares of what they are limits of", () => {
  const account = { equity: "900", peak_equity: "1000", day_start_equity: "950", day_change: "-50", exposure_long: "450", currency: "USD" };
  assert.equal(drawdown(account)?.toFixed(3), "0.100");
  const used = uses(account, [
    { symbol: "A", value: "90" },
    { symbol: "B", value: "-180" },
  ]);
  assert.equal(used.max_exposure_percent.value, 50);
  assert.equal(used.max_position_percent.value, 20);
  assert.equal(used.max_daily_loss_percent.value.toFixed(2), "5.26");
});

test("a spreadsheet takes no text for a formula, and negative numbers stay numbers", () => {
  const [, line] = csv([{ at: "t", symbol: "=HYPERLINK()", side: 'a"b', quantity: "-1.5" }]).split("\r\n");
  assert.ok(line.startsWith(`"t","'=HYPERLINK()","a""b","-1.5"`), line);
});

test("an intent that passed through states is told once, with the states", () => {
  const intent = (state, second) => ({ id: `i${second}`, intent_id: "I", state, made_at: `2026-11-21T12:00:0${second}Z` });
  const states = ["intent", "submitted", "filled"].map((state, at) => ({ topic: "intent", fact: intent(state, at) }));
  const told = steps({ causes: [], consequences: states });
  assert.deepEqual([told.length, told[0].states, told[0].fact.state], [1, ["intent", "submitted", "filled"], "filled"]);
});

test("only decisions that differ from the one before are marked", () => {
  const told = turns(["hold", "buy", "buy", "sell", "hold", "sell"].map((action) => ({ action })));
  assert.deepEqual(told.map(({ action }) => action), ["buy", "sell", "sell"]);
});
