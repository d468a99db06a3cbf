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

/** For a person: `Europe/Berlin`, `New York`, `UTC`. */
export const zoneWord = computed(() => (zoneChoice.value === "exchange" ? "New York" : zone.value.replaceAll("_", " ")));
