// Keys: `g` and a letter goes to a page, `[` and `]` from symbol to symbol, `j` and `k` from row to row; Ctrl K finds, `?` lists them all.
// None of them can start trading.

import { boot } from "./boot.mjs";
import { overlay } from "./overlays.mjs";
import { preference } from "./preferences.mjs";
import { go, route, symbolPath } from "./router.mjs";
import { system } from "./store.mjs";

const CHORD_MS = 1_500;
/** A button with `data-key` is pressed by its key: exports, a chart's intervals; nothing that changes an account. */
const PRESSES = new Set(["e", "1", "5", "h", "4", "d"]);
const ROWS = "main tbody tr, main article.card, main .feed-line, main [data-row]";
const FOCUSABLE = "a[href], button:not(:disabled), summary, input:not(:disabled)";

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

/** To the first thing in the next row that can have the focus. @param {number} step */
function walk(step) {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(ROWS)]);
  const rows = all.filter((row) => row.offsetParent && row.querySelector(FOCUSABLE));
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, here + step));
  const target = /** @type {HTMLElement | null | undefined} */ (rows[next]?.querySelector(FOCUSABLE));
  target?.focus();
  rows[next]?.scrollIntoView({ block: "nearest" });
}

/** @param {string} key */
function press(key) {
  const found = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(`main [data-key="${key}"]`)]);
  found.find((one) => one.offsetParent)?.click();
}

/** @type {Record<string, () => void>} */
const SINGLE = {
  "?": () => (overlay.value = "keys"),
  "/": () => (overlay.value = "palette"),
  "[": () => neighbour(-1),
  "]": () => neighbour(1),
  j: () => walk(1),
  k: () => walk(-1),
};

/** With Ctrl or Cmd: these stay when single keys are off. @param {KeyboardEvent} event */
function held(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return false;
  const key = event.key.toLowerCase();
  const wanted = key === "k" && !event.shiftKey ? "palette" : key === "h" && event.shiftKey ? "halt" : "";
  if (!wanted) return false;
  event.preventDefault();
  // A dialog that asks something is answered first.
  if (overlay.peek() || !document.querySelector("dialog[open]")) overlay.value = wanted;
  return true;
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (held(event)) return;
  if (!keysOn.peek() || event.ctrlKey || event.metaKey || event.altKey || typing(event) || overlay.peek()) return;
  const chord = Date.now() - since < CHORD_MS;
  since = 0;
  if (chord) {
    const item = boot.navigation.find(({ key }) => key === event.key);
    if (!item) return;
    event.preventDefault();
    go(item.name === "symbol" ? symbolPath(system.peek().symbols[0] ?? "") : item.href);
  } else if (event.key === "g") since = Date.now();
  else if (SINGLE[event.key]) {
    event.preventDefault();
    SINGLE[event.key]();
  } else if (PRESSES.has(event.key)) press(event.key);
}

export const startKeys = () => document.addEventListener("keydown", onKey);
