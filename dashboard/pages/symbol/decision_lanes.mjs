// The lanes as something to point at: with the mouse, with a finger, with the arrow keys. Below them stands in words what is pointed at.

import { explain } from "#app/components/why.mjs";
import { time, timeInFull } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { LANE_HEIGHT, LANES } from "./lanes.mjs";
import { about, momentWords } from "./timeline.mjs";

export const LaneLabels = () =>
  html`<ol class="lane-labels" aria-hidden="true">
    ${LANES.map((name) => html`<li key=${name} style=${{ height: `${LANE_HEIGHT}px` }}>${name}</li>`)}
  </ol>`;

/** Places of the bars that led to something. @param {any} data @param {any} shared @returns {number[]} */
const places = (data, shared) =>
  (data?.bars ?? []).flatMap((/** @type {any} */ bar, /** @type {number} */ at) => (shared.moments.has(bar.at) ? [at] : []));

const STEPS = /** @type {Record<string, (list: number[], at: number) => number | undefined>} */ ({
  ArrowLeft: (list, at) => list.findLast((one) => one < at),
  ArrowRight: (list, at) => list.find((one) => one > at),
  Home: (list) => list[0],
  End: (list) => list.at(-1),
});

/** @param {{shared: import("./chart.mjs").Shared, data: any, symbol: string, controls: {current: any}}} props */
export function Timeline({ shared, data, symbol, controls }) {
  void shared.version.value;
  const at = shared.pointed.value;
  const bars = data?.bars ?? [];
  const place = bars.findIndex((/** @type {any} */ bar) => bar.at === at);
  const chosen = at || newestOf(bars, shared);
  const moment = shared.moments.get(chosen);
  const said = momentWords(moment, symbol);
  const open = () => moment && explain(about(moment));
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" || event.key === " ") open();
    else if (event.key === "Escape") controls.current?.point("");
    else {
      const next = STEPS[event.key]?.(places(data, shared), place < 0 ? bars.length : place);
      if (next === undefined) return;
      controls.current?.point(bars[next].at);
    }
    event.preventDefault();
  };
  const onMove = (/** @type {PointerEvent} */ event) => {
    const left = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect().left;
    controls.current?.point(controls.current.at(event.clientX - left));
  };
  return html`
    <div class="lane-field" role="slider" tabindex="0" aria-label="Decision timeline" aria-valuemin="0"
      aria-valuemax=${Math.max(0, bars.length - 1)} aria-valuenow=${place < 0 ? Math.max(0, bars.length - 1) : place}
      aria-valuetext=${`${time(chosen)}: ${said.join(", ") || "nothing"}. Enter opens the reasons.`}
      style=${{ height: `${LANE_HEIGHT * LANES.length}px` }} onKeyDown=${onKey} onPointerMove=${onMove} onPointerDown=${onMove}
      onPointerLeave=${() => controls.current?.point("")} onClick=${open} data-testid="lanes"></div>
    <div class="pointed" data-testid="moment">
      <time class="figure" datetime=${chosen} title=${timeInFull(chosen)}>${time(chosen)}</time>
      <span class="pointed-words">${said.join(" · ") || (data ? "Nothing was thought of this bar." : "")}</span>
      <button type="button" class="button button-small" disabled=${!moment} onClick=${open}>Reasons</button>
    </div>
  `;
}

/** @param {any[]} bars @param {import("./chart.mjs").Shared} shared */
const newestOf = (bars, shared) => bars.findLast(({ at }) => shared.moments.has(at))?.at ?? bars.at(-1)?.at ?? "";
