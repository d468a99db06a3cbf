// What the server wrote into the shell page.

/** @returns {import("./facts.d.ts").Boot} */
function read() {
  const element = globalThis.document?.getElementById("boot");
  const given = element?.textContent ? JSON.parse(element.textContent) : {};
  return { csrf_token: "", theme: "auto", page: "", user: null, login_required: false, scopes: [], navigation: [], ...given };
}

export const boot = read();
