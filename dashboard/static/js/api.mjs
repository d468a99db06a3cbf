// Requests to the server. A change carries a key made here, so that the same click can never count twice, and gives up after a few
// seconds: nothing is kept to be sent later.

import { boot } from "./boot.mjs";
import { serverNow } from "./clock.mjs";
import { connection } from "./socket.mjs";

const PATIENCE_MS = 8_000;

/** The server was not reached, or did not answer in time. */
export class Unreachable extends Error {}

/** The server answered, and said no. `missing` holds what must be true first: code to sentence. */
export class Refused extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(sentence(status, body));
    this.status = status;
    this.code = String(body?.code ?? "");
    /** @type {Record<string, string>} */
    this.missing = body?.missing ?? {};
    /** How long to wait before asking again, where the server says so. */
    this.seconds = Number(body?.seconds ?? 0);
  }
}

/** @param {number} status @param {any} body @returns {string} */
function sentence(status, body) {
  const said = body?.message ?? body?.detail ?? body?.error ?? body?.description;
  if (typeof said === "string" && said) return said;
  if (status === 401) return "Your login has ended. Log in again.";
  if (status === 403) return "Not allowed: reload the page and try again.";
  if (status === 409) return "Somebody else changed this first. Look at what it is now, then try again.";
  if (status === 412) return "Something must be true first.";
  if (status === 429) return "Too many requests. Wait a moment.";
  return `The server answered ${status}.`;
}

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A ULID: 48 bits of time, 80 of chance. Works on plain HTTP too, where `crypto.randomUUID` is missing. */
export function ulid(now = Date.now()) {
  let stamp = "";
  for (let rest = now, place = 0; place < 10; place += 1, rest = Math.floor(rest / 32)) stamp = CROCKFORD[rest % 32] + stamp;
  return stamp + Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => CROCKFORD[byte % 32]).join("");
}

/** @param {string} path @param {RequestInit} options @param {number} patience */
async function ask(path, options, patience) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", signal: AbortSignal.timeout(patience), ...options });
  } catch (error) {
    throw new Unreachable(
      /** @type {Error} */ (error).name === "TimeoutError" ? "The server did not answer in time." : "The server was not reached.",
    );
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

/** @param {string} path under /api/v1 @param {Record<string, string | number | undefined>} [query] */
export function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return ask(`/api/v1/${path}${text ? `?${text}` : ""}`, { headers: { accept: "application/json" } }, PATIENCE_MS);
}

/**
 * Whoever presses something sees the past while the connection is away: nothing is sent then, so nothing of it can arrive late. HALT alone
 * is always tried.
 * @param {string} path under /api/v1 @param {object} body
 */
export async function post(path, body, { key = ulid(), patience = PATIENCE_MS } = {}) {
  if (path !== "halt" && connection.peek().state === "closed") {
    throw new Refused(0, { code: "disconnected", message: "Not sent: the page is disconnected." });
  }
  try {
    return await send(path, body, key, patience);
  } catch (error) {
    // A server that was started anew knows another token; nothing was done, and the key stays the same.
    if (!(error instanceof Refused && error.code === "csrf")) throw error;
    boot.csrf_token = (await get("session")).csrf_token;
    return send(path, body, key, patience);
  }
}

/** @param {string} path @param {object} body @param {string} key @param {number} patience */
function send(path, body, key, patience) {
  const headers = {
    accept: "application/json",
    "content-type": "application/json",
    "idempotency-key": key,
    "x-csrf-token": boot.csrf_token,
    // A request that was held up somewhere does nothing when it comes after all.
    "x-not-after": new Date(serverNow() + patience).toISOString(),
  };
  return ask(`/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) }, patience);
}
