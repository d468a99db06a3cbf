// What lies over the page: one thing at a time.

import { signal } from "@preact/signals";

/** @typedef {"" | "palette" | "keys" | "halt" | "more"} Overlay */
export const overlay = signal(/** @type {Overlay} */ (""));

/** A dialog tells of its end when the next may be open already. @param {Overlay} which */
export const closing = (which) => () => {
  if (overlay.peek() === which) overlay.value = "";
};
