// What this browser remembers of how its user likes to look at things. Nothing of the account is kept here.

import { effect, signal } from "@preact/signals";

const PREFIX = "tradermagic.";

/** A signal that outlives the page where the browser allows it. @template T @param {string} name @param {T} initial */
export function preference(name, initial) {
  const value = signal(read(name, initial));
  effect(() => {
    const text = JSON.stringify(value.value);
    try {
      localStorage.setItem(PREFIX + name, text);
    } catch {
      // Private windows and full stores: the choice lasts as long as the page.
    }
  });
  return value;
}

/** @template T @param {string} name @param {T} initial @returns {T} */
function read(name, initial) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? initial : JSON.parse(text);
  } catch {
    return initial;
  }
}
