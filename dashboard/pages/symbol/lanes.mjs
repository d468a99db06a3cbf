// The lanes under the chart, drawn to the same scale of time: one column a bar, one lane a step from view to fill. Shape tells as much as
// colour does.

import { colour } from "#app/theme.mjs";
import { seconds } from "./chart_data.mjs";
import { conviction, gate } from "./timeline.mjs";

export const LANES = ["Signal", "Model", "Decision", "Risk", "Order", "Fill"];
export const LANE_HEIGHT = 20;

const TONES = {
  ...{ up: "--up-solid", down: "--down-solid", good: "--good-solid", bad: "--bad-solid" },
  ...{ quiet: "--text-3", line: "--line", text: "--text-2", mark: "--accent" },
};

/** @param {CanvasRenderingContext2D} c @param {number} x @param {number} y @param {number} r @param {boolean} up */
function triangle(c, x, y, r, up) {
  const tip = up ? -r : r;
  c.beginPath();
  c.moveTo(x, y + tip);
  c.lineTo(x + r, y - tip * 0.8);
  c.lineTo(x - r, y - tip * 0.8);
  c.closePath();
  c.fill();
}

/** @param {CanvasRenderingContext2D} c @param {number} x @param {number} y @param {number} r */
function cross(c, x, y, r) {
  c.beginPath();
  c.moveTo(x - r, y - r);
  c.lineTo(x + r, y + r);
  c.moveTo(x + r, y - r);
  c.lineTo(x - r, y + r);
  c.stroke();
}

/** A bar up or down from the lane's middle; a dash where there was no view. */
function view(/** @type {any} */ c, /** @type {any[]} */ views, /** @type {number} */ x, /** @type {number} */ y, /** @type {any} */ pen) {
  if (!views.length) return;
  const size = conviction(views);
  const { r, tones } = pen;
  c.fillStyle = size === null || Math.abs(size) < 0.02 ? tones.quiet : size > 0 ? tones.up : tones.down;
  // Views are often slight: the root makes them readable, the sign stays.
  const height = size === null ? 0 : Math.sign(size) * Math.sqrt(Math.abs(size)) * (LANE_HEIGHT / 2 - 2);
  if (Math.abs(height) < 1) c.fillRect(x - r / 2, y - 0.5, r, 1);
  else c.fillRect(x - r / 2, Math.min(y, y - height), r, Math.abs(height));
}

/** @type {((c: any, moment: import("./timeline.mjs").Moment, x: number, y: number, pen: any) => void)[]} */
const DRAWN = [
  (c, { signals }, x, y, pen) => view(c, signals, x, y, pen),
  (c, { model }, x, y, pen) => view(c, model ? [model] : [], x, y, pen),
  (c, { decision }, x, y, { r, tones }) => {
    if (!decision) return;
    c.fillStyle = decision.action === "buy" ? tones.up : decision.action === "sell" ? tones.down : tones.quiet;
    if (decision.action === "hold") c.fillRect(x - r / 2, y - 0.5, r, 1);
    else triangle(c, x, y, r, decision.action === "buy");
  },
  (c, moment, x, y, { r, tones }) => {
    const said = gate(moment);
    if (!said) return;
    c.fillStyle = said === "passed" ? tones.good : tones.quiet;
    c.strokeStyle = said === "skipped" ? tones.quiet : tones.bad;
    c.lineWidth = 1.5;
    if (said === "passed") c.fillRect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6);
    else if (said === "skipped") c.fillRect(x - 1, y - 1, 2, 2);
    else cross(c, x, y, r * 0.8);
  },
  (c, { orders }, x, y, { r, tones }) => {
    if (!orders.length) return;
    const bad = orders.some(({ status }) => status === "rejected");
    c.fillStyle = c.strokeStyle = bad ? tones.bad : tones.mark;
    c.lineWidth = 1.5;
    if (bad) cross(c, x, y, r * 0.8);
    else if (orders.every(({ status }) => status === "filled")) c.fillRect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6);
    else c.strokeRect(x - r * 0.7, y - r * 0.7, r * 1.4, r * 1.4);
  },
  (c, { fills }, x, y, { r, tones }) => {
    if (!fills.length) return;
    c.fillStyle = fills[0].side === "buy" ? tones.up : tones.down;
    triangle(c, x, y, r, fills[0].side === "buy");
  },
];

/**
 * Draws into the canvas whenever asked, at most once a frame.
 * @param {HTMLCanvasElement} canvas
 * @param {any} chart
 * @param {() => {bars: any[], moments: Map<string, import("./timeline.mjs").Moment>, pointed: string}} state
 */
export function lanes(canvas, chart, state) {
  const tones = Object.fromEntries(Object.entries(TONES).map(([name, token]) => [name, colour(token)]));
  let asked = 0;

  function draw() {
    asked = 0;
    const scale = chart.timeScale();
    const { bars, moments, pointed } = state();
    const width = scale.width();
    const ratio = devicePixelRatio || 1;
    const height = LANES.length * LANE_HEIGHT;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    const c = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.fillStyle = tones.line;
    for (let lane = 0; lane <= LANES.length; lane += 1) c.fillRect(0, Math.min(lane * LANE_HEIGHT, height - 1), width, 1);
    const shown = scale.getVisibleLogicalRange();
    if (!shown) return;
    const pen = { r: Math.max(2, Math.min(5, scale.options().barSpacing * 0.42)), tones };
    for (let at = Math.max(0, Math.floor(shown.from)); at <= Math.min(bars.length - 1, Math.ceil(shown.to)); at += 1) {
      const moment = moments.get(bars[at].at);
      const x = moment && scale.logicalToCoordinate(at);
      if (moment && x !== null && x !== undefined) DRAWN.forEach((one, lane) => one(c, moment, x, (lane + 0.5) * LANE_HEIGHT, pen));
    }
    const x = pointed ? scale.timeToCoordinate(seconds(pointed)) : null;
    if (x === null) return;
    c.fillStyle = tones.text;
    c.fillRect(Math.round(x), 0, 1, height);
  }

  return {
    draw() {
      asked ||= requestAnimationFrame(draw);
    },
    stop: () => cancelAnimationFrame(asked),
  };
}
