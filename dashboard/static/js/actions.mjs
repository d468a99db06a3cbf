// Everything that can be found by typing: pages, symbols, and what can be done. What changes an account asks first, as its button does.

import { alerts, markRead } from "./alerts.mjs";
import { boot } from "./boot.mjs";
import { question } from "./components/symbol_actions.mjs";
import { askFor } from "./controls.mjs";
import { setLook } from "./look.mjs";
import { may } from "./may.mjs";
import { overlay } from "./overlays.mjs";
import { go, symbolPath } from "./router.mjs";
import { online } from "./socket.mjs";
import { held } from "./standing.mjs";
import { all, halt, latest, pauseOf, system } from "./store.mjs";
import { setTheme } from "./theme.mjs";
import { zoneChoice } from "./zone.mjs";

/**
 * `words` are found too, `note` stands beside.
 * @typedef {{name: string, icon: string, note: string, words: string, act: () => void}} Action
 */

/** @param {string} name @param {string} icon @param {() => void} act @returns {Action} */
const action = (name, icon, act, note = "", words = "") => ({ name, icon, note, words, act });

/** @param {any} what @param {string} symbol */
const ask = (what, symbol) => () => {
  question.value = { what, symbol };
};

/** @returns {Action[]} */
function pages() {
  return boot.navigation.map((item) => {
    const [first] = system.value.symbols;
    const href = item.name === "symbol" && first ? symbolPath(first) : item.href;
    return action(item.title, item.name, () => go(href), item.key ? `g ${item.key}` : "page", "page go");
  });
}

/** @param {string} symbol @returns {Action[]} */
function ofSymbol(symbol) {
  const found = [action(symbol, "symbol", () => go(symbolPath(symbol)), "symbol", "symbol chart go")];
  if (!online.value || !may("trade")) return found;
  if (pauseOf(symbol)) found.push(action(`End the pause of ${symbol}…`, "play", ask("unpause", symbol), "asks first", "resume unpause"));
  else found.push(action(`Pause ${symbol}…`, "pause", ask("pause", symbol), "asks first"));
  if (held(latest("position", symbol).value)) {
    found.push(action(`Close ${symbol}…`, "close", ask("close", symbol), "asks first", "sell flat position"));
  }
  return found;
}

/** What only restricts is done at once; nothing here turns trading on. @returns {Action[]} */
function trading() {
  const asked = latest("trading").value;
  const found = [];
  if (may("halt")) found.push(action("Halt all trading…", "halt", () => (overlay.value = "halt"), "Ctrl Shift H", "stop kill emergency"));
  if (!online.value || !may("trade")) return found;
  if (asked?.state === "on") found.push(action("Turn trading off", "off", () => askFor({ state: "off" }), "at once", "stop switch"));
  if (asked?.state === "on" && !asked.reduce_only && !halt.value) {
    found.push(action("Reduce only", "reduce", () => askFor({ state: "on", reduce_only: true }), "at once", "exits entries"));
  }
  if (all("position").some(held)) {
    found.push(action("Liquidate all positions…", "close", ask("liquidate", ""), "asks first", "sell flatten everything close"));
  }
  return found;
}

/** @returns {Action[]} */
function page() {
  const found = [
    action("Keys", "keyboard", () => (overlay.value = "keys"), "?", "shortcuts keyboard help"),
    action("Theme: light", "light", () => setTheme("light"), "", "appearance colour"),
    action("Theme: dark", "dark", () => setTheme("dark"), "", "appearance colour"),
    action("Theme: as the system", "auto", () => setTheme("auto"), "", "appearance colour auto"),
    action("Colours: green and red", "settings", () => setLook("palette", "standard"), "", "palette appearance"),
    action("Colours: blue and orange", "settings", () => setLook("palette", "blind"), "", "palette appearance colour-blind"),
    action("Density: compact", "settings", () => setLook("density", "compact"), "", "appearance"),
    action("Density: comfortable", "settings", () => setLook("density", "comfortable"), "", "appearance"),
    action("Times: yours", "clock", () => (zoneChoice.value = "local"), "", "zone local"),
    action("Times: the exchange's", "clock", () => (zoneChoice.value = "exchange"), "", "zone new york"),
    action("Times: UTC", "clock", () => (zoneChoice.value = "utc"), "", "zone"),
  ];
  if (alerts.value.length) found.push(action("Mark all alerts as read", "bell", () => markRead(), "", "bell"));
  return found;
}

/** In the order in which they are shown while nothing is typed. */
export const actions = () => [...pages(), ...system.value.symbols.flatMap(ofSymbol), ...trading(), ...page()];

/**
 * Those in which every word that was typed is found, best first: at the name's start, at a word's start, anywhere.
 * @template {{name: string, words: string, note: string}} T
 * @param {T[]} list @param {string} typed
 */
export function matching(list, typed) {
  const parts = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (!parts.length) return list;
  const scored = list.map((one, place) => ({ one, place, rank: rankOf(one, parts) })).filter(({ rank }) => rank >= 0);
  return scored.sort((a, b) => a.rank - b.rank || a.place - b.place).map(({ one }) => one);
}

/** The less the better, -1 where a word is missing. @param {{name: string, words: string}} one @param {string[]} parts */
function rankOf({ name, words }, parts) {
  const title = name.toLowerCase();
  let rank = 0;
  for (const part of parts) {
    const at = title.indexOf(part);
    if (at === 0) continue;
    if (at > 0) rank += /[a-z0-9]/.test(title[at - 1]) ? 3 : 1;
    else if (words.includes(part)) rank += 5;
    else return -1;
  }
  return rank;
}
