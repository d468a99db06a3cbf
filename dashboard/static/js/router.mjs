// Addresses without a hash: `/`, `/symbol/BTC/USD`, `/portfolio`. The first part names the page; the rest is its own.

import { signal } from "@preact/signals";
import { boot } from "./boot.mjs";

/** @typedef {{name: string, rest: string, query: URLSearchParams}} Route */

/** A malformed escape stands for itself. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} path @param {string} search @returns {Route} */
export function parse(path, search, navigation = boot.navigation) {
  const [first, ...more] = path.split("/").filter(Boolean);
  const found = navigation.find(({ href }) => (href.split("/").filter(Boolean)[0] ?? "") === (first ?? ""));
  return { name: found?.name ?? first ?? "overview", rest: more.map(decoded).join("/"), query: new URLSearchParams(search) };
}

export const route = signal(parse(globalThis.location?.pathname ?? "/", globalThis.location?.search ?? ""));

/** @param {string} href @param {{replace?: boolean}} [how] */
export function go(href, { replace = false } = {}) {
  const target = new URL(href, location.href);
  if (replace) history.replaceState(null, "", target);
  else if (target.href !== location.href) history.pushState(null, "", target);
  const before = route.peek();
  route.value = parse(target.pathname, target.search);
  if (before.name !== route.peek().name || before.rest !== route.peek().rest) window.scrollTo(0, 0);
}

/** @param {string} symbol */
export const symbolPath = (symbol) => `/symbol/${symbol.split("/").map(encodeURIComponent).join("/")}`;

/** A plain click on one of our links changes the page without a new document. @param {MouseEvent} event */
function onClick(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = /** @type {Element} */ (event.target).closest?.("a[href]");
  if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname.startsWith("/api/") || link.pathname.startsWith("/static/") || link.pathname === "/logout" || link.hash) return;
  event.preventDefault();
  go(link.href);
}

export function startRouter() {
  document.addEventListener("click", onClick);
  window.addEventListener("popstate", () => {
    route.value = parse(location.pathname, location.search);
  });
}
