// The indicators of one closed bar: name, value, and where it came from.

import { percent, reading } from "../format.mjs";
import { html } from "../html.mjs";
import { indicatorName } from "../words.mjs";

/** @param {{name: string, fact: any}} props */
function Value({ name, fact }) {
  const origin = fact.origins?.[name];
  const differs = fact.disagreements?.[name];
  const mark = html`<span class="warn-mark" title=${`The provider's value differs from ours by ${percent(differs, 1)}`}>≠</span>`;
  return html`<div>
    <dt>${indicatorName(name)}${differs && mark}</dt>
    <dd class="figure" title=${origin && `from ${origin}`}>${reading(fact.values[name])}</dd>
  </div>`;
}

/** @param {{fact: any}} props */
export const IndicatorValues = ({ fact }) =>
  html`<dl class="values">
    ${Object.keys(fact.values).map((name) => html`<${Value} key=${name} name=${name} fact=${fact} />`)}
  </dl>`;
