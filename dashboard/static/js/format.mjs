// Numbers and times as a trader reads them: sign, unit, tabular width. Money and quantities arrive as decimal strings and are
// formatted as such, never by way of a float.

import { zone } from "./zone.mjs";

const MINUS = "\u2212";
export const ABSENT = "–";
/** @typedef {string | number | null | undefined} Amount */

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** @param {Intl.NumberFormatOptions} options */
function format(options) {
  const name = JSON.stringify(options);
  const known = formats.get(name);
  if (known) return known;
  const made = new Intl.NumberFormat(undefined, options);
  formats.set(name, made);
  return made;
}

/** @param {Amount} amount @param {Intl.NumberFormatOptions} options */
function write(amount, options) {
  if (amount === null || amount === undefined || amount === "" || Number.isNaN(Number(amount))) return ABSENT;
  // Intl reads decimal strings exactly; TypeScript's library does not know it yet.
  return format(options)
    .format(/** @type {any} */ (amount))
    .replace("-", MINUS);
}

/** Decimals a price of this size is read with; stocks trade in cents from one dollar up. @param {Amount} price @param {string} symbol */
export function priceDecimals(price, symbol = "") {
  const size = Math.abs(Number(price));
  if (!size) return 2;
  if (size >= 10 || (size >= 1 && symbol && !symbol.includes("/"))) return 2;
  if (size >= 1) return 4;
  return Math.min(10, 4 - Math.floor(Math.log10(size)));
}

/** @param {Amount} value @param {string} symbol */
export function price(value, symbol = "") {
  const decimals = priceDecimals(value, symbol);
  return write(value, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** @param {Amount} value */
export const money = (value, currency = "USD") => write(value, { style: "currency", currency, currencyDisplay: "narrowSymbol" });

/** With + or − unless zero. @param {Amount} value */
export const signedMoney = (value, currency = "USD") =>
  write(value, { style: "currency", currency, currencyDisplay: "narrowSymbol", signDisplay: "exceptZero" });

/** `0.0123` → `+1.23%`. @param {Amount} fraction */
export const signedPercent = (fraction, digits = 2) =>
  write(fraction, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "exceptZero" });

/** `0.0123` → `1.2%`. @param {Amount} fraction */
export const percent = (fraction, digits = 1) =>
  write(fraction, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });

/** @param {Amount} value */
export const number = (value, digits = 1) => write(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** As many decimals as its size needs: indicators go from hundredths to millions. @param {Amount} value */
export function reading(value) {
  const size = Math.abs(Number(value));
  return number(value, size >= 1_000 ? 0 : size >= 1 || size === 0 ? 2 : 4);
}

/** No more digits than it has, up to eight. @param {Amount} value */
export const quantity = (value) => write(value, { maximumFractionDigits: 8 });

/** @param {Amount} value */
export const signedQuantity = (value) => write(value, { maximumFractionDigits: 8, signDisplay: "exceptZero" });

/** -1, 0 or 1; what rounds to nothing in the last digit shown counts as zero. @param {Amount} value */
export function sign(value, digits = 8) {
  const size = Number(value);
  return Math.abs(size) < 0.5 * 10 ** -digits || Number.isNaN(size) ? 0 : Math.sign(size);
}

/** `134` → `2 min 14 s`, `8040` → `2 h 14 min`. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return ABSENT;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return pair(whole, 60, "min", "s");
  if (whole < 86_400) return pair(Math.round(whole / 60), 60, "h", "min");
  return pair(Math.round(whole / 3_600), 24, "d", "h");
}

/** @param {number} whole @param {number} size @param {string} large @param {string} small */
function pair(whole, size, large, small) {
  const rest = whole % size;
  return rest ? `${Math.floor(whole / size)} ${large} ${rest} ${small}` : `${Math.floor(whole / size)} ${large}`;
}

/** One unit only, for narrow places: `4 s`, `3 min`, `2 h`, `5 d`. @param {number | null | undefined} seconds */
export function shortAge(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return ABSENT;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

const CLOCK = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const SHAPES = /** @type {Record<string, Intl.DateTimeFormatOptions>} */ ({
  clock: { ...CLOCK, second: "2-digit" },
  short: CLOCK,
  day: { day: "numeric", month: "short" },
  date: { day: "numeric", month: "short", year: "numeric" },
  full: { ...CLOCK, second: "2-digit", day: "numeric", month: "short", year: "numeric", timeZoneName: "short" },
  exchange: { ...CLOCK, second: "2-digit", day: "numeric", month: "short" },
});
/** @type {Map<string, Intl.DateTimeFormat>} */
const clocks = new Map();

/** @param {Date} moment @param {string} shape one of SHAPES */
function tell(moment, shape, timeZone = zone.value) {
  const name = `${shape} ${timeZone}`;
  const known = clocks.get(name) ?? new Intl.DateTimeFormat(undefined, { ...SHAPES[shape], timeZone });
  clocks.set(name, known);
  return known.format(moment);
}

/** In the chosen zone: `14:03:22`, with the day when it is not today. @param {string | number | null | undefined} at */
export function time(at, now = Date.now()) {
  const moment = at ? new Date(at) : null;
  if (!moment || Number.isNaN(moment.getTime())) return ABSENT;
  const today = tell(moment, "date") === tell(new Date(now), "date");
  return today ? tell(moment, "clock") : `${tell(moment, "day")} ${tell(moment, "short")}`;
}

/** In the chosen zone, `21 Nov`. @param {string | number} at */
export const day = (at) => tell(new Date(at), "day");

/** In the chosen zone, `14:03` or `14:03:22`. @param {string | number} at */
export const clockTime = (at, withSeconds = false) => tell(new Date(at), withSeconds ? "clock" : "short");

/** For a title: the chosen zone in full, New York's, and UTC. @param {string | number | null | undefined} at */
export function timeInFull(at) {
  const moment = at ? new Date(at) : null;
  if (!moment || Number.isNaN(moment.getTime())) return "";
  return `${tell(moment, "full")} · ${tell(moment, "exchange", "America/New_York")} in New York · ${moment.toISOString()}`;
}

/** `5s` → 5. @param {string} timeframe */
export function timeframeSeconds(timeframe) {
  const units = /** @type {Record<string, number>} */ ({ s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 });
  const found = /^(\d+)([smhdw])$/.exec(timeframe ?? "");
  return found ? Number(found[1]) * units[found[2]] : 0;
}

/** @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** @param {string} text */
export const capital = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");
