// The chart's scale of time in the chosen zone: a new day begins where it begins there, and is named so.

import { clockTime, day, timeInFull } from "#app/format.mjs";
import { offsetSeconds } from "#app/zone.mjs";

/** The library's word for what a mark begins: a year, a month, a day, an hour and minute, a second. */
const DAY_OF_MONTH = 2;
const MINUTE = 3;

/**
 * The library weighs moments by UTC's midnights: it is shown each moment as the clocks of the chosen zone tell it, and keeps the true one.
 * @param {any} library
 */
export function scaleOfZone(library) {
  const Times = library.defaultHorzScaleBehavior();
  return new (class extends Times {
    /** @param {any[]} points @param {number} start */
    fillWeightsForPoints(points, start) {
      const told = points.map(({ time }) => {
        const at = Number(super.key(time));
        return { time: super.convertHorzItemToInternal(at + offsetSeconds(at)), timeWeight: 0 };
      });
      super.fillWeightsForPoints(told, start);
      for (let at = start; at < points.length; at += 1) points[at].timeWeight = told[at].timeWeight;
    }
  })();
}

/** @param {number} at seconds since 1970 @param {number} kind */
export const tick = (at, kind) => (kind <= DAY_OF_MONTH ? day(at * 1_000) : clockTime(at * 1_000, kind !== MINUTE));

/** What the crosshair says of a moment: the chosen zone's time, and the exchange's beside it. @param {number} at seconds since 1970 */
export const pointedTime = (at) => timeInFull(at * 1_000).split(" · ").slice(0, 2).join(" · ");
