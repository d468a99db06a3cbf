// The bell and what it rings for.

import { useRef } from "preact/hooks";
import { alerts, markRead, unread } from "../alerts.mjs";
import { plural } from "../format.mjs";
import { classes, html } from "../html.mjs";
import { connection } from "../socket.mjs";
import { Empty, Moment } from "./figures.mjs";
import { Icon } from "./icon.mjs";

const MOST = 9;

export function Bell() {
  const count = unread.value.length;
  const grave = unread.value.some(({ tone }) => tone === "bad");
  const says = count ? `Alerts: ${count} unread` : "Alerts: none unread";
  return html`<button type="button" class="icon-button bell" popovertarget="alerts" aria-label=${says} title=${says}>
    <${Icon} name="bell" />
    ${count > 0 && html`<span class=${classes("bell-count", grave && "bell-grave")} aria-hidden="true">
      ${count > MOST ? `${MOST}+` : count}
    </span>`}
  </button>`;
}

/** @param {{alert: import("../alerts.mjs").Alert, fresh: boolean, close: () => void}} props */
function Line({ alert, fresh, close }) {
  const look = () => {
    markRead([alert]);
    close();
  };
  return html`<li class=${classes("alert", fresh && "alert-unread")} data-tone=${alert.tone}>
    <${Icon} name=${alert.tone === "bad" ? "halt" : "warning"} />
    <div>
      <p class="alert-title">
        <a href=${alert.href} onClick=${look}>${alert.title}</a>
        ${fresh && html`<span class="alert-new">unread</span>`}
      </p>
      ${alert.text && html`<p class="alert-text">${alert.text}</p>`}
      <p class="hint">${alert.standing ? "Since " : ""}<${Moment} at=${alert.at} /></p>
    </div>
  </li>`;
}

export function AlertsPanel() {
  const panel = useRef(/** @type {any} */ (null));
  const list = alerts.value;
  const fresh = new Set(unread.value.map(({ key }) => key));
  const now = list.filter(({ standing }) => standing);
  const past = list.filter(({ standing }) => !standing);
  const close = () => panel.current?.hidePopover();
  const lines = (/** @type {typeof list} */ part) =>
    html`<ul>${part.map((one) => html`<${Line} key=${one.key} alert=${one} fresh=${fresh.has(one.key)} close=${close} />`)}</ul>`;
  return html`<div id="alerts" class="popover alerts" popover="auto" role="dialog" aria-labelledby="alerts-title" ref=${panel}>
    <div class="panel-head">
      <h2 id="alerts-title">Alerts</h2>
      ${fresh.size > 0 && html`<button type="button" class="button button-small" onClick=${() => markRead()}>Mark all as read</button>`}
    </div>
    ${connection.value.state !== "open" && html`<${Empty} title="Not known while disconnected" />`}
    ${connection.value.state === "open" && !list.length && html`<${Empty} title="Nothing needs you">
      Halts, refused orders, stale data and processes that stop appear here.
    <//>`}
    ${now.length > 0 && html`<h3>${plural(now.length, "matter")} now</h3>${lines(now)}`}
    ${past.length > 0 && html`<h3>In the last day</h3>${lines(past)}`}
  </div>`;
}
