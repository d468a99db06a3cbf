// Three tabs about one symbol: its figures, how good its data is, and what the broker says of it.

import { useEffect, useState } from "preact/hooks";
import { get } from "#app/api.mjs";
import { second } from "#app/clock.mjs";
import { Badge, Empty, Gain, Moment } from "#app/components/figures.mjs";
import { Values } from "#app/components/panel.mjs";
import { Tabs } from "#app/components/tabs.mjs";
import { duration, money, number, percent, plural, quantity, signedPercent, timeframeSeconds } from "#app/format.mjs";
import { staleAfter } from "#app/freshness.mjs";
import { html } from "#app/html.mjs";
import { results, startResults } from "#app/results.mjs";
import { connection } from "#app/socket.mjs";
import { latest, system, trading } from "#app/store.mjs";
import { indicatorName } from "#app/words.mjs";
import { delaysOf, gapsOf, originsOf, quantile } from "./quality.mjs";

const BARS = 500;
const TABS = /** @type {[string, string][]} */ ([
  ["stats", "Statistics"],
  ["quality", "Data quality"],
  ["instrument", "Instrument"],
]);

/** The bars once more when one has come: what is counted here is counted anew. @param {string} symbol */
function useBars(symbol) {
  const [bars, setBars] = useState(/** @type {any[] | null} */ (null));
  const { ready, timeframe } = system.value;
  const open = connection.value.state === "open";
  const last = trading("bar", symbol).value;
  useEffect(() => {
    if (!ready || !open) return;
    get("bars", { symbol, timeframe, limit: BARS }).then(
      ({ bars: read }) => setBars(read),
      () => setBars((known) => known ?? []),
    );
  }, [symbol, ready, timeframe, open]);
  useEffect(() => {
    if (last) setBars((known) => known && (last.at > (known.at(-1)?.at ?? "") ? [...known, last].slice(-BARS) : known));
  }, [last?.at]);
  return bars;
}

/** @param {any[]} bars @returns {[string, any][]} */
function figures(bars) {
  const first = bars[0];
  const last = bars[bars.length - 1];
  const high = Math.max(...bars.map((bar) => bar.high));
  const low = Math.min(...bars.map((bar) => bar.low));
  const moves = bars.slice(1).map((bar, at) => Math.log(bar.close / bars[at].close));
  const mean = moves.reduce((sum, one) => sum + one, 0) / Math.max(1, moves.length);
  const spread = Math.sqrt(moves.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, moves.length - 1));
  return [
    ["Bars shown", `${bars.length}, ${duration((Date.parse(last.at) - Date.parse(first.at)) / 1_000)}`],
    ["Change over them", signedPercent(last.close / first.open - 1)],
    ["Range over them", percent(high / low - 1, 2)],
    ["Moves a bar (deviation)", percent(spread, 3)],
    ["Volume a bar (mean)", number(bars.reduce((sum, bar) => sum + bar.volume, 0) / bars.length, 2)],
  ];
}

/** @param {{symbol: string, bars: any[]}} props */
function Statistics({ symbol, bars }) {
  const { value } = results;
  const own = (value?.days ?? []).filter((row) => row.symbol === symbol);
  const sum = (/** @type {string} */ name) => own.reduce((total, /** @type {any} */ row) => total + Number(row[name]), 0);
  const closed = sum("closed");
  const rows = [
    ...(bars.length > 1 ? figures(bars) : []),
    ["Trades closed", closed ? `${closed}, ${percent(sum("wins") / closed, 0)} with a gain` : "none yet"],
    ["Realised", html`<${Gain} value=${sum("realized")} />`],
    ["Fees", money(sum("fees"))],
    ["Traded", money(sum("volume"))],
  ];
  return html`<${Values} rows=${rows} />
    ${value?.since && html`<p class="hint">Trades since <${Moment} at=${value.since} />, before fees.</p>`}`;
}

/** @param {{symbol: string, bars: any[]}} props */
function Quality({ symbol, bars }) {
  const { timeframe, simulated } = system.value;
  const market = latest("market").value;
  const calendar = latest("calendar").value;
  const fact = trading("indicators", symbol).value;
  const length = timeframeSeconds(timeframe);
  const days = symbol.includes("/") || simulated ? null : (calendar?.days ?? []);
  const gaps = gapsOf(bars, length, days);
  const missing = gaps.reduce((sum, gap) => sum + gap.missing, 0);
  const delays = delaysOf(bars);
  const late = delays.filter((delay) => delay > length).length;
  const freshness = market?.freshness?.[symbol];
  const age = bars.length ? (second.value - Date.parse(bars[bars.length - 1].at)) / 1_000 : null;
  const differs = Object.entries(fact?.disagreements ?? {});
  const limit = staleAfter(symbol, market, timeframe);
  const aged = html`<span class=${age !== null && age > limit ? "bad" : ""}>${duration(age)} old</span>`;
  const rows = [
    ["Newest bar", aged],
    ["Stale after", duration(limit)],
    ["Bars missing", missing ? html`<${Badge} tone="warn">${missing} in ${plural(gaps.length, "gap")}<//>` : "none"],
    ["Bars late", late ? html`<${Badge} tone="warn">${late} of ${delays.length}<//>` : `none of ${delays.length}`],
    ["Delay, median", delays.length ? `${number(quantile(delays, 0.5), 2)} s` : "–"],
    ["Delay, 95 of 100", delays.length ? `${number(quantile(delays, 0.95), 2)} s` : "–"],
    ["From", originsOf(bars).map(([name, count]) => `${name} (${count})`).join(", ") || "–"],
    ["Asked every", freshness ? duration(freshness.poll_seconds) : "–"],
    ["Differs between sources", differs.length ? html`<${Badge} tone="warn">${plural(differs.length, "value")}<//>` : "nothing"],
  ];
  return html`<${Values} rows=${rows} />
    ${freshness && !freshness.within_bar && html`<p class="hint">Not fresh within a bar: ${freshness.reason}</p>`}
    ${differs.map(([name, share]) => html`<p key=${name} class="hint">
      ${indicatorName(name)}: ours and the provider's differ by ${percent(/** @type {number} */ (share), 1)}
    </p>`)}
    ${gaps.slice(-3).map((gap) => html`<p key=${gap.after} class="hint">
      ${plural(gap.missing, "bar")} missing after <${Moment} at=${gap.after} />
    </p>`)}`;
}

/** @param {boolean} is */
const yes = (is) => (is ? "yes" : "no");

/** @param {{symbol: string}} props */
function Instrument({ symbol }) {
  const fact = latest("instrument", symbol).value;
  if (!fact) return html`<${Empty} title="The broker has not been asked yet">It is when the symbol is first traded.<//>`;
  const rows = [
    ["Tradable", fact.tradable ? "yes" : html`<${Badge} tone="bad">no<//>`],
    ["Fractions of a unit", yes(fact.fractionable)],
    ["Can be sold short", yes(fact.shortable)],
    ["Price step", fact.price_increment ? quantity(fact.price_increment) : "0.01 from $1 up, else 0.0001"],
    ["Quantity step", quantity(fact.quantity_increment)],
    ["Least quantity", quantity(fact.minimum_quantity)],
    ["Least value of an order", money(fact.minimum_notional)],
    ["Most value of an order", fact.maximum_notional ? money(fact.maximum_notional) : "no limit of the broker's"],
  ];
  return html`<${Values} rows=${rows} /><p class="hint">As the broker said <${Moment} at=${fact.made_at} />.</p>`;
}

/** @param {{symbol: string}} props */
export function FactsTabs({ symbol }) {
  const [chosen, choose] = useState("stats");
  const bars = useBars(symbol);
  useEffect(startResults, []);
  const inside = { stats: Statistics, quality: Quality, instrument: Instrument }[chosen] ?? Statistics;
  return html`<section class="panel" aria-label=${`About ${symbol}`}>
    <${Tabs} label=${`About ${symbol}`} name="about" tabs=${TABS} chosen=${chosen} onChoose=${choose}>
      ${bars ? html`<${inside} symbol=${symbol} bars=${bars} />` : html`<${Empty} title="Reading the bars…" />`}
    <//>
  </section>`;
}
