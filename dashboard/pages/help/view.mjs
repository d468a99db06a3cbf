// What everything means, in the words the page uses.

import { COMMAND } from "#app/components/halt.mjs";
import { KeyTable } from "#app/components/overlays.mjs";
import { Panel, Table } from "#app/components/panel.mjs";
import { html } from "#app/html.mjs";

const STATES = [
  ["Off", "no", "no", "yes", "yes"],
  ["On", "yes", "yes", "yes", "yes"],
  ["On, reduce only, or symbol paused", "no", "yes", "yes", "yes"],
  ["Halted", "no; working entries are cancelled", "no", "yes, they stay at the broker", "yes"],
];
const WORDS = [
  ["Skipped", "Nothing was sent, and nothing is wrong: trading is off, the symbol is paused, or what the decision asks for is already so."],
  ["Refused by a limit", "A limit of yours forbade it. The numbers stand beside it; Why shows every check."],
  ["Submitted", "The broker has the order. Nothing is bought or sold until it fills."],
  ["Executed", "It has filled, at the price shown."],
  ["Failed", "It could not be done, and why. Nothing is tried again blindly."],
  [
    "No view",
    "An engine had nothing to say, and why: too little data, a model that is late or answered nonsense. That is not a vote to hold.",
  ],
  ["Not confirmed", "You asked for something and execution has not said that it did it. Until it does, assume that it did not."],
  ["Stale", "The newest bar is older than two bars may be. What is older than that is not decided on."],
];
const HEADS = ["Trading", "Buys", "A decision's exits", "Stops and targets", "What you close yourself"];
const MONEY = [
  ["Sandbox", "A simulated market and a simulated broker. Prices are real history, replayed as if it were now."],
  ["Paper", "Real prices, the broker's practice money."],
  ["Live", "Real money. A striped band crosses the top of every page."],
];

const ROLES = [
  ["Viewer", "looks, and changes nothing"],
  ["Operator", "turns trading on and off, halts, sets the size, pauses and closes"],
  ["Admin", "makes users and tokens too; so does whoever has the password of the settings"],
  ["Token", "a script's key with read, trade or halt; one that can only halt is safe to carry on a phone"],
];

/** @param {{row: string[]}} props */
const StateRow = ({ row: [name, ...cells] }) =>
  html`<tr>
    <th scope="row">${name}</th>
    ${cells.map((cell, at) => html`<td key=${at} data-label=${HEADS[at + 1]}>${cell}</td>`)}
  </tr>`;

/** @param {{href: string, children: any}} props */
const Outside = ({ href, children }) => html`<a href=${href} target="_blank" rel="noopener noreferrer">${children}</a>`;

/** @param {{rows: string[][]}} props */
const List = ({ rows }) =>
  html`<dl class="terms">${rows.map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>`;

export default function Help() {
  return html`<div class="stack help">
    <h1>Help</h1>
    <${Panel} kind="prose" title="How a bar becomes a trade" name="flow-title">
      <p>
        A bar closes. Its indicators go to every engine; each says what it thinks, or that it has no view. Their views are weighed to one
        score from 0 to 100, where 50 is neutral. A high score aims at holding the symbol, a low one at holding none of it. The risk limits
        may make the order smaller or refuse it. What is left goes to the broker, once.
      </p>
      <p>Every step is kept. <strong>Why</strong>, beside a decision, an order or a fill, shows the way back to the bar it came from.</p>
    <//>
    <${Panel} kind="prose" title="What may happen when" name="states-title">
      <${Table} label="What may happen when" heads=${HEADS}>${STATES.map((row) => html`<${StateRow} key=${row[0]} row=${row} />`)}<//>
      <p>The switch shows what execution does, not what was pressed: a wish stays a wish until execution has taken it in.</p>
    <//>
    <${Panel} kind="prose" title="Stopping" name="stop-title">
      <p>
        <strong>HALT</strong> needs one press and no answer. It ends buying, cancels working entries and leaves protective orders in place.
        Leaving it takes a person and a reason. <strong>Liquidate all</strong> is another thing: it sells what is held, and asks first.
      </p>
      <p>If this page cannot reach the server, type on the machine that runs TraderMagic:</p>
      <pre class="command" tabindex="0">${COMMAND}</pre>
    <//>
    <${Panel} kind="prose" title="Whose money" name="money-title">
      <${List} rows=${MONEY} />
    <//>
    <${Panel} kind="prose" title="Alerts" name="alerts-help-title">
      <p>
        The bell rings for what needs a person: a halt, refused and failed orders, stale data, a process that is not running, a model that
        is not there, a wish that nobody confirms. What is so now stays until it is over; what happened stays for a day. Reading marks it
        in this browser only.
      </p>
    <//>
    <${Panel} kind="prose" title="Who may what" name="roles-help-title"><${List} rows=${ROLES} /><//>
    <${Panel} kind="prose" title="Words" name="words-title"><${List} rows=${WORDS} /><//>
    <${Panel} kind="prose" title="Keys" name="help-keys-title">
      <${KeyTable} />
      <p class="hint">
        Keys without Ctrl can be switched off under <a href="/settings">Settings</a>. No key turns trading on. Everything can be reached
        with Tab and pressed with Enter or Space.
      </p>
    <//>
    <${Panel} kind="prose" title="About" name="about-title">
      <p>
        TraderMagic is free software under the Apache License 2.0.
        Charts by <${Outside} href="https://www.tradingview.com/">TradingView<//>, with Lightweight Charts.
      </p>
      <p>
        <${Outside} href="/static/vendor/LICENCES.txt">Licences of the libraries<//>
      </p>
    <//>
  </div>`;
}
