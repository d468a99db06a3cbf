// Our own small set of line drawings on a 16 × 16 grid.

import { html } from "../html.mjs";

const LINES = /** @type {Record<string, string>} */ ({
  overview: "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  symbol: "M4 2v2.5M4 10v3.5M2.5 4.5h3v5.5h-3zM11.5 2.5v3M11.5 11v3M10 5.5h3V11h-3z",
  portfolio: "M2 5.5h12v8H2zM5.5 5.5V3.2c0-.4.3-.7.7-.7h3.6c.4 0 .7.3.7.7v2.3M2 9h12",
  risk: "M8 1.8l5.2 2v4c0 3.2-2.2 5.4-5.2 6.4-3-1-5.2-3.2-5.2-6.4v-4z",
  system: "M1.5 8.5h3l2-5 3 9 2-5.5h3",
  settings: "M2 4.5h7M13 4.5h1M2 11.5h1M7 11.5h7M11 2.8a1.7 1.7 0 110 3.4 1.7 1.7 0 010-3.4zM5 9.8a1.7 1.7 0 110 3.4 1.7 1.7 0 010-3.4z",
  help: "M8 14.2A6.2 6.2 0 108 1.8a6.2 6.2 0 000 12.4zM6.2 6.3c0-1 .8-1.7 1.8-1.7s1.8.6 1.8 1.6c0 1.3-1.8 1.4-1.8 2.7M8 11.2v.3",
  activity: "M3 4h.01M6 4h7.5M3 8h.01M6 8h7.5M3 12h.01M6 12h7.5",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  sandbox: "M6.2 2h3.6M6.8 2v4.2l-3.9 6a1.2 1.2 0 001 1.8h8.2a1.2 1.2 0 001-1.8l-3.9-6V2M4.8 10h6.4",
  paper: "M4 1.8h5.5L12.5 5v9.2H4zM9.3 1.8V5h3.2M6 8h4.5M6 11h4.5",
  live: "M9 1.5L3.5 9H8l-1 5.5L12.5 7H8z",
  halt: "M5.3 1.8h5.4l3.5 3.5v5.4l-3.5 3.5H5.3l-3.5-3.5V5.3zM6 6l4 4M10 6l-4 4",
  halted: "M5.3 1.8h5.4l3.5 3.5v5.4l-3.5 3.5H5.3l-3.5-3.5V5.3zM6 6l4 4M10 6l-4 4",
  on: "M5 3l8 5-8 5z",
  play: "M5 3l8 5-8 5z",
  off: "M8 1.8v6M4.4 4.2a5.2 5.2 0 107.2 0",
  switch: "M8 1.8v6M4.4 4.2a5.2 5.2 0 107.2 0",
  reduce: "M8 2v10M3.5 8L8 12.5 12.5 8M3 14.2h10",
  pause: "M5.5 3v10M10.5 3v10",
  starting: "M8 1.8a6.2 6.2 0 105.9 4.3M8 4.5V8l2.3 1.6",
  unknown: "M6.2 6.1c0-1.1.8-1.8 1.8-1.8s1.8.7 1.8 1.7c0 1.5-1.8 1.6-1.8 3M8 11.6v.2",
  buy: "M8 13V3M3.8 7.2L8 3l4.2 4.2",
  sell: "M8 3v10M3.8 8.8L8 13l4.2-4.2",
  hold: "M3 8h10",
  order: "M3 2h10v12l-2-1.3L9.5 14 8 12.7 6.5 14 5 12.7 3 14zM5.5 5.5h5M5.5 8.5h5",
  fill: "M2.5 8.5l3.5 3.5 7.5-8",
  check: "M2.5 8.5l3.5 3.5 7.5-8",
  outcome: "M2.5 8.5l3.5 3.5 7.5-8",
  cross: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  clock: "M8 14.2A6.2 6.2 0 108 1.8a6.2 6.2 0 000 12.4zM8 4.5V8l2.3 1.6",
  warning: "M8 2L1.5 13.5h13zM8 6.3v3.4M8 11.6v.2",
  info: "M8 14.2A6.2 6.2 0 108 1.8a6.2 6.2 0 000 12.4zM8 7.2v4M8 4.8v.2",
  person: "M8 8a3 3 0 100-6 3 3 0 000 6zM2.5 14c.4-2.8 2.6-4.3 5.5-4.3s5.1 1.5 5.5 4.3",
  model: "M4.5 4.5h7v7h-7zM6.5 1.8v2.7M9.5 1.8v2.7M6.5 11.5v2.7M9.5 11.5v2.7M1.8 6.5h2.7M1.8 9.5h2.7M11.5 6.5h2.7M11.5 9.5h2.7",
  auto: "M8 14.2A6.2 6.2 0 108 1.8a6.2 6.2 0 000 12.4zM8 1.8v12.4M8 4.5h4.9M8 7.5h6M8 10.5h5.3",
  light: "M8 11a3 3 0 100-6 3 3 0 000 6zM8 1.2v1.4M8 13.4v1.4M1.2 8h1.4M13.4 8h1.4M3.2 3.2l1 1M11.8 11.8l1 1M12.8 3.2l-1 1M4.2 11.8l-1 1",
  dark: "M13.5 9.6A5.8 5.8 0 016.4 2.5a5.8 5.8 0 107.1 7.1z",
  bell: "M8 2a4 4 0 00-4 4v2.6L2.6 11h10.8L12 8.6V6a4 4 0 00-4-4zM6.6 13.3a1.5 1.5 0 002.8 0",
  search: "M7 12A5 5 0 107 2a5 5 0 000 10zM10.7 10.7L14 14",
  keyboard: "M1.8 4h12.4v8H1.8zM4.3 6.5h.01M6.8 6.5h.01M9.2 6.5h.01M11.7 6.5h.01M5 9.5h6",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  download: "M8 2v8M4.8 7L8 10.2 11.2 7M2.5 13.5h11",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  out: "M6.5 2.5H3v11h3.5M6.5 8H14M11 5l3 3-3 3",
  logo: "M2 11.5l3.5-4 2.8 2.6L14 3.5M10.2 3.5H14v3.8",
});

/** Hidden from screen readers: the word beside it says the same. @param {{name: string, size?: number}} props */
export function Icon({ name, size = 16 }) {
  return html`<svg class="icon" viewBox="0 0 16 16" width=${size} height=${size} fill="none" stroke="currentColor" stroke-width="1.5"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
    <path d=${LINES[name] ?? LINES.info} />
  </svg>`;
}
