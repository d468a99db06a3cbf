import assert from "node:assert/strict";
import { test } from "node:test";

const written = JSON.stringify({ user: "clara", login_required: true, scopes: ["halt", "read", "trade"] });
globalThis.document = /** @type {any} */ ({ hidden: false, getElementById: () => ({ textContent: written }) });
globalThis.location = /** @type {any} */ (new URL("http://127.0.0.1/"));
const { ability, changing, may, readScopes, WHY_NOT } = await import("#app/may.mjs");
const { connection } = await import("#app/socket.mjs");

/** @param {any} body */
const answers = (body, ok = true) => {
  globalThis.fetch = /** @type {any} */ (async () => ({ ok, status: ok ? 200 : 500, json: async () => body }));
};
const becomes = async (/** @type {string[]} */ scopes) => {
  answers({ user: "clara", scopes });
  await readScopes();
};

test("whoever may trade presses what changes something while the page shows the present", () => {
  assert.deepEqual(changing(), { disabled: true });
  connection.value = { state: "open", since: 0 };
  assert.deepEqual(changing(), { disabled: false });
  assert.deepEqual(changing({ disabled: true }), { disabled: true });
});

test("whoever may not is told so on the button, connected or not", async () => {
  await becomes(["read"]);
  const told = { disabled: true, title: "Not for you: clara may look, and change nothing", "aria-describedby": WHY_NOT };
  assert.deepEqual(changing(), told);
  assert.deepEqual(changing({ scope: "halt" }), told);
  connection.value = { state: "closed", since: 0 };
  assert.deepEqual(changing(), told);
  connection.value = { state: "open", since: 0 };
});

test("another role counts as soon as it is read, an answer that says nothing changes nothing", async () => {
  const words = [];
  for (const scopes of [["read"], ["halt", "read"], ["read", "trade"], ["halt", "manage", "read", "trade"]]) {
    await becomes(scopes);
    words.push([may("trade"), may("halt"), may("manage"), ability()]);
  }
  assert.deepEqual(words, [
    [false, false, false, "may look, and change nothing"],
    [false, true, false, "may look and halt, and change nothing else"],
    [true, true, false, "may trade and halt"],
    [true, true, true, "may do everything"],
  ]);
  answers({ user: null, scopes: [] });
  await readScopes();
  answers(null, false);
  await readScopes();
  assert.equal(may("manage"), true);
});
