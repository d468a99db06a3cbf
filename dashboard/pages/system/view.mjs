// Whether everything works: processes, model, data by symbol, Redis, and what each process runs with.

import { ageSeconds, second } from "#app/clock.mjs";
import { Age, Badge, Empty } from "#app/components/figures.mjs";
import { modelState, processes, processState } from "#app/components/services.mjs";
import { pullModel } from "#app/controls.mjs";
import { duration, number, timeInFull } from "#app/format.mjs";
import { freshness, stateOf } from "#app/freshness.mjs";
import { html } from "#app/html.mjs";
import { running } from "#app/requests.mjs";
import { symbolPath } from "#app/router.mjs";
import { bus, connection, online } from "#app/socket.mjs";
import { all, keysOf, latest, system } from "#app/store.mjs";
import { processName, sessionWord } from "#app/words.mjs";

/** @param {{beat: any, here: boolean}} props */
function Replica({ beat, here }) {
  const uptime = ageSeconds(beat.started_at, second.value);
  return html`<tr><th scope="row">${processName(beat.process)}</th><td data-label="Replica"><code>${beat.replica}</code></td>
    <td data-label="State">${here ? html`<${Badge} tone=${beat.state === "running" ? "good" : "quiet"}>${beat.state}<//>` : html`<${Badge} tone="bad">silent<//>`}</td>
    <td class="num" data-label="Last beat"><${Age} at=${beat.made_at} stale=${15} /></td>
    <td class="num" data-label="Up for" title=${timeInFull(beat.started_at)}>${duration(uptime !== null && uptime > 600 ? Math.floor(uptime / 60) * 60 : uptime)}</td>
    <td class="num" data-label="Memory">${beat.memory_mib === undefined ? "–" : `${number(beat.memory_mib, 0)} MiB`}</td>
    <td class="num" data-label="Queue">${beat.queue_depth ?? 0}</td>
    <td data-label="Last error" class="cell-wide">${beat.last_error ? html`<span class="down">${beat.last_error}</span> <${Age} at=${beat.last_error_at} suffix=" ago" />` : html`<span class="quiet">none</span>`}</td></tr>`;
}

function Processes() {
  const list = processes.value;
  return html`<div class="table-scroll" tabindex="0" role="group" aria-label="Processes"><table class="table table-cards"><thead><tr><th scope="col">Process</th><th scope="col">Replica</th><th scope="col">State</th><th scope="col" class="num">Last beat</th><th scope="col" class="num">Up for</th>
    <th scope="col" class="num">Memory</th><th scope="col" class="num">Queue</th><th scope="col">Last error</th></tr></thead>
    <tbody>${list.flatMap((one) =>
      one.alive.length || one.lost.length
        ? [...one.alive.map((beat) => html`<${Replica} key=${beat.replica} beat=${beat} here=${true} />`), ...one.lost.map((beat) => html`<${Replica} key=${beat.replica} beat=${beat} here=${false} />`)]
        : [html`<tr key=${one.name}><th scope="row">${processName(one.name)}</th><td colspan="7"><${Badge} tone="bad">${processState(one).text}<//></td></tr>`],
    )}</tbody></table></div>`;
}

function Model() {
  const model = latest("model").value;
  if (!model || model.phase === "off") return html`<${Empty} title="No language model is used">ENGINES names none.<//>`;
  const { state, text } = modelState(model);
  const rows = [["State", text], ["Last answer", model.latency_ms ? `${number(model.latency_ms / 1_000, 2)} s` : "–"], ["Speed", model.tokens_per_second ? `${number(model.tokens_per_second, 0)} tokens/s` : "–"], ["Runs on", model.processor?.toUpperCase() ?? "–"]];
  return html`<dl class="values values-wide"><div><dt>Model</dt><dd>${model.model}</dd></div>${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class="figure">${value}</dd></div>`)}</dl>
    ${model.phase === "pulling" && html`<progress max="100" value=${model.percent ?? undefined} aria-label=${`Pulling ${model.model}`}></progress>`}
    ${model.detail && html`<p class="hint">${model.detail}</p>`}
    ${state === "lost" && model.phase === "missing" && html`<p><button type="button" class="button" disabled=${!online.value || Boolean(running("pull_model"))} onClick=${() => pullModel(model.model)}>Pull ${model.model}</button></p>`}`;
}

const STATES = /** @type {Record<string, [string, string]>} */ ({ fresh: ["good", "fresh"], stale: ["warn", "stale"], closed: ["quiet", "closed"], none: ["quiet", "no data"] });

function Data() {
  const market = latest("market").value;
  return html`<div class="table-scroll" tabindex="0" role="group" aria-label="Data by symbol"><table class="table table-cards"><thead><tr><th scope="col">Symbol</th><th scope="col">Session</th><th scope="col">Data</th><th scope="col" class="num">Newest bar</th><th scope="col" class="num">Polled every</th><th scope="col">Fresh within a bar</th></tr></thead>
    <tbody>${freshness.value.map((one) => {
      const [tone, text] = STATES[stateOf(one)];
      const plan = market?.freshness?.[one.symbol];
      return html`<tr key=${one.symbol}><th scope="row"><a href=${symbolPath(one.symbol)}>${one.symbol}</a></th><td data-label="Session">${sessionWord(one.session)}</td><td data-label="Data"><${Badge} tone=${tone}>${text}<//></td>
        <td class="num" data-label="Newest bar">${one.age === null ? "–" : duration(one.age)}</td><td class="num" data-label="Polled every">${plan ? duration(plan.poll_seconds) : "–"}</td>
        <td data-label="Fresh within a bar" class="cell-wide">${plan ? (plan.within_bar ? "yes" : html`<span class="warn-mark">no</span> ${plan.reason}`) : "–"}</td></tr>`;
    })}</tbody></table></div>`;
}

function Links() {
  const { state } = connection.value;
  const rows = [
    ["Page to server", state === "open" ? "connected" : state, state === "open" ? "good" : "bad"],
    ["Server to Redis", bus.value.reachable ? bus.value.detail || "reachable" : bus.value.detail || "not reachable", bus.value.reachable ? (bus.value.detail ? "warn" : "good") : "bad"],
  ];
  return html`<dl class="values values-wide">${rows.map(([name, text, tone]) => html`<div key=${name}><dt>${name}</dt><dd><${Badge} tone=${tone}>${text}<//></dd></div>`)}
    <div><dt>Version</dt><dd>${system.value.version || "–"}</dd></div><div><dt>Known facts</dt><dd class="figure">${["bar", "indicators", "signal", "decision", "outcome", "order", "position"].reduce((sum, topic) => sum + keysOf(topic).length, 0)}</dd></div></dl>
    <p class="hint"><a href="/metrics" target="_blank" rel="noopener">Metrics</a> · <a href="/api/v1/openapi.json" target="_blank" rel="noopener">API description</a> · <a href="/healthz" target="_blank" rel="noopener">Health</a></p>`;
}

function Configurations() {
  const list = all("config").sort((a, b) => (a.process < b.process ? -1 : 1));
  if (!list.length) return html`<${Empty} title="No process has told its configuration yet" />`;
  return html`<div class="configs">${list.map(
    (one) => html`<details key=${one.process}><summary>${processName(one.process)} <code>${one.config}</code></summary><dl class="values values-wide">${Object.entries(one.settings).map(
      ([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${Array.isArray(value) ? value.join(", ") : value === null ? "–" : String(value)}</dd></div>`,
    )}</dl></details>`,
  )}</div>`;
}

/** @param {{title: string, name: string, children: any}} props */
const Panel = ({ title, name, children }) => html`<section class="panel" aria-labelledby=${name}><div class="panel-head"><h2 id=${name}>${title}</h2></div>${children}</section>`;

export default function System() {
  if (!system.value.ready && connection.value.state !== "open") return html`<${Empty} title="Connecting…" />`;
  return html`<div class="stack"><h1 class="sr-only">System</h1><${Panel} title="Processes" name="processes-title"><${Processes} /><//>
    <div class="side-by-side"><${Panel} title="Connections" name="links-title"><${Links} /><//><${Panel} title="Language model" name="model-title"><${Model} /><//></div>
    <${Panel} title="Data" name="data-title"><${Data} /><//><${Panel} title="Configuration in force" name="config-title"><${Configurations} /><//></div>`;
}
