// A change to users or tokens: asks for the password where the server wants it once more, and shows once what is shown once.

import { signal } from "@preact/signals";
import { get, post, Refused } from "#app/api.mjs";

/**
 * What the server knows, null until it has said so; `fault` where it could not be asked.
 * @type {import("@preact/signals").Signal<null | {users: any[], tokens: any[], password: boolean, totp: boolean}>}
 */
export const known = signal(/** @type {any} */ (null));
export const fault = signal("");

/** A change that waits for a password. @type {import("@preact/signals").Signal<null | {path: string, body: any, fault: string}>} */
export const waiting = signal(/** @type {any} */ (null));

/** What was made and is shown only now. @type {import("@preact/signals").Signal<null | {name: string, token?: string, password?: string,
 *   totp_secret?: string}>} */
export const made = signal(/** @type {any} */ (null));

export async function load() {
  try {
    known.value = await get("accounts");
    fault.value = "";
  } catch (error) {
    fault.value = /** @type {Error} */ (error).message;
  }
}

/** Empty when it was done or waits for a password, else why not. @param {string} path @param {any} body */
export async function attempt(path, body) {
  try {
    const answer = await post(path, body);
    waiting.value = null;
    if (answer.token || answer.password) made.value = answer;
    await load();
    return "";
  } catch (error) {
    const { message, code = "" } = /** @type {any} */ (error);
    if (!(error instanceof Refused && code === "password")) {
      waiting.value = null;
      return message;
    }
    waiting.value = { path, body, fault: body.password ? message : "" };
    return "";
  }
}
