// The facts of one chain, sorted into what a reader asks for: what was seen, what was thought of it, what was checked, done and reached.

/** In which order facts of one moment follow from each other. */
const ORDER = [
  ...["bar", "quote", "market", "position", "indicators", "prompt", "signal"],
  ...["decision", "command", "intent", "order", "fill", "outcome"],
];

/** @typedef {{topic: string, id: string, fact: any, states?: string[]}} Step */

/** Of one or several answers, each fact once, oldest first. @param {any[]} answers @returns {Step[]} */
export function gathered(...answers) {
  const came = (/** @type {any} */ one) => ({ ...one, id: one.fact.id });
  const found = answers.flatMap(({ causes, consequences }) => [...causes, ...consequences.map(came)]);
  // What one answer has lost another may have.
  const known = [...found].sort((a, b) => Number(Boolean(a.fact)) - Number(Boolean(b.fact)));
  const unique = [...new Map(known.map((one) => [one.id, one])).values()];
  const place = (/** @type {any} */ one) => one.fact?.made_at ?? "";
  const rank = (/** @type {any} */ one) => ORDER.indexOf(one.topic);
  return unique.sort((a, b) => (place(a) < place(b) ? -1 : place(a) > place(b) ? 1 : rank(a) - rank(b)));
}

/** @param {any} answer @returns {Step[]} */
export const steps = (answer) => lives(gathered(answer));

/** What passes through states is told once, in its first place, with the states it has been in. @param {Step[]} list */
export function lives(list) {
  const seen = new Map();
  return list.filter((one) => {
    const name = one.fact && (one.topic === "intent" ? one.fact.intent_id : one.topic === "order" ? one.fact.order_id : null);
    if (!name) return true;
    const state = one.fact.state ?? one.fact.status;
    const first = seen.get(`${one.topic} ${name}`) ?? Object.assign(one, { states: [] });
    seen.set(`${one.topic} ${name}`, first);
    if (first.states.at(-1) !== state) first.states.push(state);
    Object.assign(first, { fact: one.fact, id: one.id });
    return first === one;
  });
}

/**
 * States of one thing, oldest first, with the milliseconds since the one before.
 * @typedef {{state: string, at: string, since: number | null, fact: any}} State
 */

/** @param {any[]} facts of one intent or one order @returns {State[]} */
export function life(facts) {
  const step = (/** @type {any} */ fact) => fact.revision ?? 0;
  const inOrder = [...facts].sort((a, b) => (a.made_at < b.made_at ? -1 : a.made_at > b.made_at ? 1 : step(a) - step(b)));
  /** @type {State[]} */
  const found = [];
  for (const fact of inOrder) {
    const state = fact.state ?? fact.status;
    const last = found.at(-1);
    if (last && last.state === state && Number(last.fact.filled_quantity ?? 0) === Number(fact.filled_quantity ?? 0)) continue;
    found.push({ state, at: fact.made_at, since: last ? Date.parse(fact.made_at) - Date.parse(last.at) : null, fact });
  }
  return found;
}

/** @param {any[]} facts */
const inSteps = (facts) => [...facts].sort((a, b) => (a.revision ?? 0) - (b.revision ?? 0));

/** @param {any[]} facts @param {(fact: any) => string} name @returns {any[][]} */
function grouped(facts, name) {
  /** @type {Map<string, any[]>} */
  const groups = new Map();
  for (const fact of facts) groups.set(name(fact), [...(groups.get(name(fact)) ?? []), fact]);
  return [...groups.values()];
}

/**
 * @typedef {{symbol: string, bar: any, indicators: any, views: any[], calls: any[], decision: any, command: any, outcomes: any[],
 *   intents: any[][], orders: any[][], fills: any[], missing: Step[]}} Story
 */

/** @param {Step[]} list @returns {Story} */
export function story(list) {
  const of = (/** @type {string} */ topic) => list.filter((one) => one.topic === topic && one.fact).map(({ fact }) => fact);
  const newest = (/** @type {any[]} */ facts) => facts.at(-1) ?? null;
  const outcomes = of("outcome");
  return {
    symbol: list.find(({ fact }) => fact?.symbol)?.fact.symbol ?? "",
    bar: newest(of("bar")),
    indicators: newest(of("indicators")),
    views: of("signal"),
    calls: of("prompt"),
    decision: newest(of("decision")),
    command: newest(of("command")),
    outcomes: grouped(outcomes, ({ origin_id: origin }) => origin).map((states) => newest(inSteps(states))),
    intents: grouped(of("intent"), ({ intent_id: id }) => id),
    orders: grouped(of("order"), ({ order_id: id }) => id),
    fills: of("fill"),
    missing: list.filter(({ fact }) => !fact),
  };
}

/** Milliseconds from step to step, of those that are there. @param {Story} told @returns {{name: string, ms: number}[]} */
export function paces({ bar, indicators, decision, intents, orders, fills }) {
  const sent = intents.flat().find(({ state }) => state === "submitted");
  const marks = [
    ["bar closed", bar?.at ?? indicators?.at],
    ["bar here", bar && Date.parse(bar.made_at) - Date.parse(bar.at) < 3_600_000 ? bar.made_at : undefined],
    ["indicators", indicators?.made_at],
    ["decided", decision?.made_at],
    ["recorded", intents.flat()[0]?.made_at],
    ["sent", sent?.made_at],
    ["at the broker", orders.flat()[0]?.made_at],
    ["filled", fills[0]?.made_at],
  ].filter(([, at]) => at);
  return marks.map(([name, at], place) => ({
    name: /** @type {string} */ (name),
    ms: place ? Math.max(0, Date.parse(/** @type {string} */ (at)) - Date.parse(/** @type {string} */ (marks[place - 1][1]))) : 0,
  }));
}

/** What was paid more, or got less, than the price the order was made from, as a fraction; null without one. @param {Story} told */
export function slippage({ intents, fills }) {
  const reference = Number(intents.flat().find(({ reference_price: price }) => price)?.reference_price);
  const bought = fills.reduce((sum, { quantity }) => sum + Number(quantity), 0);
  if (!reference || !bought) return null;
  const average = fills.reduce((sum, { quantity, price }) => sum + Number(quantity) * Number(price), 0) / bought;
  return (average / reference - 1) * (fills[0].side === "buy" ? 1 : -1);
}

/**
 * How the price stands against that of the decision some time after it; null while there is no bar of then.
 * @param {any} decision
 * @param {any[]} bars oldest first
 * @param {number} seconds
 */
export function afterwards(decision, bars, seconds) {
  const then = Date.parse(decision.at) + seconds * 1_000;
  const bar = bars.find(({ at }) => Date.parse(at) >= then);
  return bar && Date.parse(bar.at) - then < seconds * 1_000 ? bar.close / decision.price - 1 : null;
}
