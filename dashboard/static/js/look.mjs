// Colours of gains and losses, and how close things stand; like the theme, in a cookie that the server reads before it draws.

import { signal } from "@preact/signals";
import { colours } from "./theme.mjs";

/** The first of each is the default. */
export const LOOKS = /** @type {Record<"palette" | "up" | "density", string[]>} */ ({
  palette: ["standard", "blind"],
  up: ["green", "red"],
  density: ["comfortable", "compact"],
});
const YEAR = 31_536_000;

/** @param {string} cookie `blind.red.compact` in any order @returns {Record<string, string>} */
export function lookOf(cookie) {
  const chosen = cookie.split(".");
  return Object.fromEntries(Object.entries(LOOKS).map(([name, values]) => [name, values.find((one) => chosen.includes(one)) ?? values[0]]));
}

const written = () => /(?:^|; )look=([a-z.]*)/.exec(globalThis.document?.cookie ?? "")?.[1] ?? "";

/** What is chosen, by `palette`, `up` and `density`. */
export const look = signal(lookOf(written()));

function show() {
  for (const [name, value] of Object.entries(look.peek())) document.documentElement.dataset[name] = value;
}

/** @param {keyof typeof LOOKS} name @param {string} value */
export function setLook(name, value) {
  look.value = { ...look.peek(), [name]: value };
  show();
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `look=${Object.values(look.peek()).join(".")}; path=/; max-age=${YEAR}; samesite=strict${secure}`;
  colours.value += 1;
}

/** A server that knows no look leaves it to us. */
export const startLook = show;
