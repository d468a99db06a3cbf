// What closed trades brought, by day and by symbol; and how the account is exposed now.

import { useEffect, useState } from "preact/hooks";
import { Empty, Gain, Moment } from "#app/components/figures.mjs";
import { Used } from "#app/components/meters.mjs";
import { Table, Values } from "#app/components/panel.mjs";
import { SaveButton } from "#app/components/save_button.mjs";
import { Tabs } from "#app/components/tabs.mjs";
import { settingsOf } from "#app/components/turn_on.mjs";
import { exposureOf } from "#app/exposure.mjs";
import { money, percent, plural } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { failed, readResults, results, startResults, summed } from "#app/results.mjs";
import { symbolPath } from "#app/router.mjs";
import { held } from "#app/standing.mjs";
import { all, latest } from "#app/store.mjs";

const COLUMNS = ["day", "symbol", "realized", "fees", "volume", "closed", "wins", "unknown"];
const FIELDS = /** @type {[string, string][]} */ ([
  ["day", "By day"],
  ["symbol", "By symbol"],
]);
const HEADS = ["#Realised", "#Fees", "#After fees", "#Trades closed", "#With a gain", "#Traded"];

/** `2026-11-20` as a date of New York's, whatever the reader's zone. @param {string} day */
const dayWords = (day) =>
  new Date(`${day}T12:00:00Z`).toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

/** @param {{row: any, field: string}} props */
const ResultRow = ({ row, field }) =>
  html`<tr>
    <th scope="row">${field === "symbol" ? html`<a href=${symbolPath(row.name)}>${row.name}</a>` : dayWords(row.name)}</th>
    <td class="num" data-label="Realised"><${Gain} value=${row.realized} /></td>
    <td class="num" data-label="Fees">${money(row.fees)}</td>
    <td class="num" data-label="After fees"><${Gain} value=${row.realized - row.fees} /></td>
    <td class="num" data-label="Trades closed">${row.closed}</td>
    <td class="num" data-label="With a gain">${row.closed ? `${row.wins} (${percent(row.wins / row.closed, 0)})` : "–"}</td>
    <td class="num" data-label="Traded">${money(row.volume)}</td>
  </tr>`;

/** @param {{field: "day" | "symbol"}} props */
function Rows({ field }) {
  const { value } = results;
  if (!value && failed.value)
    return html`<${Empty} title="Results could not be read">
      ${failed.value} <button type="button" class="link" onClick=${readResults}>Try again</button>
    <//>`;
  if (!value) return html`<${Empty} title="Loading results…" />`;
  if (!value.days.length)
    return html`<${Empty} title="Nothing has been traded yet">Each closed trade counts here with its day and symbol.<//>`;
  const rows = summed(value.days, field);
  const name = field === "day" ? "Day" : "Symbol";
  return html`<${Table} label=${`Results by ${field}`} heads=${[name, ...HEADS]}>
    ${rows.map((row) => html`<${ResultRow} key=${row.name} row=${row} field=${field} />`)}
  <//>`;
}

export function Results() {
  const [field, setField] = useState(/** @type {"day" | "symbol"} */ ("day"));
  useEffect(startResults, []);
  const { value } = results;
  const unknown = value?.days.reduce((sum, row) => sum + row.unknown, 0) ?? 0;
  return html`<${Tabs} label="Results" name="results" tabs=${FIELDS} chosen=${field} onChoose=${setField}><${Rows} field=${field} /><//>
    ${value?.since && html`<p class="hint">
      Of the fills since <${Moment} at=${value.since} />; the day is New York's. Average cost.
      ${unknown > 0 && ` ${plural(unknown, "trade")} of positions bought earlier ${unknown === 1 ? "is" : "are"} not counted.`}
    </p>`}`;
}

export const SaveResults = () =>
  html`<${SaveButton} what="results" columns=${COLUMNS} rows=${() => results.peek()?.days ?? []}
    disabled=${!results.value?.days.length} />`;

/** @param {{name: any, value: number, equity: number, limit: number}} props */
const Share = ({ name, value, equity, limit }) =>
  html`<li>
    <span class="share-name">${name}</span>
    <${Used} value=${equity ? (value / equity) * 100 : 0} limit=${limit} label=${typeof name === "string" ? name : "Share of equity"} />
    <span class="figure">${money(value)}</span>
    <span class="figure quiet">${percent(equity ? value / equity : 0)}</span>
  </li>`;

export function Exposure() {
  const account = latest("account").value;
  const positions = all("position").filter(held);
  const { long, short, net, gross, risk, unprotected, kinds } = exposureOf(positions);
  const equity = Number(account?.equity ?? 0);
  const limits = settingsOf("execution");
  const most = Number(limits.max_exposure_percent) || 100;
  const each = Number(limits.max_position_percent) || most;
  if (!account) return html`<${Empty} title="The account has not been read yet" />`;
  const rows = [
    ["Long", money(long)],
    ["Short", money(short)],
    ["Net", money(net)],
    ["Gross", `${money(gross)}, ${percent(equity ? gross / equity : 0)}`],
    ["Lost if every stop is hit", money(risk)],
    ["Without a stop", unprotected || "none"],
  ];
  return html`<${Values} rows=${rows} />
    ${positions.length > 0 && html`<ul class="shares" aria-label="Exposure as a share of equity">
      ${kinds.map(({ name, value }) => html`<${Share} key=${name} name=${name} value=${value} equity=${equity} limit=${most} />`)}
      ${positions
        .map(({ symbol, value }) => ({ symbol, worth: Math.abs(Number(value)) }))
        .sort((a, b) => b.worth - a.worth)
        .map(({ symbol, worth }) => html`<${Share} key=${symbol} name=${symbol} value=${worth} equity=${equity} limit=${each} />`)}
    </ul>
    <p class="hint">A bar is full at its limit: ${percent(most / 100, 0)} of equity in all, ${percent(each / 100, 0)} in one symbol.</p>`}`;
}
