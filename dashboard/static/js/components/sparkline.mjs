// A line without axes: what the price did over the last bars, up or down told by its colour and by the change printed beside it.

import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { html } from "../html.mjs";
import { changeOf, seriesOf } from "../series.mjs";

const WIDTH = 120;
const HEIGHT = 32;

/** SVG path of the values across the whole width. @param {number[]} values */
export function path(values, width = WIDTH, height = HEIGHT) {
  if (values.length < 2) return "";
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const step = width / (values.length - 1);
  return values
    .map((value, index) =>
        `${index ? "L" : "M"}${(index * step).toFixed(1)} ${(height - 2 - ((value - low) / span) * (height - 4)).toFixed(1)}`,
    )
    .join("");
}

/** @param {{symbol: string}} props */
export function Sparkline({ symbol }) {
  const shape = useMemo(() => {
    const points = seriesOf(symbol);
    return {
      line: computed(() => path((points.value ?? []).map(({ close }) => close))),
      area: computed(() => {
        const line = path((points.value ?? []).map(({ close }) => close));
        return line && `${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`;
      }),
      kind: computed(() => `spark ${(changeOf(points.value) ?? 0) < 0 ? "spark-down" : "spark-up"}`),
    };
  }, [symbol]);
  return html`<svg class=${shape.kind} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
    <path class="spark-area" d=${shape.area} />
    <path class="spark-line" d=${shape.line} />
  </svg>`;
}
