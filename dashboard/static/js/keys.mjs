// Keys: `g` and a letter goes to a page, `?` opens help, `[` and `]` go from symbol to symbol. None of them can start trading.

import { boot } from "./boot.mjs";
import { preference } from "./preferences.mjs";
import { go, route, symbolPath } from "./router.mjs";
import { system } from "./store.mjs";

const CHORD_MS = 1_500;

/** Single keys can be switched off: speech input and screen readers use them too. */
export const keysOn = preference("keys", true);

let since = 0;

/** @param {KeyboardEvent} event */
const typing = (event) => /** @type {Element} */ (event.target).closest?.("input, textarea, select, dialog, [contenteditable]") !== null;

/** @param {number} step */
function neighbour(step) {
  const { symbols } = system.peek();
  const at = symbols.indexOf(route.peek().rest);
  if (route.peek().name === "symbol" && at >= 0) go(symbolPath(symbols[(at + step + symbols.length) % symbols.length]));
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (!keysOn.peek() || event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
  const chord = Date.now() - since < CHORD_MS;
  since = 0;
  if (chord) {
    const item = boot.navigation.find(({ key }) => key === event.key);
    if (!item) return;
    event.preventDefault();
    go(item.name === "symbol" ? symbolPath(system.peek().symbols[0] ?? "") : item.href);
  } else if (event.key === "g") since = Date.now();
  else if (event.key === "?") go("/help");
  else if (event.key === "[") neighbour(-1);
  else if (event.key === "]") neighbour(1);
}

export const startKeys = () => document.addEventListener("keydown", onKey);
