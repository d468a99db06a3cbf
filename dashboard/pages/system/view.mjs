// Whether everything works: processes, model, data by symbol, Redis, and what each process runs with.

import { ageSeconds, second } from "#app/clock.mjs";
import { Age, Badge, Empty } from "#app/components/figures.mjs";
import { Panel, Table, Values } from "#app/components/panel.mjs";
import { modelState, processes, processState } from "#app/components/services.mjs";
import { pullModel } from "#app/controls.mjs";
import { duration, number, timeInFull } from "#app/format.mjs";
import { freshness, stateOf } from "#app/freshness.mjs";
import { html } from "#app/html.mjs";
import { running } from "#app/requests.mjs";
import { symbolPath } from "#app/router.mjs";
import { bus, connection, online } from "#app/socket.mjs";
import { all, latest, system } from "#app/store.mjs";
import { processName, sessionWord } from "#app/words.mjs";

const PROCESS_HEADS = ["Process", "Replica", "State", "#Last beat", "#Up for", "#Memory", "#Queue", "Last error"];
const DATA_HEADS = ["Symbol", "Session", "Data", "#Newest bar", "#Polled every", "Fresh within a bar"];

/** Seconds matter only while it is young. @param {string} startedAt */
function uptime(startedAt) {
  const seconds = ageSeconds(startedAt, second.value);
  return duration(seconds !== null && seconds > 600 ? Math.floor(seconds / 60) * 60 : seconds);
}

/** @param {{beat: any, here: boolean}} props */
function Replica({ beat, here }) {
  const tone = !here ? "bad" : beat.state === "running" ? "good" : "quiet";
  return html`<tr>
    <th scope="row">${processName(beat.process)}</th>
    <td data-label="Replica"><code>${beat.replica}</code></td>
    <td data-label="State"><${Badge} tone=${tone}>${here ? beat.state : "silent"}<//></td>
    <td class="num" data-label="Last beat"><${Age} at=${beat.made_at} stale=${15} /></td>
    <td class="num" data-label="Up for" title=${timeInFull(beat.started_at)}>${uptime(beat.started_at)}</td>
    <td class="num" data-label="Memory">${beat.memory_mib === undefined ? "–" : `${number(beat.memory_mib, 0)} MiB`}</td>
    <td class="num" data-label="Queue">${beat.queue_depth ?? 0}</td>
    <td class="cell-wide" data-label="Last error"><${LastError} beat=${beat} /></td>
  </tr>`;
}

/** @param {{beat: any}} props */
const LastError = ({ beat }) =>
  beat.last_error
    ? html`<span class="down">${beat.last_error}</span> <${Age} at=${beat.last_error_at} suffix=" ago" />`
    : html`<span class="quiet">none</span>`;

/** @param {{process: {name: string, alive: any[], lost: any[]}}} props */
function Process({ process }) {
  const { name, alive, lost } = process;
  if (alive.length + lost.length) {
    return [
      ...alive.map((beat) => html`<${Replica} key=${beat.replica} beat=${beat} here=${true} />`),
      ...lost.map((beat) => html`<${Replica} key=${beat.replica} beat=${beat} here=${false} />`),
    ];
  }
  return html`<tr>
    <th scope="row">${processName(name)}</th>
    <td colspan="7"><${Badge} tone="bad">${processState(process).text}<//></td>
  </tr>`;
}

const Processes = () =>
  html`<${Table} label="Processes" heads=${PROCESS_HEADS}>
    ${processes.value.map((one) => html`<${Process} key=${one.name} process=${one} />`)}
  <//>`;

/** @param {{model: any}} props */
function Pull({ model }) {
  if (model.phase === "pulling") {
    return html`<progress max="100" value=${model.percent ?? undefined} aria-label=${`Pulling ${model.model}`}></progress>`;
  }
  if (model.phase !== "missing") return null;
  const disabled = !online.value || Boolean(running("pull_model"));
  return html`<p>
    <button type="button" class="button" disabled=${disabled} onClick=${() => pullModel(model.model)}>Pull ${model.model}</button>
  </p>`;
}

function Model() {
  const model = latest("model").value;
  if (!model || model.phase === "off") return html`<${Empty} title="No language model is used">ENGINES names none.<//>`;
  const rows = [
    ["Model", model.model],
    ["State", modelState(model).text],
    ["Last answer", model.latency_ms ? `${number(model.latency_ms / 1_000, 2)} s` : "–"],
    ["Speed", model.tokens_per_second ? `${number(model.tokens_per_second, 0)} tokens/s` : "–"],
    ["Runs on", model.processor?.toUpperCase() ?? "–"],
  ];
  return html`<${Values} rows=${rows} /><${Pull} model=${model} />${model.detail && html`<p class="hint">${model.detail}</p>`}`;
}

const STATES = /** @type {Record<string, [string, string]>} */ ({
  fresh: ["good", "fresh"],
  stale: ["warn", "stale"],
  closed: ["quiet", "closed"],
  none: ["quiet", "no data"],
});

/** @param {{one: import("#app/freshness.mjs").Freshness}} props */
function DataRow({ one }) {
  const [tone, text] = STATES[stateOf(one)];
  const plan = latest("market").value?.freshness?.[one.symbol];
  return html`<tr>
    <th scope="row"><a href=${symbolPath(one.symbol)}>${one.symbol}</a></th>
    <td data-label="Session">${sessionWord(one.session)}</td>
    <td data-label="Data"><${Badge} tone=${tone}>${text}<//></td>
    <td class="num" data-label="Newest bar">${one.age === null ? "–" : duration(one.age)}</td>
    <td class="num" data-label="Polled every">${plan ? duration(plan.poll_seconds) : "–"}</td>
    <td class="cell-wide" data-label="Fresh within a bar">${plan ? (plan.within_bar ? "yes" : `no: ${plan.reason}`) : "–"}</td>
  </tr>`;
}

const Data = () =>
  html`<${Table} label="Data by symbol" heads=${DATA_HEADS}>
    ${freshness.value.map((one) => html`<${DataRow} key=${one.symbol} one=${one} />`)}
  <//>`;

const FEED_TONES = /** @type {Record<string, string>} */ ({ open: "bad", trying: "warn", closed: "good" });
const FEED_WORDS = /** @type {Record<string, string>} */ ({ open: "resting after failures", trying: "being tried", closed: "in use" });

/** A feed's circuit is closed while the feed is used. @param {{feed: any}} props */
const FeedRow = ({ feed }) =>
  html`<tr>
    <th scope="row">${feed.name}</th>
    <td data-label="State"><${Badge} tone=${FEED_TONES[feed.state] ?? "quiet"}>${FEED_WORDS[feed.state] ?? feed.state}<//></td>
    <td class="num" data-label="Symbols">${feed.symbols}</td>
    <td class="cell-wide" data-label="Budget">${feed.reason ? `${feed.reason}. ` : ""}${feed.budget}</td>
  </tr>`;

/** The sources of market data, and what their plans allow. */
function Feeds() {
  const feeds = latest("market").value?.feeds ?? [];
  if (!feeds.length) return html`<${Empty} title="Market data has not told of its sources yet" />`;
  return html`<${Table} label="Sources" heads=${["Source", "State", "#Symbols", "Budget"]}>
    ${feeds.map((/** @type {any} */ feed) => html`<${FeedRow} key=${feed.name} feed=${feed} />`)}
  <//>`;
}

/** @param {{href: string, children: any}} props */
const Outside = ({ href, children }) => html`<a href=${href} target="_blank" rel="noopener">${children}</a>`;

function Connections() {
  const { state } = connection.value;
  const { reachable, detail } = bus.value;
  const known = reachable ? "reachable" : "not reachable";
  const rows = [
    ["Page to server", html`<${Badge} tone=${state === "open" ? "good" : "bad"}>${state === "open" ? "connected" : state}<//>`],
    ["Server to Redis", html`<${Badge} tone=${reachable ? (detail ? "warn" : "good") : "bad"}>${detail || known}<//>`],
    ["Version", system.value.version || "–"],
  ];
  return html`
    <${Values} rows=${rows} />
    <p class="hint">
      <${Outside} href="/metrics">Metrics<//> · <${Outside} href="/api/v1/openapi.json">Interface<//> ·${" "}
      <${Outside} href="/healthz">Health<//>
    </p>
  `;
}

/** @param {{one: any}} props */
function Configuration({ one }) {
  const say = (/** @type {any} */ value) => (Array.isArray(value) ? value.join(", ") : value === null ? "–" : String(value));
  return html`<details>
    <summary>${processName(one.process)} <code>${one.config}</code></summary>
    <${Values} rows=${Object.entries(one.settings).map(([name, value]) => [name, say(value)])} />
  </details>`;
}

function Configurations() {
  const list = all("config").sort((a, b) => (a.process < b.process ? -1 : 1));
  if (!list.length) return html`<${Empty} title="No process has told its configuration yet" />`;
  return html`<div class="configs">${list.map((one) => html`<${Configuration} key=${one.process} one=${one} />`)}</div>`;
}

export default function System() {
  if (!system.value.ready && connection.value.state !== "open") return html`<${Empty} title="Connecting…" />`;
  return html`<div class="stack">
    <h1 class="sr-only">System</h1>
    <${Panel} title="Processes" name="processes-title"><${Processes} /><//>
    <div class="side-by-side">
      <${Panel} title="Connections" name="links-title"><${Connections} /><//>
      <${Panel} title="Language model" name="model-title"><${Model} /><//>
    </div>
    <${Panel} title="Sources" name="feeds-title"><${Feeds} /><//>
    <${Panel} title="Data" name="data-title"><${Data} /><//>
    <${Panel} title="Configuration in force" name="config-title"><${Configurations} /><//>
  </div>`;
}
