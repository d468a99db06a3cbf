// In which zone times are shown: the reader's, the exchange's, or UTC.

import { computed } from "@preact/signals";
import { preference } from "./preferences.mjs";

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const NAMES = /** @type {Record<string, string>} */ ({ local: HERE, exchange: "America/New_York", utc: "UTC" });
export const ZONES = /** @type {[string, string][]} */ ([
  ["local", `Yours, ${HERE.replaceAll("_", " ")}`],
  ["exchange", "The exchange's, New York"],
  ["utc", "UTC"],
]);

/** `local`, `exchange` or `utc`. */
export const zoneChoice = preference("zone", "local");

/** Its name as the clock of the world knows it. */
export const zone = computed(() => NAMES[zoneChoice.value] ?? HERE);

/** @type {Map<string, Intl.DateTimeFormat>} */
const clocks = new Map();
/** Zones change by whole quarters of an hour. @type {Map<string, number>} */
const offsets = new Map();
const QUARTER = 900;
const MOST_KEPT = 20_000;

/** How far the clocks of the chosen zone are ahead of UTC. @param {number} at seconds since 1970 */
export function offsetSeconds(at, name = zone.value) {
  const key = `${name} ${Math.floor(at / QUARTER)}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  if (offsets.size > MOST_KEPT) offsets.clear();
  const found = wallSeconds(at, name) - Math.floor(at);
  offsets.set(key, found);
  return found;
}

/** What the clocks there show, as if it were UTC. @param {number} at @param {string} name */
function wallSeconds(at, name) {
  const parts = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
  const options = /** @type {Intl.DateTimeFormatOptions} */ ({ ...parts, hourCycle: "h23", timeZone: name });
  const clock = clocks.get(name) ?? new Intl.DateTimeFormat("en-US", options);
  clocks.set(name, clock);
  const told = Object.fromEntries(clock.formatToParts(at * 1_000).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(told.year, told.month - 1, told.day, told.hour, told.minute, told.second) / 1_000;
}

/** For a person: `Europe/Berlin`, `New York`, `UTC`. */
export const zoneWord = computed(() => (zoneChoice.value === "exchange" ? "New York" : zone.value.replaceAll("_", " ")));
