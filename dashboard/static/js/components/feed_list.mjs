// Recent activity as a list, with filters that this browser remembers.

import { useEffect } from "preact/hooks";
import { shown } from "../activity.mjs";
import { capital } from "../format.mjs";
import { entries, fill, loadFeed, loadOlder, reading } from "../feed.mjs";
import { classes, html } from "../html.mjs";
import { preference } from "../preferences.mjs";
import { symbolPath } from "../router.mjs";
import { connection } from "../socket.mjs";
import { system } from "../store.mjs";
import { outcomeWords, words } from "../words.mjs";
import { Empty, Moment } from "./figures.mjs";
import { Icon } from "./icon.mjs";
import { WhyButton } from "./why.mjs";

const filter = preference("activity", { kind: "all", symbol: "", holds: false });
const KINDS = [
  ["all", "All"],
  ["trades", "Trades"],
  ["decisions", "Decisions"],
  ["controls", "System"],
];
const DRAWN = 150;
/** What can be walked back to its bar. */
const EXPLAINED = new Set(["decision", "outcome", "order", "fill"]);

/** @param {{entry: import("../activity.mjs").Entry, named?: boolean}} props */
function Line({ entry, named = true }) {
  const fact = entry.fact ?? entry.outcome ?? entry.result;
  if (!fact) return null;
  const said = words(entry.fact ? entry.topic : entry.outcome ? "outcome" : "command_result", fact);
  const became =
    entry.fact && entry.outcome ? outcomeWords(entry.outcome) : entry.fact && entry.result ? words("command_result", entry.result) : null;
  return html`<li class=${classes("feed-line", `tone-${said.tone}`)} data-kind=${entry.kind} data-topic=${entry.topic}>
    <span class="feed-icon"><${Icon} name=${said.icon} size=${14} /></span>
    <div class="feed-body">
      <p class="feed-title">
        ${named && entry.symbol && html`<a href=${symbolPath(entry.symbol)}>${entry.symbol}</a>`}
        <strong>${said.title}</strong>
        ${EXPLAINED.has(entry.topic) && html`<${WhyButton} id=${fact.id} />`}
        <${Moment} at=${entry.at} />
      </p>
      ${said.text && html`<p class="feed-text" title=${said.text}>${said.text}</p>`}
      ${became && html`<p class=${`feed-became tone-${became.tone}`}>${capital(became.text || /** @type {any} */ (became).title)}</p>`}
    </div>
  </li>`;
}

/** @param {{symbols: string[]}} props */
function Filters({ symbols }) {
  const chosen = filter.value;
  const set = (/** @type {object} */ change) => {
    filter.value = { ...filter.peek(), ...change };
  };
  return html`<div class="feed-filters">
    <div class="chips" role="group" aria-label="Kind of activity">
      ${KINDS.map(([kind, text]) => html`<button key=${kind} type="button" class="chip" aria-pressed=${chosen.kind === kind}
        onClick=${() => set({ kind })}>
        ${text}
      </button>`)}
    </div>
    <div class="feed-more">
      ${symbols.length > 1 && html`<select class="select select-small" aria-label="Symbol" value=${chosen.symbol}
        onChange=${(/** @type {any} */ event) => set({ symbol: event.target.value })}>
        <option value="">All symbols</option>
        ${symbols.map((symbol) => html`<option key=${symbol} value=${symbol}>${symbol}</option>`)}
      </select>`}
      <label class="check check-small">
        <input type="checkbox" checked=${chosen.holds} onChange=${(/** @type {any} */ event) => set({ holds: event.target.checked })} />
        Holds
      </label>
    </div>
  </div>`;
}

/** With a symbol, only what concerns it. @param {{symbol?: string}} props */
export function Feed({ symbol = "" }) {
  const chosen = symbol ? { ...filter.value, symbol } : filter.value;
  const { state, next, detail } = reading(symbol);
  const list = entries.value.filter((entry) => shown(entry, chosen)).slice(0, DRAWN);
  const online = connection.value.state === "open";
  useEffect(() => {
    if (symbol && online) loadFeed(symbol);
  }, [symbol, online]);
  useEffect(() => fill(list.length, symbol), [state, next, chosen.kind, chosen.symbol]);
  return html`
    <${Filters} symbols=${symbol ? [] : system.value.symbols} />
    ${state === "loading" && html`<${Empty} title="Loading activity…" />`}
    ${state === "error" && html`<${Empty} title="Activity could not be loaded">
      ${detail} <button type="button" class="link" onClick=${() => loadFeed(symbol)}>Try again</button>
    <//>`}
    ${state === "ready" && !list.length && html`<${Empty} title="Nothing here yet">
      ${
        chosen.holds || chosen.kind !== "decisions"
          ? "Decisions, orders, fills and everything people change appear here as they happen."
          : "Every decision so far was to hold. Tick Holds to see them."
      }
    <//>`}
    <ol class="feed" tabindex="0" aria-label="Activity, newest first">
      ${list.map((entry) => html`<${Line} key=${entry.key} entry=${entry} named=${!symbol} />`)}
      ${state === "ready" && next && html`<li class="feed-older">
        <button type="button" class="button button-small" onClick=${() => loadOlder(symbol)}>Older</button>
      </li>`}
    </ol>
  `;
}
