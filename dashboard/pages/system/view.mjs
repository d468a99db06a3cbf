// Whether everything works: processes, machinery, model, data by symbol, what was told, and what each process runs with.

import { Age, Badge, Empty } from "#app/components/figures.mjs";
import { Panel, Table, Values } from "#app/components/panel.mjs";
import { modelState } from "#app/components/services.mjs";
import { pullModel } from "#app/controls.mjs";
import { duration, number } from "#app/format.mjs";
import { freshness, stateOf } from "#app/freshness.mjs";
import { html } from "#app/html.mjs";
import { changing } from "#app/may.mjs";
import { running } from "#app/requests.mjs";
import { symbolPath } from "#app/router.mjs";
import { connection } from "#app/socket.mjs";
import { all, latest, system } from "#app/store.mjs";
import { processName, sessionWord } from "#app/words.mjs";
import { Log } from "./log.mjs";
import { Histories, Machinery, Paces, useMachinery } from "./machinery.mjs";
import { Counters, Processes } from "./processes.mjs";

const DATA_HEADS = ["Symbol", "Session", "Data", "#Newest bar", "#Polled every", "Fresh within a bar"];

/** @param {{model: any}} props */
function Pull({ model }) {
  if (model.phase === "pulling") {
    return html`<progress max="100" value=${model.percent ?? undefined} aria-label=${`Pulling ${model.model}`}></progress>
      <p class="hint">
        ${model.percent === undefined ? "" : `${number(model.percent, 0)}% of it is here. `}Other engines decide meanwhile.
      </p>`;
  }
  if (model.phase !== "missing") return null;
  const attributes = changing({ disabled: Boolean(running("pull_model")) });
  return html`<p>
    <button type="button" class="button" ...${attributes} onClick=${() => pullModel(model.model)}>Pull ${model.model}</button>
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
    <td class="num" data-label="Requests left">${feed.left ?? "–"}</td>
    <td class="cell-wide" data-label="Rate limit">${feed.reason ? `${feed.reason}. ` : ""}${feed.budget || "none kept"}</td>
  </tr>`;

/** The sources of market data, and what their plans allow. */
function Feeds() {
  const feeds = latest("market").value?.feeds ?? [];
  if (!feeds.length) return html`<${Empty} title="Market data has not told of its sources yet" />`;
  const { at } = latest("market").value;
  return html`<${Table} label="Sources" heads=${["Source", "State", "#Symbols", "#Requests left", "Rate limit"]}>
    ${feeds.map((/** @type {any} */ feed) => html`<${FeedRow} key=${feed.name} feed=${feed} />`)}
  <//>
  <p class="hint">Requests left of the rate limit <${Age} at=${at} suffix=" ago" />; told every half minute.</p>`;
}

/** @param {any} value */
function say(value) {
  if (Array.isArray(value)) return value.join(", ");
  if (value === null || value === "") return "–";
  return typeof value === "object" ? Object.entries(value).map(([name, part]) => `${name}: ${part}`).join(", ") || "none" : String(value);
}

/** Hashes of ended logins say nothing to a person. */
const UNSAID = new Set(["sessions_ended", "sessions_valid_from", "changed", "changed_by"]);

/** @param {{one: any}} props */
function Configuration({ one }) {
  const rows = Object.entries(one.settings).filter(([name]) => !UNSAID.has(name));
  return html`<details>
    <summary>${processName(one.process)} <code>${one.config}</code></summary>
    <${Values} rows=${rows.map(([name, value]) => [name, say(value)])} />
  </details>`;
}

function Configurations() {
  const list = all("config").sort((a, b) => (a.process < b.process ? -1 : 1));
  if (!list.length) return html`<${Empty} title="No process has told its configuration yet" />`;
  return html`<div class="configs">${list.map((one) => html`<${Configuration} key=${one.process} one=${one} />`)}</div>`;
}

/** @param {{href: string, children: any}} props */
const Outside = ({ href, children }) => html`<a href=${href} target="_blank" rel="noopener">${children}</a>`;

const Elsewhere = () =>
  html`<p class="links">
    <a class="button" href="/system/support.zip" download>Support bundle</a>
    <span class="hint">
      What this page shows as one file, without secrets, addresses and the account's number. ${" "}
      <${Outside} href="/metrics">Metrics<//> · <${Outside} href="/api/v1/openapi.json">Interface<//> ·${" "}
      <${Outside} href="/healthz">Health<//>
    </span>
  </p>`;

export default function System() {
  useMachinery();
  if (!system.value.ready && connection.value.state !== "open") return html`<${Empty} title="Connecting…" />`;
  return html`<div class="stack">
    <h1 class="sr-only">System</h1>
    <${Panel} title="Processes" name="processes-title"><${Processes} /><//>
    <div class="side-by-side">
      <${Panel} title="Machinery" name="links-title"><${Machinery} /><//>
      <${Panel} title="Language model" name="model-title"><${Model} /><//>
    </div>
    <${Panel} title="Sources" name="feeds-title"><${Feeds} /><//>
    <${Panel} title="Data" name="data-title"><${Data} /><//>
    <div class="side-by-side">
      <${Panel} title="How long the newest bar took" name="paces-title"><${Paces} /><//>
      <${Panel} title="Kept in Redis" name="histories-title"><${Histories} /><//>
    </div>
    <section class="panel" aria-labelledby="log-title"><${Log} /></section>
    <div class="side-by-side">
      <${Panel} title="Configuration in force" name="config-title"><${Configurations} /><//>
      <${Panel} title="Counted since the start" name="counters-title"><${Counters} /><//>
    </div>
    <${Elsewhere} />
  </div>`;
}
