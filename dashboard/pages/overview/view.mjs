// Everything at a glance: the switch, the account, every symbol, what is held, and what has just happened.

import { EquityChart } from "#app/components/equity_chart.mjs";
import { Feed } from "#app/components/feed_list.mjs";
import { Positions } from "#app/components/positions.mjs";
import { Services } from "#app/components/services.mjs";
import { Sizing } from "#app/components/sizing.mjs";
import { LiquidateButton } from "#app/components/symbol_actions.mjs";
import { TradingPanel } from "#app/components/trading_panel.mjs";
import { html } from "#app/html.mjs";
import { Cards } from "./cards.mjs";
import { Checklist } from "./checklist.mjs";
import { Tiles } from "./tiles.mjs";

export const title = "Overview";

export default function Overview() {
  return html`<div class="overview">
    <h1 class="sr-only">Overview</h1>
    <${Checklist} />
    <div class="area-switch">
      <${TradingPanel} />
      <section class="panel" aria-labelledby="sizing-title">
        <div class="panel-head"><h2 id="sizing-title">Size of a buy</h2></div>
        <${Sizing} />
      </section>
      <section class="panel" aria-labelledby="services-title">
        <div class="panel-head"><h2 id="services-title">Processes</h2><a href="/system">System</a></div>
        <${Services} />
      </section>
    </div>
    <div class="area-account"><section class="panel account-panel" aria-label="Account"><${Tiles} /><${EquityChart} /></section></div>
    <${Cards} />
    <section class="area-positions panel" aria-labelledby="positions-title">
      <div class="panel-head"><h2 id="positions-title">Open positions</h2><${LiquidateButton} /></div>
      <${Positions} />
    </section>
    <section class="area-activity panel" aria-labelledby="activity-title">
      <div class="panel-head"><h2 id="activity-title">Activity</h2></div>
      <${Feed} />
    </section>
  </div>`;
}
