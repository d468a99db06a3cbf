// The exchange's sessions behind the candles: a wash for what is not the regular session, a line where it opens and closes.

import { colour } from "#app/theme.mjs";
import { edges, spans } from "./sessions.mjs";

/** @param {CanvasRenderingContext2D} context @param {any} band @param {any} size @param {Record<string, string>} tones */
function band(context, { left, right, session }, size, tones) {
  if (session === "regular") return;
  context.fillStyle = tones[session];
  context.fillRect(left, 0, right - left, size.height);
}

/** @param {CanvasRenderingContext2D} context @param {any} edge @param {any} size @param {number} ratio @param {any} tones */
function line(context, { x, word }, size, ratio, tones) {
  context.strokeStyle = tones.edge;
  context.lineWidth = Math.max(1, Math.floor(ratio));
  context.setLineDash([3 * ratio, 3 * ratio]);
  context.beginPath();
  context.moveTo(Math.round(x) + 0.5, 0);
  context.lineTo(Math.round(x) + 0.5, size.height);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = tones.text;
  context.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  context.fillText(word, x + 4 * ratio, 13 * ratio);
}

/**
 * A primitive of the chart: `set` gives it the bars' closes and the calendar's days, both in seconds since 1970.
 * @param {number} length seconds of a bar
 */
export function shading(length) {
  /** @type {any} */
  let chart = null;
  let update = () => {};
  /** @type {import("./sessions.mjs").Span[]} */
  let list = [];
  const tones = {
    pre: colour("--session-pre"),
    after: colour("--session-after"),
    closed: colour("--session-closed"),
    edge: colour("--control"),
    text: colour("--text-3"),
  };
  /** @param {any} target */
  const drawBackground = (target) => {
    if (!chart || !list.length) return;
    const scale = chart.timeScale();
    const half = scale.options().barSpacing / 2;
    target.useBitmapCoordinateSpace((/** @type {any} */ { context, bitmapSize, horizontalPixelRatio: ratio }) => {
      const at = (/** @type {number} */ place) => scale.logicalToCoordinate(place) ?? -1;
      for (const { from, to, session } of list)
        band(context, { left: (at(from) - half) * ratio, right: (at(to) + half) * ratio, session }, bitmapSize, tones);
      for (const { place, word } of edges(list)) line(context, { x: (at(place) - half) * ratio, word }, bitmapSize, ratio, tones);
    });
  };
  const view = { zOrder: () => "bottom", renderer: () => ({ draw() {}, drawBackground }) };
  return {
    /** @param {any} given */
    attached(given) {
      chart = given.chart;
      update = given.requestUpdate;
    },
    detached() {
      chart = null;
    },
    paneViews: () => [view],
    /** @param {number[]} closes @param {[number, number, number, number][]} days */
    set(closes, days) {
      list = spans(closes, days, length);
      update();
    },
  };
}
