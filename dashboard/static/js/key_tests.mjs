// Keys tested by the processes that hold them: what is asked is a command, what comes back a word. No key passes through here.

import { signal } from "@preact/signals";
import { post } from "./api.mjs";
import { serverNow } from "./clock.mjs";
import { onFact } from "./store.mjs";

const PATIENCE_MS = 30_000;
/** Who holds keys of vendors. */
export const TESTERS = ["execution", "market_data"];

/**
 * By process: `asked` until it answers, `silent` when it does not in time. `parts` are its vendors: word and clock's distance.
 * @typedef {{state: "asked" | "good" | "bad" | "silent", detail: string, at: number,
 *   parts: [string, {ok: boolean, detail: string, skew_seconds?: number | null}][]}} Test
 */
export const tests = signal(/** @type {Record<string, Test>} */ ({}));

/** @param {Test["state"]} state @param {string} detail @returns {Test} */
const test = (state, detail, parts = /** @type {Test["parts"]} */ ([])) => ({ state, detail, parts, at: serverNow() });

/** @param {string} process @param {Test} one */
function set(process, one) {
  tests.value = { ...tests.peek(), [process]: one };
}

/** @param {any} data of the answer, by vendor */
const parts = (data) =>
  /** @type {Test["parts"]} */ (Object.entries(data ?? {}).filter(([, one]) => typeof one === "object" && one && "ok" in one));

export async function testKeys() {
  let id = "";
  /** @type {any[]} */
  const early = [];
  const take = (/** @type {any} */ result) => {
    if (result.command_id === id && result.final)
      set(result.service, test(result.ok ? "good" : "bad", result.detail || (result.ok ? "works" : "does not work"), parts(result.data)));
  };
  const stop = onFact((topic, fact) => {
    if (topic === "command_result") id ? take(fact) : early.push(fact);
  });
  for (const process of TESTERS) set(process, test("asked", "asking…"));
  const end = (/** @type {string} */ why) => {
    stop();
    for (const process of TESTERS) if (tests.peek()[process]?.state === "asked") set(process, test("silent", why));
  };
  try {
    id = (await post("commands", { command: "test_keys", arguments: {} })).id;
    early.forEach(take);
    setTimeout(end, PATIENCE_MS, "did not answer within 30 seconds");
  } catch (error) {
    end(/** @type {Error} */ (error).message);
  }
}
