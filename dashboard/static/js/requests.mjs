// What a person has asked for and not yet seen happen. A request stays "waiting" until the fact that proves it has come back; after three
// seconds it says so. It is never shown as done because a button was pressed.

import { effect, signal } from "@preact/signals";
import { post, Refused, ulid, Unreachable } from "./api.mjs";
import { serverNow } from "./clock.mjs";
import { onFact } from "./store.mjs";

/**
 * `sending`: on its way to the server. `waiting`: accepted, no proof yet. `done`, `refused` and `lost` are ends; `lost` means nobody knows.
 * @typedef {{key: string, kind: string, label: string, state: "sending" | "waiting" | "done" | "refused" | "lost", since: number,
 *   detail: string, missing: Record<string, string>}} Request
 */

export const CONFIRM_SECONDS = 3;
const SHOWN_MS = 4_000;

/** @type {import("@preact/signals").Signal<Request[]>} */
export const requests = signal([]);

/** The running request of a kind, if any. @param {string} kind */
export const running = (kind) => requests.value.find((one) => one.kind === kind && (one.state === "sending" || one.state === "waiting"));

/** @param {string} key @param {Partial<Request>} change */
function update(key, change) {
  requests.value = requests.value.map((one) => (one.key === key ? { ...one, ...change } : one));
  if (change.state === "done") setTimeout(() => dismiss(key), SHOWN_MS);
}

/** @param {string} key */
export function dismiss(key) {
  requests.value = requests.value.filter((one) => one.key !== key);
}

/**
 * Posts a change and follows it. `proven` reads facts and says whether it has happened; without it the command's result decides.
 * Resolves to the request's state once the server has answered.
 * @param {{kind: string, label: string, path: string, body: object, proven?: (answer: any) => boolean,
 *   patience?: number, key?: string}} wish
 */
export async function request({ kind, label, path, body, proven, patience, key = ulid() }) {
  const entry = /** @type {Request} */ ({ key, kind, label, state: "sending", since: serverNow(), detail: "", missing: {} });
  requests.value = [...requests.value.filter((one) => one.kind !== kind || one.state === "sending" || one.state === "waiting"), entry];
  const results = proven ? null : followResults(key);
  try {
    const answer = await post(path, body, { key, patience });
    update(key, { state: "waiting", since: serverNow() });
    if (proven) awaitProof(key, () => proven(answer));
    else results?.accept(answer?.id ?? key);
    return "waiting";
  } catch (error) {
    results?.stop();
    if (error instanceof Refused) update(key, { state: "refused", detail: error.message, missing: error.missing });
    else if (error instanceof Unreachable) update(key, { state: "lost", detail: error.message });
    else throw error;
    return error instanceof Refused ? "refused" : "lost";
  }
}

/** @param {string} key @param {() => boolean} happened */
function awaitProof(key, happened) {
  const stop = effect(() => {
    if (!happened()) return;
    queueMicrotask(() => {
      stop();
      update(key, { state: "done" });
    });
  });
}

/** A result may come before the server's own answer does. @param {string} key */
function followResults(key) {
  /** @type {any[]} */
  const early = [];
  let id = "";
  /** @param {any} result */
  const take = (result) => {
    if (result.command_id !== id) return;
    if (result.final) stop();
    update(key, { state: result.final ? (result.ok ? "done" : "refused") : "waiting", detail: result.detail ?? "" });
  };
  const stop = onFact((topic, fact) => {
    if (topic !== "command_result") return;
    if (id) take(fact);
    else early.push(fact);
  });
  return {
    stop,
    /** @param {string} commandId */
    accept(commandId) {
      id = commandId;
      early.forEach(take);
    },
  };
}
