// Light, dark or as the machine says; the server reads the same cookie, so a page never flashes the wrong one.

import { signal } from "@preact/signals";
import { boot } from "./boot.mjs";

/** @typedef {"auto" | "light" | "dark"} Theme */
export const theme = signal(/** @type {Theme} */ (boot.theme));

/** Grows whenever colours have changed: canvases read them anew. */
export const colours = signal(0);

const NEXT = /** @type {Record<Theme, Theme>} */ ({ auto: "light", light: "dark", dark: "auto" });

/** @param {Theme} chosen */
export function setTheme(chosen) {
  theme.value = chosen;
  document.documentElement.dataset.theme = chosen;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `theme=${chosen}; path=/; max-age=31536000; samesite=strict${secure}`;
  colours.value += 1;
}

export const nextTheme = () => setTheme(NEXT[theme.peek()]);

export function watchTheme() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours.value += 1;
  });
}

/** A token as a canvas needs it, `rgb(…)`. @param {string} token such as `--up` */
export function colour(token) {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
