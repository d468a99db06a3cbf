// Each limit with how much of it is used now. Pure where it counts.

import { Empty } from "#app/components/figures.mjs";
import { dayFraction } from "#app/components/header.mjs";
import { Used } from "#app/components/meters.mjs";
import { largestOrder, limitRows, settingsOf } from "#app/components/turn_on.mjs";
import { tenSeconds } from "#app/clock.mjs";
import { money, number, percent, plural } from "#app/format.mjs";
import { html } from "#app/html.mjs";
import { symbolPath } from "#app/router.mjs";
import { held } from "#app/standing.mjs";
import { all, latest } from "#app/store.mjs";

/** @typedef {{value: number, note: string, unit?: string}} Use */

/** What is used of each limit, in percent unless `unit` says otherwise. @param {any} account @param {any[]} positions */
export function uses(account, positions) {
  const equity = Number(account.equity);
  const largest = positions.reduce((most, one) => (Math.abs(Number(one.value)) > Math.abs(Number(most?.value ?? 0)) ? one : most), null);
  const exposure = Number(account.exposure_long ?? 0) + Math.abs(Number(account.exposure_short ?? 0)) + Number(account.working ?? 0);
  const share = (/** @type {number} */ amount) => (equity > 0 ? (amount / equity) * 100 : 0);
  return {
    max_daily_loss_percent: { value: Math.max(0, -(dayFraction(account) ?? 0) * 100), note: "lost today" },
    max_drawdown_percent: {
      value: Math.max(0, 1 - equity / Number(account.peak_equity)) * 100,
      note: `below the peak of ${money(account.peak_equity, account.currency)}`,
    },
    max_exposure_percent: { value: share(exposure), note: `${money(exposure, account.currency)} held or being bought` },
    max_position_percent: {
      value: share(Math.abs(Number(largest?.value ?? 0))),
      note: largest ? `the largest is ${largest.symbol}` : "nothing is held",
    },
  };
}

/** Orders of ours that were sent in the last minute. @param {any[]} orders @param {number} now @returns {Use} */
export function orderRate(orders, now) {
  const sent = orders.filter((order) => order.ours !== false && now - Date.parse(order.submitted_at ?? order.made_at) < 60_000);
  return { value: sent.length, note: `${plural(sent.length, "order")} in the last minute`, unit: "" };
}

/** @param {any} account @param {Record<string, any>} settings @returns {Record<string, Use>} */
function everyUse(account, settings) {
  const largest = largestOrder(account, latest("trade_settings").value, settings);
  const equity = Number(account.equity);
  const next = /** @type {Record<string, Use>} */ (
    largest !== null && equity > 0
      ? { max_order_percent: { value: (largest / equity) * 100, note: `a buy aims at up to ${money(largest, account.currency)}` } }
      : {}
  );
  return { ...uses(account, all("position").filter(held)), max_orders_per_minute: orderRate(all("order"), tenSeconds.value), ...next };
}

const CHECKED = /** @type {Record<string, string>} */ ({
  stop_loss_percent: "placed with every buy",
  take_profit_percent: "placed with every buy",
  cooldown_seconds: "counted from each loss",
});

/** @param {{name: string, label: string, text: string, most: number, used?: Use}} props */
function Limit({ name, label, text, most, used }) {
  const title = html`<span class="limit-name" title=${name.toUpperCase()}>${label} <strong>${text}</strong></span>`;
  if (!used) return html`<li>${title}<span class="hint limit-plain">${CHECKED[name] ?? "checked at every order"}</span></li>`;
  return html`<li>
    ${title}
    <${Used} value=${used.value} limit=${most} label=${`${label}, used`} />
    <span class="figure limit-value">${used.unit === "" ? number(used.value, 0) : `${number(used.value, 2)}%`}</span>
    <span class="hint">${used.note}</span>
  </li>`;
}

export function Limits() {
  const account = latest("account").value;
  const settings = settingsOf("execution");
  const rows = limitRows();
  if (!account || !rows.length)
    return html`<${Empty} title=${account ? "Execution has not told its limits yet" : "The account has not been read yet"} />`;
  const used = everyUse(account, settings);
  return html`
    <ul class="limits">
      ${rows.map(
        (row) => html`<${Limit} key=${row.name} ...${row} most=${Number(settings[row.name])} used=${used[row.name]} />`,
      )}
    </ul>
    <p class="hint">
      A limit can only make an order smaller or refuse it. The day is New York's; deposits and withdrawals do not count.
    </p>
    <p class="hint">
      Limits are set in <code>.env</code> and read when execution starts: nobody loosens one from a browser. Point at a limit for its name.
    </p>
  `;
}

/** Each holding against the limit for one symbol. */
export function Holdings() {
  const account = latest("account").value;
  const most = Number(settingsOf("execution").max_position_percent);
  const list = all("position").filter(held);
  const equity = Number(account?.equity);
  if (!list.length || !equity) return html`<${Empty} title="Nothing is held" />`;
  list.sort((a, b) => Math.abs(Number(b.value)) - Math.abs(Number(a.value)));
  return html`<ul class="limits">
    ${list.map(({ symbol, value, quantity }) => {
      const share = Math.abs(Number(value)) / equity;
      const side = Number(quantity) < 0 ? "short" : "long";
      return html`<li key=${symbol}>
        <span class="limit-name"><a href=${symbolPath(symbol)}>${symbol}</a> <strong>${most ? percent(most / 100, 0) : ""}</strong></span>
        <${Used} value=${share * 100} limit=${most || 100} label=${`${symbol}, of the most in one symbol`} />
        <span class="figure limit-value">${percent(share, 2)}</span>
        <span class="hint">${side}, ${money(value, account.currency)}</span>
      </li>`;
    })}
  </ul>`;
}
