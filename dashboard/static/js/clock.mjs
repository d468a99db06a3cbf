// The server's clock as the page knows it, and one tick a second for everything that shows an age.

import { computed, signal } from "@preact/signals";

let offset = 0;

/** Milliseconds by which the server's clock is ahead of this browser's, as the last snapshot told. */
export const clockOffset = signal(0);

/** Milliseconds since 1970 by the server's clock. */
export const serverNow = () => Date.now() + offset;

/** Changes once a second; reading it makes a component tell its age anew. */
export const second = signal(serverNow());

/** Changes every ten seconds, for what needs no second. */
export const tenSeconds = computed(() => Math.floor(second.value / 10_000) * 10_000);

/** @param {string} serverTime ISO time at which the server made its snapshot */
export function setServerTime(serverTime) {
  const at = Date.parse(serverTime);
  if (Number.isNaN(at)) return;
  offset = at - Date.now();
  clockOffset.value = offset;
  second.value = serverNow();
}

export function startClock() {
  setInterval(() => {
    second.value = serverNow();
  }, 1_000);
}

/** Whole seconds since `at`, never negative; null without a time. @param {string | null | undefined} at */
export function ageSeconds(at, now = second.value) {
  const then = at ? Date.parse(at) : Number.NaN;
  return Number.isNaN(then) ? null : Math.max(0, Math.floor((now - then) / 1_000));
}
