// What whoever looks may do, and how a button that changes something looks to whom it is refused. The server decides; this only says it
// beforehand.

import { signal } from "@preact/signals";
import { get } from "./api.mjs";
import { boot } from "./boot.mjs";
import { online } from "./socket.mjs";

/** @typedef {"read" | "trade" | "halt" | "manage"} Scope */

const scopes = signal(boot.scopes);

/** Whoever may trade may halt. @param {Scope} scope */
export const may = (scope) =>
  !scopes.value.length || scopes.value.includes(scope) || (scope === "halt" && scopes.value.includes("trade"));

/** In words, for a sentence that begins with a name. */
export function ability() {
  if (may("manage")) return "may do everything";
  if (may("trade")) return "may trade and halt";
  return may("halt") ? "may look and halt, and change nothing else" : "may look, and change nothing";
}

/** Where the page says why (see `Banners` in components/app.mjs). */
export const WHY_NOT = "may-not";

/**
 * Attributes of a button that changes something: whoever may not press it is told so on it, and nobody presses it while the page shows
 * the past.
 * @param {{scope?: Scope, disabled?: boolean}} [more]
 */
export function changing({ scope = "trade", disabled = false } = {}) {
  if (may(scope)) return { disabled: disabled || !online.value };
  return { disabled: true, title: `Not for you: ${boot.user ?? "you"} ${ability()}`, "aria-describedby": WHY_NOT };
}

/** Another role counts at once, and ends the connection: what one may is read anew after each. */
export async function readScopes() {
  const told = await get("session").catch(() => null);
  if (told?.user && Array.isArray(told.scopes)) scopes.value = told.scopes;
}
