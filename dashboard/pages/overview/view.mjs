// Everything at a glance: the switch, the account, every symbol, what is held, and what has just happened.

import { EquityChart } from "#app/components/equity_chart.mjs";
import { Feed } from "#app/components/feed_list.mjs";
import { Panel } from "#app/components/panel.mjs";
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
  return html`
    <h1 class="sr-only">Overview</h1>
    <${Checklist} />
    <div class="overview">
      <div class="area-switch">
        <${TradingPanel} />
        <${Panel} title="Size of a buy" name="sizing-title"><${Sizing} /><//>
        <${Panel} title="Processes" name="services-title" tools=${html`<a href="/system">System</a>`}><${Services} /><//>
      </div>
      <div class="area-account"><section class="panel account-panel" aria-label="Account"><${Tiles} /><${EquityChart} /></section></div>
      <${Cards} />
      <${Panel} title="Open positions" name="positions-title" kind="area-positions" tools=${html`<${LiquidateButton} />`}>
        <${Positions} />
      <//>
      <${Panel} title="Activity" name="activity-title" kind="area-activity"><${Feed} /><//>
    </div>
  `;
}
