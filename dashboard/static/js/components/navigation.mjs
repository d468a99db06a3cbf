// The pages that exist, in a rail beside the page, or along the bottom of a phone.

import { boot } from "../boot.mjs";
import { html } from "../html.mjs";
import { overlay } from "../overlays.mjs";
import { route, symbolPath } from "../router.mjs";
import { system } from "../store.mjs";
import { Icon } from "./icon.mjs";

/** A symbol's page needs a symbol: the one last looked at, else the first. @param {{name: string, href: string}} item */
function target(item) {
  if (item.name !== "symbol") return item.href;
  const current = route.value.name === "symbol" ? route.value.rest : "";
  const symbol = current || system.value.symbols[0];
  return symbol ? symbolPath(symbol) : item.href;
}

/** As many stand in a phone's bar; the others are behind "More". */
export const HEAD_COUNT = 4;

export function Navigation() {
  const { name } = route.value;
  const behind = boot.navigation.slice(HEAD_COUNT).some((item) => item.name === name);
  return html`<nav class="navigation" aria-label="Pages">
    <ul>
      ${boot.navigation.map((item, at) => html`<li key=${item.name} class=${at >= HEAD_COUNT ? "navigation-rest" : undefined}>
        <a href=${target(item)} aria-current=${item.name === name ? "page" : undefined}
          title=${item.key ? `${item.title} (g ${item.key})` : item.title}>
          <${Icon} name=${item.name} size=${18} />
          <span>${item.title.split(" ")[0]}</span>
        </a>
      </li>`)}
      <li class="navigation-more">
        <button type="button" aria-haspopup="dialog" data-here=${behind} onClick=${() => (overlay.value = "more")}>
          <${Icon} name="more" size=${18} />
          <span>More</span>
        </button>
      </li>
    </ul>
  </nav>`;
}
