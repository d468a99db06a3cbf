// Which session of the exchange each bar falls into, and where one begins: from the calendar that the server tells.

/** @typedef {"pre" | "regular" | "after" | "closed"} Session */
/** @typedef {{from: number, to: number, session: Session}} Span places of bars, both included */
/** @typedef {{place: number, word: string}} Mark */

/** The last day that has begun at a moment; -1 before the first. @param {[number, number, number, number][]} days @param {number} at */
export function dayOf(days, at) {
  let low = 0;
  let high = days.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (days[middle][0] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * Of the bar that closes at `close` and is `length` seconds long: regular wins where it touches several. Null outside the calendar.
 * @param {[number, number, number, number][]} days
 * @param {number} close seconds since 1970
 * @param {number} length
 * @returns {Session | null}
 */
export function sessionOfBar(days, close, length) {
  if (!days.length || close <= days[0][0]) return null;
  const day = days[dayOf(days, close - 1)];
  if (day === days[days.length - 1] && close - length >= day[3]) return null;
  const [begins, opens, closes, ends] = day;
  const from = close - length;
  if (from < closes && close > opens) return "regular";
  if (from < opens && close > begins) return "pre";
  return from < ends && close > closes ? "after" : "closed";
}

/**
 * Bars of one session together. Bars outside the calendar belong to none.
 * @param {number[]} closes ascending
 * @param {[number, number, number, number][]} days
 * @param {number} length seconds of a bar
 * @returns {Span[]}
 */
export function spans(closes, days, length) {
  /** @type {Span[]} */
  const found = [];
  closes.forEach((close, place) => {
    const session = sessionOfBar(days, close, length);
    const last = found.at(-1);
    if (last && last.session === session && last.to === place - 1) last.to = place;
    else if (session) found.push({ from: place, to: place, session });
  });
  return found;
}

/** Where the regular session opens and closes. @param {Span[]} list @returns {Mark[]} */
export const edges = (list) =>
  list.flatMap(({ from, session }, at) => {
    const before = list[at - 1];
    if (!before || before.to !== from - 1) return [];
    if (session === "regular") return [{ place: from, word: "Open" }];
    return before.session === "regular" ? [{ place: from, word: "Close" }] : [];
  });

/** @type {Record<Session, string>} */
export const SESSION_WORDS = { pre: "Pre-market", regular: "Regular session", after: "After hours", closed: "Closed" };
