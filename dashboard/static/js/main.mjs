// Starts the page.

import { effect } from "@preact/signals";
import { render } from "preact";
import { startAnnouncing } from "./announce.mjs";
import { startClock } from "./clock.mjs";
import { App } from "./components/app.mjs";
import { loadFeed, startFeed } from "./feed.mjs";
import { html } from "./html.mjs";
import { startKeys } from "./keys.mjs";
import { startRouter } from "./router.mjs";
import { reloadSeries, startSeries } from "./series.mjs";
import { connect, connection } from "./socket.mjs";
import { startAlerts } from "./alerts.mjs";
import { startLog } from "./log.mjs";
import { startLook } from "./look.mjs";
import { readScopes } from "./may.mjs";
import { watchTheme } from "./theme.mjs";

startClock();
startRouter();
startKeys();
startFeed();
startSeries();
startAnnouncing();
watchTheme();
startLook();
startAlerts();
startLog();
connect();

// What happened while the connection was away is read from the histories.
effect(() => {
  if (connection.value.state !== "open") return;
  readScopes();
  loadFeed();
  reloadSeries();
});

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
