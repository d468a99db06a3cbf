// What only the server can ask, read when the page is opened and when it is asked for again: Redis, disk, clocks; and how long things take.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "#app/api.mjs";
import { clockOffset } from "#app/clock.mjs";
import { Badge, Empty, Moment } from "#app/components/figures.mjs";
import { Used } from "#app/components/meters.mjs";
import { Table, Values } from "#app/components/panel.mjs";
import { number, percent } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { tests } from "#app/key_tests.mjs";
import { symbolPath } from "#app/router.mjs";
import { bus, connection, online } from "#app/socket.mjs";
import { all, latest, system, trading } from "#app/store.mjs";

/** @type {import("@preact/signals").Signal<{state: "loading" | "ready" | "error", told: any, detail: string}>} */
const machinery = signal(/** @type {any} */ ({ state: "loading", told: null, detail: "" }));

export async function look() {
  try {
    machinery.value = { state: "ready", told: await get("system"), detail: "" };
  } catch (error) {
    machinery.value = { ...machinery.peek(), state: "error", detail: /** @type {Error} */ (error).message };
  }
}

/** Starts of a process in the last 24 hours, null while unknown. @param {string} process */
export const startsOf = (process) => machinery.value.told?.starts?.[process] ?? null;

/** Once for the page. */
export function useMachinery() {
  useEffect(() => {
    if (online.value) look();
  }, [online.value]);
}

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** @param {number} bytes */
export const size = (bytes) => (bytes >= GIB ? `${number(bytes / GIB, 1)} GiB` : `${number(bytes / MIB, 0)} MiB`);

/** @param {any} redis @returns {[string, any][]} */
function redisRows(redis) {
  if (!redis) return [["Redis", html`<${Badge} tone="bad">does not answer<//>`]];
  const used = redis.limit_bytes ? `${size(redis.used_bytes)} of ${size(redis.limit_bytes)}` : `${size(redis.used_bytes)}, no limit`;
  const bar = redis.limit_bytes > 0 && html`<${Used} value=${redis.used_bytes} limit=${redis.limit_bytes} label="Memory of Redis" />`;
  const memory = html`<span class="with-bar">${used} ${bar}</span>`;
  return [
    ["Redis answers in", `${number(redis.latency_ms, 1)} ms`],
    ["Memory of Redis", memory],
    ["Keeps what it was told", redis.durable ? "yes, on disk" : html`<${Badge} tone="warn">not on disk<//>`],
    ["Drops facts when full", redis.evicts ? html`<${Badge} tone="bad">yes: it must not<//>` : "no"],
    ...(redis.nearly_full ? [/** @type {[string, any]} */ (["Room", html`<${Badge} tone="bad">nearly full: entries stop<//>`])] : []),
  ];
}

/** @param {any} disk @returns {[string, any][]} */
function diskRows({ free_bytes: free, total_bytes: total }) {
  const share = total ? free / total : 1;
  const text = `${size(free)} free (${percent(share, 0)})`;
  return [["Disk", share < 0.05 || free < GIB ? html`<${Badge} tone="bad">${text}<//>` : text]];
}

/** Distances of clocks in words. @param {number} seconds */
const apart = (seconds) =>
  Math.abs(seconds) >= 2 ? html`<${Badge} tone="warn">${number(seconds, 1)} s<//>` : `${number(Math.abs(seconds), 1)} s`;

/** @returns {[string, any][]} */
function clockRows() {
  const vendors = Object.values(tests.value).flatMap((test) => test.parts);
  const told = vendors.filter(([, one]) => typeof one.skew_seconds === "number");
  return [
    ["This browser's clock and the server's", html`${apart(clockOffset.value / 1_000)} apart`],
    ...told.map(
      ([name, one]) => /** @type {[string, any]} */ ([`${name}'s clock and ours`, html`${apart(Number(one.skew_seconds))} apart`]),
    ),
  ];
}

export function Machinery() {
  const { state, told, detail } = machinery.value;
  const { reachable, detail: said } = bus.value;
  const rows = [
    ["Page to server", html`<${Badge} tone=${connection.value.state === "open" ? "good" : "bad"}>
      ${connection.value.state === "open" ? "connected" : connection.value.state}
    <//>`],
    ["Server to Redis", html`<${Badge} tone=${reachable ? (said ? "warn" : "good") : "bad"}>
      ${said || (reachable ? "reachable" : "not reachable")}
    <//>`],
    ...(told ? [...redisRows(told.redis), ...diskRows(told.disk), ["Pages and scripts connected", told.clients]] : []),
    ...clockRows(),
    ["Version", system.value.version || "–"],
  ];
  return html`
    <${Values} rows=${rows} />
    ${state === "loading" && html`<p class="hint">Asking the server…</p>`}
    ${state === "error" && html`<p class="hint hint-bad">The server did not say how Redis and disk are: ${detail}</p>`}
    <p class="hint">
      ${told && html`As of <${Moment} at=${told.at} />. `}
      <button type="button" class="link" disabled=${!online.value} onClick=${look}>Look again</button>
      ${!Object.keys(tests.value).length && html` · Testing the keys under <a href="/settings">Settings</a> compares the vendors' clocks.`}
    </p>
  `;
}

/** How much Redis keeps of each topic; the archive takes away what it has written to files. */
export function Histories() {
  const { told, state } = machinery.value;
  const rows = Object.entries(told?.histories ?? {}).sort(([, a], [, b]) => b.entries - a.entries);
  if (!rows.length) return html`<${Empty} title=${state === "loading" ? "Asking the server…" : "Redis does not tell"} />`;
  return html`<${Table} label="Histories" heads=${["Topic", "#Keys", "#Entries", "#Longest"]}>
    ${rows.map(([topic, { keys, entries, longest }]) => html`<tr key=${topic}>
      <th scope="row">${topic.replaceAll("_", " ")}</th>
      <td class="num" data-label="Keys">${number(keys, 0)}</td>
      <td class="num" data-label="Entries">${number(entries, 0)}</td>
      <td class="num" data-label="Longest">${number(longest, 0)}</td>
    </tr>`)}
  <//>`;
}

/** Seconds from one fact to the next, null where they do not belong together. @param {any} from @param {any} to @param {string} at */
function between(from, to, at = "made_at") {
  if (!from?.[at] || !to?.made_at || from.at !== to.at) return null;
  return Math.max(0, (Date.parse(to.made_at) - Date.parse(from[at])) / 1_000);
}

/**
 * How long the newest bar of a symbol took through every process.
 * @param {{bar: any, indicators: any, decision: any, outcome: any}} facts
 */
export function paces({ bar, indicators, decision, outcome }) {
  const answered = outcome && decision && outcome.origin_id === decision.id ? outcome : null;
  return {
    seen: between(bar ?? indicators, bar ?? indicators, "at"),
    indicators: between(bar, indicators),
    decision: between(indicators, decision),
    outcome: answered ? Math.max(0, (Date.parse(answered.made_at) - Date.parse(decision.made_at)) / 1_000) : null,
  };
}

/** @param {number | null} seconds */
const pace = (seconds) => (seconds === null ? "–" : seconds < 1 ? `${Math.round(seconds * 1_000)} ms` : `${number(seconds, 1)} s`);

/** @param {{symbol: string}} props */
function PaceRow({ symbol }) {
  const found = paces({
    bar: trading("bar", symbol).value,
    indicators: trading("indicators", symbol).value,
    decision: latest("decision", symbol).value,
    outcome: latest("outcome", symbol, "decision").value,
  });
  return html`<tr>
    <th scope="row"><a href=${symbolPath(symbol)}>${symbol}</a></th>
    <td class="num" data-label="Bar after its close">${pace(found.seen)}</td>
    <td class="num" data-label="Indicators after that">${pace(found.indicators)}</td>
    <td class="num" data-label="Decision after that">${pace(found.decision)}</td>
    <td class="num" data-label="Outcome after that">${pace(found.outcome)}</td>
  </tr>`;
}

const HEADS = ["Symbol", "#Bar after its close", "#Indicators after that", "#Decision after that", "#Outcome after that"];

export function Paces() {
  const { symbols } = system.value;
  if (!all("decision").length) return html`<${Empty} title="Nothing has been decided yet" />`;
  return html`<${Table} label="How long the newest bar took" heads=${HEADS}>
    ${symbols.map((symbol) => html`<${PaceRow} key=${symbol} symbol=${symbol} />`)}
  <//>`;
}
