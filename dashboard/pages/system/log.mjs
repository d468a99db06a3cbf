// What the processes tell, with filters and a pause; and where their whole logs are.

import { signal } from "@preact/signals";
import { Empty, Moment } from "#app/components/figures.mjs";
import { Icon } from "#app/components/icon.mjs";
import { html } from "#app/html.mjs";
import { logLines } from "#app/log.mjs";
import { preference } from "#app/preferences.mjs";
import { symbolPath } from "#app/router.mjs";
import { all } from "#app/store.mjs";
import { errorOf } from "#app/log.mjs";
import { processName } from "#app/words.mjs";

const DRAWN = 200;
const RANK = /** @type {Record<string, number>} */ ({ info: 0, warning: 1, error: 2 });
const filter = preference("log", { level: "info", service: "", text: "" });
/** What stood when it was paused. @type {import("@preact/signals").Signal<null | ReturnType<typeof logLines>>} */
const frozen = signal(/** @type {any} */ (null));

/** With the last error of each process, which may be older than this page. */
function everything() {
  const lines = logLines();
  const known = new Set(lines.map(({ key }) => key));
  const last = all("heartbeat").map(errorOf).filter((line) => line !== null);
  return [...lines, ...last.filter(({ key }) => !known.has(key))].sort((a, b) => (a.at < b.at ? 1 : -1));
}

/** @param {ReturnType<typeof logLines>} lines @param {{level: string, service: string, text: string}} chosen */
export const chosenOf = (lines, { level, service, text }) =>
  lines.filter(
    (line) =>
      RANK[line.level] >= RANK[level] &&
      (!service || line.service === service) &&
      (!text || `${line.symbol} ${line.text}`.toLowerCase().includes(text.toLowerCase())),
  );

/** @param {{line: ReturnType<typeof logLines>[number]}} props */
const Line = ({ line }) =>
  html`<li class="log-line" data-level=${line.level}>
    <${Moment} at=${line.at} />
    <span class="log-level">${line.level}</span>
    <span class="log-service">${line.service === "people" ? "person" : processName(line.service)}</span>
    <span class="log-text">${line.symbol && html`<a href=${symbolPath(line.symbol)}>${line.symbol}</a> `}${line.text}</span>
  </li>`;

export function Log() {
  const lines = frozen.value ?? everything();
  const chosen = filter.value;
  const set = (/** @type {string} */ part) => (/** @type {any} */ event) => {
    filter.value = { ...filter.peek(), [part]: event.target.value };
  };
  const list = chosenOf(lines, chosen).slice(0, DRAWN);
  const services = [...new Set(lines.map(({ service }) => service))].sort();
  const toggle = () => {
    frozen.value = frozen.peek() ? null : everything();
  };
  return html`
    <div class="panel-head panel-head-wrap">
      <h2 id="log-title">Log</h2>
      <div class="section-tools">
        <select class="select select-small" aria-label="Least level" value=${chosen.level} onChange=${set("level")}>
          <option value="info">All levels</option><option value="warning">Warnings and errors</option><option value="error">Errors</option>
        </select>
        <select class="select select-small" aria-label="Service" value=${chosen.service} onChange=${set("service")}>
          <option value="">All services</option>
          ${services.map((one) => html`<option key=${one} value=${one}>${one === "people" ? "people" : processName(one)}</option>`)}
        </select>
        <input class="input input-small" type="search" aria-label="Containing" placeholder="Containing" value=${chosen.text}
          onInput=${set("text")} />
        <button type="button" class="button button-small" aria-pressed=${Boolean(frozen.value)} onClick=${toggle}>
          <${Icon} name=${frozen.value ? "play" : "pause"} size=${13} />${frozen.value ? "Go on" : "Pause"}
        </button>
      </div>
    </div>
    ${frozen.value && html`<p class="hint" role="status">Paused: what comes now is shown when it goes on.</p>`}
    ${!list.length && html`<${Empty} title="Nothing to show">Errors of the processes and what they do appear here as it happens.<//>`}
    <ol class="log" tabindex="0" aria-label="Log, newest first">${list.map((line) => html`<${Line} key=${line.key} line=${line} />`)}</ol>
    <p class="hint">
      These are the facts the processes tell. Their whole logs stay with them, so that nothing they write can reach Redis or a browser:
      ${" "}<code>docker compose logs --follow --tail 200 execution</code>, or the terminal in which <code>./tradermagic up</code> runs.
    </p>
  `;
}
