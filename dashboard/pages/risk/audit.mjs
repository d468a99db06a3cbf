// Who changed what, from where and why.

import { useEffect } from "preact/hooks";
import { Empty, Moment } from "#app/components/figures.mjs";
import { Table } from "#app/components/panel.mjs";
import { SaveButton } from "#app/components/save_button.mjs";
import { html } from "#app/html.mjs";
import { preference } from "#app/preferences.mjs";
import { symbolPath } from "#app/router.mjs";
import { connection } from "#app/socket.mjs";
import { KINDS, lineOf, loadTrail, trail } from "#app/trail.mjs";
import { person } from "#app/words.mjs";

const DRAWN = 200;
const filter = preference("audit", { kind: "all", name: "" });

function lines() {
  return trail.value.entries.map(lineOf).filter((line) => line !== null);
}

/** @param {{names: string[]}} props */
export function AuditFilters({ names }) {
  const set = (/** @type {string} */ part) => (/** @type {any} */ event) => {
    filter.value = { ...filter.peek(), [part]: event.target.value };
  };
  return html`<div class="section-tools">
    <select class="select select-small" aria-label="What was changed" value=${filter.value.kind} onChange=${set("kind")}>
      ${KINDS.map(([kind, text]) => html`<option key=${kind} value=${kind}>${text}</option>`)}
    </select>
    <select class="select select-small" aria-label="By whom" value=${filter.value.name} onChange=${set("name")}>
      <option value="">Everybody</option>
      ${names.map((name) => html`<option key=${name} value=${name}>${person(name)}</option>`)}
    </select>
    <${SaveButton} what="audit trail" columns=${["at", "name", "address", "kind", "symbol", "what", "why", "became"]} rows=${shown} />
  </div>`;
}

function shown() {
  const { kind, name } = filter.value;
  return lines().filter((line) => (kind === "all" || line.kind === kind) && (!name || line.name === name));
}

/** @param {{line: NonNullable<ReturnType<typeof lineOf>>}} props */
function Line({ line }) {
  return html`<tr>
    <th scope="row"><${Moment} at=${line.at} /></th>
    <td data-label="Who">${line.kind === "starts" ? html`<span class="quiet">process</span>` : person(line.name)}
      ${line.address && html`<span class="cell-note">from ${line.address}</span>`}
    </td>
    <td class="cell-wide" data-label="What">
      ${line.symbol && html`<a href=${symbolPath(line.symbol)}>${line.symbol}</a> `}${line.what}
      ${line.became && html`<span class=${line.ok ? "cell-note" : "cell-note bad"}>${line.became}</span>`}
    </td>
    <td class="cell-wide" data-label="Why">${line.why || html`<span class="quiet">no reason given</span>`}</td>
  </tr>`;
}

export function Audit() {
  const online = connection.value.state === "open";
  useEffect(() => {
    if (online) loadTrail();
  }, [online]);
  const { state, next, detail } = trail.value;
  const list = shown();
  const names = [...new Set(lines().filter(({ kind }) => kind !== "starts").map(({ name }) => name))].sort();
  return html`
    <div class="panel-head"><h2 id="audit-title">Audit trail</h2><${AuditFilters} names=${names} /></div>
    ${state === "loading" && html`<${Empty} title="Loading…" />`}
    ${state === "error" && html`<${Empty} title="The audit trail could not be loaded">
      ${detail} <button type="button" class="link" onClick=${() => loadTrail()}>Try again</button>
    <//>`}
    ${state === "ready" && !list.length && html`<${Empty} title="Nothing was changed">
      Whatever a person changes appears here: the switch, halts, pauses, sizing, commands, users and tokens.
    <//>`}
    ${list.length > 0 && html`<${Table} label="Audit trail" heads=${["When", "Who", "What", "Why"]}>
      ${list.slice(0, DRAWN).map((line, at) => html`<${Line} key=${`${line.at} ${at}`} line=${line} />`)}
    <//>`}
    ${state === "ready" && next && html`<p class="older">
      <button type="button" class="button button-small" disabled=${!online} onClick=${() => loadTrail(next)}>Older</button>
    </p>`}
    <p class="hint">Nothing in it can be changed. What Redis no longer has is in the journal: <code>./tradermagic journal</code>.</p>
  `;
}
