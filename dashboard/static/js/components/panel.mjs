// A box with a title, and a table that scrolls sideways where it is too wide and becomes a list of cards on a phone.

import { classes, html } from "../html.mjs";

/** @param {{title: string, name: string, tools?: any, kind?: string, children: any}} props */
export const Panel = ({ title, name, tools, kind = "", children }) =>
  html`<section class=${`panel ${kind}`} aria-labelledby=${name}>
    <div class="panel-head"><h2 id=${name}>${title}</h2>${tools}</div>
    ${children}
  </section>`;

/**
 * `heads` are column titles; one that begins with `#` stands over figures, an empty one over buttons. A `wide` table is cards on a tablet
 * too.
 * @param {{label: string, heads: string[], children: any, wide?: boolean}} props
 */
export const Table = ({ label, heads, children, wide = false }) =>
  html`<div class="table-scroll" tabindex="0" role="group" aria-label=${label}>
    <table class=${classes("table table-cards", wide && "table-wide")}>
      <thead><tr>${heads.map((head) => html`<${Head} key=${head} head=${head} />`)}</tr></thead>
      <tbody>${children}</tbody>
    </table>
  </div>`;

/** @param {{head: string}} props */
function Head({ head }) {
  if (!head) return html`<th scope="col"><span class="sr-only">Actions</span></th>`;
  return head.startsWith("#") ? html`<th scope="col" class="num">${head.slice(1)}</th>` : html`<th scope="col">${head}</th>`;
}

/** Names and values in columns. @param {{rows: [string, any][]}} props */
export const Values = ({ rows }) =>
  html`<dl class="values values-wide">
    ${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd class="figure">${value}</dd></div>`)}
  </dl>`;
