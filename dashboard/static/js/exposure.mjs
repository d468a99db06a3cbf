// What is at stake: long, short and net, by symbol and by kind, and what would be lost if every stop were hit.

/**
 * @typedef {{long: number, short: number, net: number, gross: number, risk: number, unprotected: number,
 *   kinds: {name: string, value: number}[]}} Exposure
 */

/** @param {any[]} positions @returns {Exposure} */
export function exposureOf(positions) {
  const sum = { long: 0, short: 0, risk: 0, unprotected: 0 };
  /** @type {Map<string, number>} */
  const kinds = new Map();
  for (const { symbol, quantity, value, last_price: last, stop_price: stop } of positions) {
    const size = Number(quantity);
    if (!size) continue;
    const worth = Math.abs(Number(value));
    sum[size > 0 ? "long" : "short"] += worth;
    if (stop && last) sum.risk += Math.max(0, size * (Number(last) - Number(stop)));
    else {
      sum.risk += worth;
      sum.unprotected += 1;
    }
    const kind = symbol.includes("/") ? "Crypto" : "Stocks";
    kinds.set(kind, (kinds.get(kind) ?? 0) + worth);
  }
  const list = [...kinds].map(([name, value]) => ({ name, value })).sort((a, b) => b.value - a.value);
  return { ...sum, net: sum.long - sum.short, gross: sum.long + sum.short, kinds: list };
}
