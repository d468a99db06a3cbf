// Always there: whose money, what the system does, how much there is, how fresh the data is, and HALT.

import { ageSeconds, second } from "../clock.mjs";
import { duration, money, shortAge, timeInFull } from "../format.mjs";
import { freshness, summary } from "../freshness.mjs";
import { html } from "../html.mjs";
import { bus, connection, offlineSeconds, reconnect } from "../socket.mjs";
import { latest, system } from "../store.mjs";
import { nextTheme, theme } from "../theme.mjs";
import { sessionWord } from "../words.mjs";
import { Change, Gain, Skeleton } from "./figures.mjs";
import { overlay } from "../overlays.mjs";
import { AlertsPanel, Bell } from "./alerts.mjs";
import { HaltButton } from "./halt.mjs";
import { Icon } from "./icon.mjs";
import { mode, StatePill } from "./state_pill.mjs";
import { UserButton, UserMenu } from "./user_menu.mjs";

/** Day's change over the equity it started from; null where there is none. @param {any} account */
export function dayFraction(account) {
  const start = Number(account?.day_start_equity);
  return start > 0 ? Number(account.day_change) / start : null;
}

function Money() {
  const account = latest("account").value;
  if (!account)
    return html`<div class="header-money">
      <span class="header-figure"><span class="label">Equity</span><${Skeleton} width="9ch" /></span>
    </div>`;
  return html`<div class="header-money">
    <span class="header-figure header-account">
      <span class="label">Account</span>
      <span class="figure" title=${`${account.broker}, ${account.mode}`}>${account.account}</span>
    </span>
    <span class="header-figure">
      <span class="label">Equity</span>
      <span class="figure">${money(account.equity, account.currency)}</span>
    </span>
    <span class="header-figure">
      <span class="label">Day</span>
      <span>
        <${Gain} value=${account.day_change} currency=${account.currency} />
        <span class="header-percent"><${Change} value=${dayFraction(account)} arrow=${false} /></span>
      </span>
    </span>
  </div>`;
}

/** `NYSE opens in 2 h 14 min`. @param {any} venue @param {number} now */
export function sessionText(venue, now) {
  if (!venue) return "";
  const next =
    venue.session === "closed" || venue.session === "after"
      ? venue.next_open
      : venue.session === "pre"
        ? venue.next_open
        : venue.next_close;
  const left = next ? Math.max(0, (Date.parse(next) - now) / 1_000) : null;
  // Seconds matter only close to the bell.
  const text = left === null ? "" : duration(left > 600 ? Math.ceil(left / 60) * 60 : left);
  if (venue.session === "regular") return text ? `closes in ${text}` : "open";
  return text ? `${venue.session === "closed" ? "" : `${sessionWord(venue.session)}, `}opens in ${text}` : sessionWord(venue.session);
}

function Session() {
  const market = latest("market").value;
  const { symbols } = system.value;
  if (!market || !symbols.length) return null;
  const stocks = symbols.some((symbol) => !symbol.includes("/"));
  if (!stocks)
    return html`<span class="header-session" title="Crypto trades around the clock"><${Icon} name="clock" size=${14} />Crypto 24/7</span>`;
  const { session, next_open: opens, next_close: closes, holiday } = market.stocks;
  const bell = closes && session === "regular" ? `Closes ${timeInFull(closes)}` : opens ? `Opens ${timeInFull(opens)}` : "";
  // The simulated market trades on while the real one sleeps.
  const open = system.value.simulated && session !== "regular";
  const title = holiday ? `${holiday}. ${bell}` : bell;
  return html`<span class="header-session" data-session=${session} title=${title}>
    <${Icon} name="clock" size=${14} />
    <span>${open && "Sandbox open · "}NYSE ${sessionText(market.stocks, second.value)}</span>
  </span>`;
}

function DataDot() {
  const { state, stale, newest, oldest, without } = summary(freshness.value);
  const words = /** @type {Record<string, string>} */ ({
    none: "no data",
    stale: `${stale.length} stale`,
    fresh: shortAge(newest),
    closed: "closed",
  });
  const title = /** @type {Record<string, string>} */ ({
    none: "No bar of any symbol has arrived yet",
    stale: `Older than it may be: ${stale.map(({ symbol, age }) => `${symbol} ${duration(age)}`).join(", ")}`,
    fresh: `Newest bar ${duration(newest)} old, oldest ${duration(oldest)}${without ? `; ${without} symbols without data` : ""}`,
    closed: "The market of these symbols is closed",
  });
  return html`<span class="dot-item" title=${title[state]}>
    <span class="dot" data-state=${state} aria-hidden="true"></span>
    <span><span class="dot-label">Data </span>${words[state]}</span>
  </span>`;
}

function ConnectionDot() {
  const { state } = connection.value;
  const away = state === "open" && !bus.value.reachable;
  const shownState = away ? "stale" : state === "open" ? "fresh" : state === "connecting" ? "none" : "lost";
  const away_for = bus.value.since ? duration(ageSeconds(bus.value.since, second.value)) : "";
  const text = away
    ? `Redis away ${away_for}`
    : state === "open"
      ? "Connected"
      : state === "connecting"
        ? "Connecting"
        : `Disconnected ${duration(offlineSeconds.value)}`;
  const title = away
    ? `The server does not reach Redis. ${bus.value.detail}`
    : state === "open"
      ? "Changes are pushed as they happen"
      : "What is shown may be old";
  return html`<span class="dot-item" title=${title}>
    <span class="dot" data-state=${shownState} aria-hidden="true"></span>
    <span class="dot-text">${text}</span>
    ${shownState === "lost" && html`<button type="button" class="link" onClick=${reconnect}>Retry</button>`}
  </span>`;
}

function ThemeButton() {
  const name = theme.value;
  const says = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" }[name];
  return html`<button type="button" class="icon-button" aria-label=${`${says}. Press to change.`} title=${says} onClick=${nextTheme}>
    <${Icon} name=${name} />
  </button>`;
}

const PaletteButton = () =>
  html`<button type="button" class="find" aria-keyshortcuts="Control+K Meta+K"
    title="Find a page, symbol or action (Ctrl K, or /)" onClick=${() => (overlay.value = "palette")}>
    <${Icon} name="search" />
    <span class="sr-only">Find a page, symbol or action</span>
    <kbd>Ctrl K</kbd>
  </button>`;

function LiveBand() {
  if (mode.value.name !== "live" || !system.value.ready) return null;
  return html`<div class="live-band"><strong>LIVE</strong> Real money. Account ${latest("account").value?.account ?? ""}</div>`;
}

export function Header() {
  return html`<header class="header">
    <${LiveBand} />
    <div class="header-row">
      <a class="brand" href="/" aria-label="TraderMagic, overview"><${Icon} name="logo" size=${20} /><span>TraderMagic</span></a>
      <${StatePill} />
      <${Money} />
      <span class="header-space"></span>
      <${Session} />
      <span class="dots"><${DataDot} /><${ConnectionDot} /></span>
      <span class="header-tools"><${PaletteButton} /><${Bell} /><${ThemeButton} /><${UserButton} /></span>
      <${HaltButton} />
    </div>
    <${AlertsPanel} />
    <${UserMenu} />
  </header>`;
}
