// The frame of every page: header, navigation, banners, the page itself, and what was asked for.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { assertive, polite } from "../announce.mjs";
import { boot } from "../boot.mjs";
import { duration } from "../format.mjs";
import { html } from "../html.mjs";
import { route } from "../router.mjs";
import { ability, may, WHY_NOT } from "../may.mjs";
import { zoneWord } from "../zone.mjs";
import { bus, connection, offlineSeconds } from "../socket.mjs";
import { system } from "../store.mjs";
import { Empty } from "./figures.mjs";
import { COMMAND, HaltFailed } from "./halt.mjs";
import { Header } from "./header.mjs";
import { Icon } from "./icon.mjs";
import { Overlays } from "./overlays.mjs";
import { Navigation } from "./navigation.mjs";
import { RequestsList } from "./requests_list.mjs";
import { mode, view } from "./state_pill.mjs";
import { Questions } from "./symbol_actions.mjs";
import { WhyDialog } from "./why.mjs";

/**
 * The page's module by name; null while it loads, an Error where it could not.
 * @type {import("@preact/signals").Signal<Record<string, any>>}
 */
const pages = signal({});

/** Begun at most once a page. @type {Set<string>} */
const begun = new Set();
const RETRY_MOST_MS = 10_000;

/**
 * Tries until the server has given it: it may be restarting. A browser may remember a failed address, so each try has its own.
 * @param {string} name
 */
async function load(name, tries = 0) {
  if (tries === 0 && begun.has(name)) return;
  begun.add(name);
  const found = await import(`/static/pages/${name}/view.mjs${tries ? `?try=${tries}` : ""}`).catch((error) => error);
  pages.value = { ...pages.peek(), [name]: found };
  if (found instanceof Error) setTimeout(load, Math.min(1_000 * 2 ** tries, RETRY_MOST_MS), name, tries + 1);
}

/** @param {string} name */
const known = (name) => boot.navigation.some((item) => item.name === name);

function Page() {
  const { name, rest, query } = route.value;
  useEffect(() => {
    if (known(name)) load(name);
  }, [name]);
  useTitle(boot.navigation.find((item) => item.name === name)?.title ?? "Not found");
  if (!known(name)) return html`<${Empty} title="There is no such page"><a href="/">Go to the overview</a><//>`;
  const module = pages.value[name];
  if (!module) return null;
  if (module instanceof Error)
    return html`<${Empty} title="This page could not be loaded">${module.message} <a href=${location.href} target="_self">Reload</a><//>`;
  return html`<${module.default} rest=${rest} query=${query} key=${`${name} ${rest}`} />`;
}

/** State and page in the tab's title; LIVE first when it is real money. @param {string} title */
function useTitle(title) {
  const { rest, name } = route.value;
  const money = mode.value.name === "live" && system.value.ready ? "LIVE · " : "";
  const state = system.value.ready ? `${view.value.word} · ` : "";
  const text = `${money}${state}${name === "symbol" && rest ? rest : title} · TraderMagic`;
  useEffect(() => {
    document.title = text;
  }, [text]);
}

function Banners() {
  const { state } = connection.value;
  return html`
    ${state === "closed" && html`<div class="banner banner-bad" data-testid="offline">
      <${Icon} name="warning" />
      <span>
        <strong>Disconnected for ${duration(offlineSeconds.value)}.</strong> What you see is the past. Nothing can be changed from here
        until it is back, and nothing you press now happens later. HALT still tries; else type <code>${COMMAND}</code>.
      </span>
    </div>`}
    ${state === "refused" && html`<div class="banner banner-bad">
      <${Icon} name="warning" />
      <span><strong>Your login has ended.</strong> <a href="/login" target="_self">Log in again</a></span>
    </div>`}
    ${state === "open" && !bus.value.reachable && html`<div class="banner banner-warn">
      <${Icon} name="warning" />
      <span>
        <strong>Redis does not answer.</strong> The processes cannot reach each other; what you see is the past.
        ${bus.value.detail} HALT still tries; else type <code>${COMMAND}</code>.
      </span>
    </div>`}
    ${!may("trade") && html`<div class="banner banner-quiet" id=${WHY_NOT}>
      <${Icon} name="person" />
      <span>
        <strong>${boot.user} ${ability()}.</strong> Buttons that change something are not for you.
        ${!may("halt") && html`To halt, ask an operator, or type <code>${COMMAND}</code> on the machine.`}
      </span>
    </div>`}
    ${system.value.ready && system.value.simulated && html`<div class="banner banner-sandbox">
      <${Icon} name="sandbox" />
      <span><strong>Simulated market and broker.</strong> Real history replayed as if it were now: no real prices, no real money.</span>
    </div>`}
  `;
}

/** Symbols, buttons and words are the same for everybody; only screen readers hear this. */
function Announcements() {
  return html`<div class="sr-only" aria-live="polite">${polite}</div><div class="sr-only" role="alert">${assertive}</div>`;
}

export function App() {
  const stale = connection.value.state !== "open" || !bus.value.reachable;
  const { name } = route.value;
  const there = Boolean(pages.value[name]) || !known(name);
  return html`
    <a class="skip" href="#main">Skip to the page</a>
    <${Header} />
    <${Navigation} />
    <main id="main" tabindex="-1" data-stale=${system.value.ready && stale ? "true" : "false"}
      data-ready=${system.value.ready && there ? "true" : "false"}>
      <${Banners} />
      <${Page} />
      <footer class="footer">
        <span>TraderMagic is software, not advice. Trading can lose money.</span>
        <span>Times: ${zoneWord}</span>
        <span>Charts by <a href="https://www.tradingview.com/" target="_blank" rel="noopener noreferrer">TradingView</a></span>
      </footer>
    </main>
    <${RequestsList} />
    <${Overlays} />
    <${Questions} />
    <${WhyDialog} />
    <${HaltFailed} />
    <${Announcements} />
  `;
}
