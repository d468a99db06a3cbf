// The processes, replica by replica, as their heartbeats tell.

import { ageSeconds, second } from "#app/clock.mjs";
import { Age, Badge, Empty } from "#app/components/figures.mjs";
import { Table, Values } from "#app/components/panel.mjs";
import { processes, processState } from "#app/components/services.mjs";
import { duration, number, quantity, timeInFull } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { all, system } from "#app/store.mjs";
import { capital } from "#app/format.mjs";
import { processName } from "#app/words.mjs";
import { startsOf } from "./machinery.mjs";

const HEADS = ["Process", "Replica", "State", "Version", "#Last beat", "#Up for", "#Starts, 24 h", "#Memory", "#Queue", "Last error"];

/** Seconds matter only while it is young. @param {string} startedAt */
function uptime(startedAt) {
  const seconds = ageSeconds(startedAt, second.value);
  return duration(seconds !== null && seconds > 600 ? Math.floor(seconds / 60) * 60 : seconds);
}

/** Another version than the page's server runs is worth a look. @param {{version: string}} props */
function Version({ version }) {
  const ours = system.value.version;
  if (!ours || version === ours) return html`${version}`;
  return html`<${Badge} tone="warn" title=${`The dashboard is ${ours}`}>${version}<//>`;
}

/** @param {{process: string}} props */
function Starts({ process }) {
  const count = startsOf(process);
  if (count === null) return html`<span class="quiet">–</span>`;
  return count > 3 ? html`<${Badge} tone="warn">${count}<//>` : html`${count}`;
}

/** @param {{beat: any}} props */
const LastError = ({ beat }) =>
  beat.last_error
    ? html`<span class="bad">${beat.last_error}</span> <${Age} at=${beat.last_error_at} suffix=" ago" />`
    : html`<span class="quiet">none</span>`;

/** @param {{beat: any, here: boolean}} props */
function Replica({ beat, here }) {
  const tone = !here ? "bad" : beat.state === "running" ? "good" : "quiet";
  return html`<tr>
    <th scope="row">${processName(beat.process)}</th>
    <td data-label="Replica"><code>${beat.replica}</code></td>
    <td data-label="State"><${Badge} tone=${tone}>${here ? beat.state : "silent"}<//></td>
    <td data-label="Version"><${Version} version=${beat.version} /></td>
    <td class="num" data-label="Last beat"><${Age} at=${beat.made_at} stale=${15} /></td>
    <td class="num" data-label="Up for" title=${timeInFull(beat.started_at)}>${uptime(beat.started_at)}</td>
    <td class="num" data-label="Starts, 24 h"><${Starts} process=${beat.process} /></td>
    <td class="num" data-label="Memory">${beat.memory_mib === undefined ? "–" : `${number(beat.memory_mib, 0)} MiB`}</td>
    <td class="num" data-label="Queue">${beat.queue_depth ?? 0}</td>
    <td class="cell-wide" data-label="Last error"><${LastError} beat=${beat} /></td>
  </tr>`;
}

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
    <td colspan="9"><${Badge} tone="bad">${processState(process).text}<//></td>
  </tr>`;
}

export const Processes = () =>
  html`<${Table} label="Processes" heads=${HEADS} wide>
    ${processes.value.map((one) => html`<${Process} key=${one.name} process=${one} />`)}
  <//>`;

/** @param {{beat: any}} props */
function Counted({ beat }) {
  const rows = Object.entries(beat.counters ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return html`<details>
    <summary>${processName(beat.process)} <code>${beat.replica}</code></summary>
    ${rows.length
      ? html`<${Values} rows=${rows.map(([name, value]) => [capital(name.replaceAll(/[._]/g, " ")), quantity(value)])} />`
      : html`<p class="hint">Nothing yet.</p>`}
  </details>`;
}

/** What each counts since it was started. */
export function Counters() {
  const beats = all("heartbeat").sort((a, b) => (a.process < b.process ? -1 : 1));
  if (!beats.length) return html`<${Empty} title="No process has been heard" />`;
  return html`<div class="configs">${beats.map((beat) => html`<${Counted} key=${beat.replica} beat=${beat} />`)}</div>`;
}
